"""What is known of each parameter: the system's default, its type, and what only WGP knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from worker.errors import InvalidParameter
from worker.params import checks
from worker.params.frames import MAX_FRAMES
from worker.params.resolution import parse_resolution
from worker.params.schedules import MAX_STEPS, SOLVERS

MAX_SEED = 2**32 - 1
DRAWN = -1  # the seed that asks for a random one
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


def _solver(field: str, value: Any) -> str:
    name = checks.text(field, value)
    if name and name not in SOLVERS:
        raise InvalidParameter(field, value, f"must be one of {', '.join(SOLVERS)}")
    return name


def _resolution(field: str, value: Any) -> Any:
    parse_resolution(value, field=field)
    return value


def _integers(field: str, value: Any) -> Any:
    for index, item in enumerate(checks.sequence(field, value)):
        checks.integer(f"{field}[{index}]", item, low=0, high=10_000)
    return value


def _texts(field: str, value: Any) -> Any:
    for index, item in enumerate(checks.sequence(field, value)):
        checks.text(f"{field}[{index}]", item)
    return value


def _multipliers(field: str, value: Any) -> Any:
    return checks.text(field, value) if isinstance(value, str) else checks.sequence(field, value)


_guidance = partial(checks.number, low=0, high=100)
_threshold = partial(checks.number, low=0, high=1000)
_percent = partial(checks.number, low=0, high=100)
_amount = partial(checks.number, low=0, high=1000)
_choice = partial(checks.integer, low=0, high=100)

# The type and the limits of every parameter that is known. The limits are there to catch
# accidents (a seed for a step count), not to teach taste.
TYPES: Final[Mapping[str, Callable[[str, Any], Any]]] = MappingProxyType(
    {
        "settings_version": partial(checks.number, low=0, high=1_000_000),
        "prompt": checks.text,
        "resolution": _resolution,
        "video_length": partial(checks.integer, low=1, high=MAX_FRAMES),
        "num_inference_steps": partial(checks.integer, low=1, high=MAX_STEPS),
        "seed": partial(checks.integer, low=DRAWN, high=MAX_SEED),
        "fps": partial(checks.number, low=1, high=240),
        "guidance_scale": _guidance,
        "guidance2_scale": _guidance,
        "guidance3_scale": _guidance,
        "flow_shift": partial(checks.number, low=0.001, high=1000),
        "sample_solver": _solver,
        "guidance_phases": partial(checks.integer, low=1, high=3),
        "model_switch_phase": partial(checks.integer, low=1, high=3),
        "switch_threshold": _threshold,
        "switch_threshold2": _threshold,
        "negative_prompt": checks.text,
        "activated_loras": _texts,
        "loras_multipliers": _multipliers,
        "repeat_generation": partial(checks.integer, low=1, high=1000),
        "multi_images_gen_type": _choice,
        "skip_steps_cache_type": checks.text,
        "skip_steps_multiplier": _amount,
        "skip_steps_start_step_perc": _percent,
        "RIFLEx_setting": _choice,
        "slg_switch": _choice,
        "slg_layers": _integers,
        "slg_start_perc": _percent,
        "slg_end_perc": _percent,
        "audio_prompt_type": checks.text,
        "image_prompt_type": checks.text,
        "video_prompt_type": checks.text,
        "sliding_window_overlap": partial(checks.integer, low=0, high=MAX_FRAMES),
        "color_correction_strength": _amount,
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


def check(key: str, value: Any, place: str = "", *, field: str | None = None) -> Any:
    """Return a parameter's value when its type and range are right; refuse it by name if not.

    A key that is not in `TYPES` passes: it belongs to an engine that knows it.

    Args:
        key: The parameter.
        value: Its value; not None.
        place: Dotted path of the object that holds it.
        field: The whole dotted path, where the key stands under another name.
    """
    rule = TYPES.get(key)
    where = field if field is not None else f"{place}.{key}" if place else key
    return value if rule is None else rule(where, value)


def refuse_unknown_to(engine: str, key: str, value: Any, field: str) -> None:
    """Refuse a value that only WGP would act on, when the engine is another."""
    neutral = WGP_ONLY.get(key)
    if engine == WGP or neutral is None or neutral.values is None or value in neutral.values:
        return
    accepted = " or ".join(repr(item) for item in neutral.values)
    problem = f"only the engine {WGP} knows {key}; the engine {engine} takes {accepted} alone"
    raise InvalidParameter(field, value, problem)
