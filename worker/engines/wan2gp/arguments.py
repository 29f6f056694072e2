"""What the checkout's entry is called with: every parameter it has, in its own terms."""

import copy
import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from worker.engines.base import Inputs
from worker.engines.pictures import cover
from worker.errors import EngineError, InvalidParameter
from worker.params.frozen import thaw
from worker.params.payload import UnknownKeys
from worker.params.request import GenerationRequest, ParamValue

# Of the layers of a request: those that a task's own words are not in.
_NOT_ASKED: Final = ("system", "model")
# What is told in the engine's own terms, under another name.
_TRANSLATED: Final = frozenset({"fps"})
# What is no parameter of a request, and is missed where an entry has not got it.
_PICTURES: Final = ("image_start", "image_end")
_MISSED: Final = ("force_fps",)
_NEAREST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The arguments of one call.

    Attributes:
        values: By parameter; none that the entry has not.
        unused: Parameters of the request that the entry has not, in order.
        filled: Parameters of the entry that nobody has a value for: they are given None.
    """

    values: Mapping[str, Any]
    unused: tuple[str, ...] = ()
    filled: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The parameters of the function that generates, as it has them.

    Attributes:
        name: Of the function.
        taken: The names of its parameters.
        needed: Those of them that have no default.
        open: Whether it takes any others too.
    """

    name: str
    taken: tuple[str, ...]
    needed: tuple[str, ...]
    open: bool = False

    @classmethod
    def of(cls, name: str, function: Callable[..., Any]) -> "Entry":
        """Read a function's signature."""
        parameters = inspect.signature(function).parameters.values()
        named = [
            one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        ]
        return cls(
            name=name,
            taken=tuple(one.name for one in named),
            needed=tuple(one.name for one in named if one.default is one.empty),
            open=any(one.kind is one.VAR_KEYWORD for one in parameters),
        )

    def takes(self, parameter: str) -> bool:
        """Whether it has a parameter."""
        return self.open or parameter in self.taken


def arguments_of(
    request: GenerationRequest,
    *,
    entry: Entry,
    primary: Mapping[str, Any],
    terms: Mapping[str, Any],
    unknown: UnknownKeys,
    ours: Sequence[str],
) -> Arguments:
    """Put the arguments together: the engine's own settings, then the model's, the task's, `terms`.

    Args:
        request: The task's; the model's defaults are in it.
        entry: The function that is to be called.
        primary: The engine's own settings, for what nobody else speaks of.
        terms: What is told in the engine's own terms; see `in_its_terms`.
        unknown: Whether a task's parameters that the entry has not are passed over or refused.
        ours: Parameters of the entry that are given beside these.

    Raises `InvalidParameter` for a parameter of the task that the entry has not, if so asked, and
    `EngineError` for a picture that it cannot be given.
    """
    asked = {name: one for name, one in request.params.items() if one.value is not None}
    unused = [name for name in asked if not entry.takes(name) and name not in _TRANSLATED]
    unused += [name for name in _MISSED if terms.get(name) and not entry.takes(name)]
    for name in _PICTURES:
        if terms.get(name) is not None and not entry.takes(name):
            raise EngineError(f"this checkout's {entry.name} has no {name}; leave the picture out")
    if unknown == "refuse":
        for name in unused:
            if name in asked and asked[name].source not in _NOT_ASKED:
                raise _refusal(asked[name], entry)
    known = (
        copy.deepcopy(dict(primary)) | {name: thaw(one.value) for name, one in asked.items()}
    ) | dict(terms)
    values = {name: value for name, value in known.items() if entry.takes(name)}
    if entry.open:
        values = {name: known[name] for name in known if name in {*asked, *terms, *entry.taken}}
    given = {name: value for name, value in values.items() if name not in ours}
    filled = tuple(name for name in entry.needed if name not in given and name not in ours)
    return Arguments(values=given | dict.fromkeys(filled), unused=tuple(unused), filled=filled)


def in_its_terms(
    request: GenerationRequest,
    inputs: Inputs,
    *,
    loras: Sequence[str],
    model_fps: float,
) -> dict[str, Any]:
    """Say in the engine's own terms what the request says in ours.

    Pictures are cut to the frame first: the engine takes the shape of the video from a picture.

    Args:
        request: The task's.
        inputs: Its pictures.
        loras: The LoRAs' files, as the engine finds them.
        model_fps: What the engine makes where nobody asks for another rate.
    """
    start, end = (
        None if picture is None else cover(picture, request.width, request.height)
        for picture in (inputs.start_image, inputs.end_image)
    )
    thresholds = {
        name: value
        for name, value in (
            ("switch_threshold", request.schedule.switch_threshold),
            ("switch_threshold2", request.schedule.switch_threshold2),
        )
        if value is not None
    }
    return {
        "model_type": request.model,
        "base_model_type": request.model,
        "mode": "",
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "resolution": f"{request.width}x{request.height}",
        "video_length": request.frames,
        "seed": request.seed,
        "num_inference_steps": len(request.schedule.steps),
        "force_fps": "" if request.fps == model_fps else f"{request.fps:g}",
        "image_mode": 0,  # a video, and no picture
        "repeat_generation": 1,
        "batch_size": 1,
        "image_start": start,
        "image_end": end,
        "image_prompt_type": ("S" if start else "") + ("E" if end else ""),
        "activated_loras": list(loras),
        "loras_multipliers": " ".join(use.multipliers for use in request.loras),
        **thresholds,
    }


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for the span: every scalar; a list as a text; of a picture, its size."""
    shown: dict[str, Any] = {}
    for name, value in values.items():
        size = getattr(value, "size", None)
        if isinstance(size, tuple):
            shown[name] = f"a picture of {size[0]}x{size[1]}"
        elif isinstance(value, list | tuple):
            shown[name] = ", ".join(map(str, value)) if value else ""
        else:
            shown[name] = value
    return shown


def _refusal(param: ParamValue, entry: Entry) -> InvalidParameter:
    near = difflib.get_close_matches(param.name, entry.taken, n=_NEAREST, cutoff=0.6)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return InvalidParameter(
        param.name,
        param.value,
        f"is no parameter of this checkout's {entry.name}, which has {len(entry.taken)}; {hint}"
        "unknown_params = pass has it left out, with a warning",
    )
