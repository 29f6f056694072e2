"""Every parameter that is known: its type, its limits, and what it does.

The limits are there to catch accidents (a seed for a step count), not to teach taste.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from worker.errors import InvalidParameter
from worker.params import checks
from worker.params.frames import MAX_FRAMES
from worker.params.resolution import MAX_SIDE, parse_resolution
from worker.params.schedules import MAX_STEPS, SOLVERS

MAX_SEED = 2**32 - 1
DRAWN = -1  # the seed that asks for a random one


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    Attributes:
        name: As engines and requests name it.
        accepts: Type and limits, for people.
        does: What it does, one sentence.
        check: Returns a value whose type and range are right, given its dotted path and the
            value; raises `InvalidParameter` otherwise.
    """

    name: str
    accepts: str
    does: str
    check: Callable[[str, Any], Any]


def _integer(name: str, low: int, high: int, does: str) -> Parameter:
    return Parameter(
        name=name,
        accepts=f"integer, {low} to {high}",
        does=does,
        check=partial(checks.integer, low=low, high=high),
    )


def _number(name: str, low: float, high: float, does: str) -> Parameter:
    return Parameter(
        name=name,
        accepts=f"number, {low:g} to {high:g}",
        does=does,
        check=partial(checks.number, low=low, high=high),
    )


def _text(name: str, does: str) -> Parameter:
    accepts = f"text, at most {checks.MAX_TEXT} characters"
    return Parameter(name=name, accepts=accepts, does=does, check=checks.text)


def _solver(field: str, value: Any) -> str:
    name = checks.text(field, value)
    if name and name not in SOLVERS:
        raise InvalidParameter(field, value, f"must be one of {', '.join(SOLVERS)}")
    return name


def engines_solver(field: str, value: Any) -> str:
    """Return the name of a solver of ours, or of one that only the engine knows."""
    name = checks.text(field, value)
    return checks.name(field, name) if name else name


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


def _by_name(parameters: Iterable[Parameter]) -> Mapping[str, Parameter]:
    return MappingProxyType({parameter.name: parameter for parameter in parameters})


PARAMETERS: Final = _by_name(
    (
        _text("prompt", "What the video shows, with the texts before and after it joined."),
        _text("negative_prompt", "What the video is steered away from, where guidance is above 1."),
        Parameter(
            name="resolution",
            accepts=f'text "WxH", each side up to {MAX_SIDE}',
            does="Size in pixels; each side is floored to the model's multiple, 16.",
            check=_resolution,
        ),
        _integer("video_length", 1, MAX_FRAMES, "Frames; floored to 4N + 1, at least 5."),
        _number("fps", 1, 240, "Frames per second of the output."),
        _integer("seed", DRAWN, MAX_SEED, "Seed of the noise; -1 draws one from the task's id."),
        _integer("num_inference_steps", 1, MAX_STEPS, "Denoising steps, over all phases."),
        Parameter(
            name="sample_solver",
            accepts=f'one of {", ".join(SOLVERS)}; "" is unipc; wan2gp has more',
            does="The solver that steps from noise to video, and so the timesteps.",
            check=_solver,
        ),
        _number(
            "flow_shift", 0.001, 1000, "Moves the timesteps towards noise; causvid ignores it."
        ),
        _integer("guidance_phases", 1, 3, "Number of phases that the steps are divided into."),
        _number("guidance_scale", 0, 100, "Guidance in phase 1; 1 is none, and half the work."),
        _number("guidance2_scale", 0, 100, "Guidance in phase 2."),
        _number("guidance3_scale", 0, 100, "Guidance in phase 3."),
        _number(
            "switch_threshold", 0, 1000, "Phase 2 begins at the first timestep at or under it."
        ),
        _number(
            "switch_threshold2", 0, 1000, "Phase 3 begins at the first timestep at or under it."
        ),
        _integer("model_switch_phase", 1, 3, "Last phase of the high-noise expert."),
        Parameter(
            name="activated_loras",
            accepts="list of paths or http(s) URLs of .safetensors files",
            does="LoRAs, in the order in which they are applied.",
            check=_texts,
        ),
        Parameter(
            name="loras_multipliers",
            accepts="list, or text with blanks between; none at all is 1.0 for each",
            does='Strength of each LoRA: "1.2;0" by phase, "1,0.5,0" by step within a phase.',
            check=_multipliers,
        ),
        _number("settings_version", 0, 1_000_000, "Version stamp of the settings file."),
        _integer("repeat_generation", 1, 1000, "Videos per task: one, of every engine."),
        _integer("multi_images_gen_type", 0, 100, "How several pictures become several videos."),
        _text("skip_steps_cache_type", "Kind of the cache by which similar steps are skipped."),
        _number("skip_steps_multiplier", 0, 1000, "How many steps that cache skips."),
        _number("skip_steps_start_step_perc", 0, 100, "Share of the steps before it begins."),
        _integer("RIFLEx_setting", 0, 100, "Position encoding for videos longer than trained on."),
        _integer("slg_switch", 0, 100, "Skip layer guidance, on or off."),
        Parameter(
            name="slg_layers",
            accepts="list of integers, 0 to 10000",
            does="The layers that it skips.",
            check=_integers,
        ),
        _number("slg_start_perc", 0, 100, "Share of the steps at which it begins."),
        _number("slg_end_perc", 0, 100, "Share of the steps at which it ends."),
        _text("audio_prompt_type", "Where sound comes from."),
        _text("image_prompt_type", "Which pictures are given: S start, E end."),
        _text("video_prompt_type", "What a control video is used for."),
        _integer("sliding_window_overlap", 0, MAX_FRAMES, "Frames that two windows share."),
        _number("color_correction_strength", 0, 1000, "Colour correction between windows."),
    )
)
