"""The layers in which a task says its values, and who wins: the highest that is not None."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from worker.errors import InvalidParameter
from worker.params import checks

MODEL = "model_name"
# The names by which tasks pass a parameter; two of them in one layer must agree.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "resolution": ("parsed_resolution_wh", "resolution"),
    "video_length": ("segment_frames_target", "video_length", "num_frames"),
    "num_inference_steps": ("num_inference_steps", "steps"),
    "seed": ("seed_to_use", "seed_base", "base_seed", "seed"),
    "fps": ("fps_helpers", "fps_final_video", "fps"),
    MODEL: (MODEL, "model"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The values of one layer of a task.

    Attributes:
        source: "orchestrator", "segment", "individual_segment_params" or "task".
        values: The payload's object, as it came; None stands for nothing said.
        field: Where the object stands in the payload, for refusals; "" for its top.
        places: Where in the object a value stands that it has under another name: a journey says
            the phase config of its second segment at "phase_configs_expanded[1]".
    """

    source: str
    values: Mapping[str, Any]
    field: str = ""
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def path(self, key: str) -> str:
        """Return the dotted path of a key of this layer."""
        place = self.places.get(key, key)
        return f"{self.field}.{place}" if self.field else place


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A value, the layer that said it, and its dotted path."""

    value: Any
    layer: str
    field: str


def pick(layers: Sequence[Layer], key: str) -> Choice | None:
    """Return what the highest layer that says anything says of a parameter.

    Args:
        layers: Low to high.
        key: The parameter; its other names are looked for too.

    Raises `InvalidParameter` when one layer says two different things under two names.
    """
    names = ALIASES.get(key) or (key,)
    for layer in reversed(layers):
        said = [name for name in names if layer.values.get(name) is not None]
        if said:
            return _agreed(layer, said)
    return None


def named_model(layers: Sequence[Layer]) -> tuple[str, str]:
    """Return the model's name and its dotted path; the name is "" where there is none."""
    choice = pick(layers, MODEL)
    if choice is None:
        return "", layers[-1].path(MODEL)
    return checks.text(choice.field, choice.value, limit=checks.LONGEST_NAME), choice.field


def pick_first(layers: Sequence[Layer], *names: str) -> Choice | None:
    """Return the value under the first of `names` that the highest layer has; they may differ."""
    for layer in reversed(layers):
        for name in names:
            value = layer.values.get(name)
            if value is not None:
                return Choice(value=value, layer=layer.source, field=layer.path(name))
    return None


def _agreed(layer: Layer, said: Sequence[str]) -> Choice:
    first, *others = said
    value = layer.values[first]
    for name in others:
        if layer.values[name] != value:
            problem = f"contradicts {layer.path(name)} = {layer.values[name]!r}; give one of them"
            raise InvalidParameter(layer.path(first), value, problem)
    return Choice(value=value, layer=layer.source, field=layer.path(first))
