"""Which of the places that may name LoRAs is heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import InvalidParameter
from worker.params.layers import Choice, Layer
from worker.params.loras import LoraText, parse_activated, parse_additional
from worker.params.phases import PhaseConfig

URLS, MULTIPLIERS, ADDITIONAL = "activated_loras", "loras_multipliers", "additional_loras"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraChoice:
    """The LoRAs in use, the layer that named them, and where."""

    texts: tuple[LoraText, ...]
    layer: str
    field: str

    @classmethod
    def of(
        cls,
        layers: Sequence[Layer],
        phase_config: PhaseConfig | None,
        defaults: Mapping[str, Any],
    ) -> "LoraChoice":
        """Choose: the highest layer of the task that names any, the phase config, the model.

        An empty list or object in a task names none, so it leaves a phase config's LoRAs alone. An
        empty `activated_loras` does win over the model's own; an empty `additional_loras`, which
        applications send as a matter of course, and a phase config that lists none do not. A task
        and its phase config that both name LoRAs, and not the same ones, contradict each other.
        """
        said = _said_by_task(layers)
        if phase_config is not None and phase_config.loras:
            chosen = cls(
                texts=phase_config.loras, layer="phase_config", field=f"{phase_config.field}.phases"
            )
            if said is not None and said.texts:
                _refuse_contradiction(said, chosen)
            return chosen
        if said is not None:
            return said
        model = Layer(source="model", values=defaults, field="defaults")
        return _activated(model) or cls(texts=(), layer="system", field=URLS)

    def choice(self, key: str) -> Choice:
        """Return the value of `activated_loras` (URLs) or of `loras_multipliers` (one text)."""
        value: Any = [text.url for text in self.texts]
        if key == MULTIPLIERS:
            value = " ".join(text.multipliers for text in self.texts)
        return Choice(value=value, layer=self.layer, field=self.field)


def _said_by_task(layers: Sequence[Layer]) -> LoraChoice | None:
    empty = None
    for layer in reversed(layers):
        activated, additional = _activated(layer), _additional(layer)
        if activated and activated.texts and additional and additional.texts:
            _refuse_contradiction(activated, additional)
        named = activated if activated and activated.texts else additional
        if named and named.texts:
            # A list that was emptied on purpose in a higher layer hides the lower ones.
            return empty or named
        empty = empty or activated
    return empty


def _activated(layer: Layer) -> LoraChoice | None:
    urls, multipliers = layer.values.get(URLS), layer.values.get(MULTIPLIERS)
    field = layer.path(URLS)
    if urls is None:
        if multipliers:
            problem = f"stands without {field}, the LoRAs that it is for"
            raise InvalidParameter(layer.path(MULTIPLIERS), multipliers, problem)
        return None
    texts = parse_activated(
        urls,
        "" if multipliers is None else multipliers,
        urls_field=field,
        field=layer.path(MULTIPLIERS),
    )
    return LoraChoice(texts=texts, layer=layer.source, field=field)


def _additional(layer: Layer) -> LoraChoice | None:
    value = layer.values.get(ADDITIONAL)
    if value is None:
        return None
    field = layer.path(ADDITIONAL)
    return LoraChoice(texts=parse_additional(field, value), layer=layer.source, field=field)


def _refuse_contradiction(said: LoraChoice, other: LoraChoice) -> None:
    def pairs(choice: LoraChoice) -> list[tuple[str, str]]:
        return [(text.url, text.multipliers) for text in choice.texts]

    if pairs(said) != pairs(other):
        problem = f"contradicts {other.field}, which names {pairs(other)}; give one of them"
        raise InvalidParameter(said.field, pairs(said), problem)
