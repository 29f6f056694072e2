"""The system's defaults, and the values at which what only WGP knows changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from worker.errors import InvalidParameter
from worker.params.parameters import DRAWN, PARAMETERS, engines_solver

WGP = "wan2gp"

SYSTEM_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "resolution": "1280x720",
        "video_length": 49,
        "num_inference_steps": 25,
        "guidance_scale": 7.5,
        "guidance2_scale": 7.5,
        "flow_shift": 7.0,
        "sample_solver": "euler",
        "switch_threshold": 500,
        "seed": DRAWN,
        "negative_prompt": "",
        "activated_loras": (),
        "loras_multipliers": "",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neutral:
    """The values at which a parameter of WGP changes nothing; `values` None means any.

    `reason` says why any value is neutral.
    """

    values: tuple[Any, ...] | None
    reason: str = ""


_SKIPPING_OFF = Neutral(values=None, reason="without skip_steps_cache_type no step is skipped")
_SLG_OFF = Neutral(values=None, reason="with slg_switch 0 there is no skip layer guidance")

WGP_ONLY: Final[Mapping[str, Neutral]] = MappingProxyType(
    {
        "settings_version": Neutral(values=None, reason="a stamp on a settings file"),
        "repeat_generation": Neutral(values=(1,)),
        "multi_images_gen_type": Neutral(values=(0,)),
        "skip_steps_cache_type": Neutral(values=("",)),
        "skip_steps_multiplier": _SKIPPING_OFF,
        "skip_steps_start_step_perc": _SKIPPING_OFF,
        "RIFLEx_setting": Neutral(values=(0,)),
        "slg_switch": Neutral(values=(0,)),
        "slg_layers": _SLG_OFF,
        "slg_start_perc": _SLG_OFF,
        "slg_end_perc": _SLG_OFF,
        # "V" says that a control video's sound is kept, and there is no control video.
        "audio_prompt_type": Neutral(values=("", "V")),
        # A start image and an end image are what other engines take as well.
        "image_prompt_type": Neutral(values=("", "S", "SE")),
        "video_prompt_type": Neutral(values=("",)),
        "sliding_window_overlap": Neutral(values=None, reason="one window holds the whole video"),
        "color_correction_strength": Neutral(values=(0,)),
    }
)


def check(
    key: str, value: Any, place: str = "", *, field: str | None = None, engine: str = ""
) -> Any:
    """Return a parameter's value when its type and range are right; refuse it by name if not.

    A key that is not in `PARAMETERS` passes: it belongs to an engine that knows it.

    Args:
        key: The parameter.
        value: Its value; not None.
        place: Dotted path of the object that holds it.
        field: The whole dotted path, where the key stands under another name.
        engine: Of the request, where that matters: WGP has solvers that nobody else knows.
    """
    parameter = PARAMETERS.get(key)
    where = field if field is not None else f"{place}.{key}" if place else key
    if key == "sample_solver" and engine == WGP:
        return engines_solver(where, value)
    return value if parameter is None else parameter.check(where, value)


def refuse_unknown_to(engine: str, key: str, value: Any, field: str) -> None:
    """Refuse a value that only WGP would act on, when the engine is another.

    Several videos are asked of no engine: a task has one place for its output.
    """
    if key == "repeat_generation" and value != 1:
        problem = "must be 1: a task makes one video; enqueue a task for each"
        raise InvalidParameter(field, value, problem)
    neutral = WGP_ONLY.get(key)
    if engine == WGP or neutral is None or neutral.values is None or value in neutral.values:
        return
    accepted = " or ".join(repr(item) for item in neutral.values)
    problem = f"only the engine {WGP} knows {key}; the engine {engine} takes {accepted} alone"
    raise InvalidParameter(field, value, problem)
