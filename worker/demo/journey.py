"""What the demo enqueues: the incident's phases and multipliers, on the small trained model."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from worker.errors import ModelUnavailable
from worker.task import ORCHESTRATOR, NewTask

MODEL: Final = "shapes_i2v"
OVERLAP: Final = 2
SEED: Final = 20260224
# What the task process imports to make a video, and this one to lay out what it is made from.
_LIBRARIES: Final = ("PIL", "diffusers", "imageio_ffmpeg", "numpy", "peft", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The LoRA of a segment.

    Attributes:
        lora: The name of its file, less the suffix.
        strengths: In phase 1 and in phase 2; None where the phase does not list it.
    """

    lora: str
    strengths: tuple[str | None, str | None]

    def in_words(self) -> str:
        """Say it as the contact sheet does: "LoRA warm: 1.05 in phase 1, 1.05 in phase 2"."""
        said = (f"{value or 0} in phase {at}" for at, value in enumerate(self.strengths, start=1))
        return f"LoRA {self.lora}: {', '.join(said)}"


# One a segment, with the incident's multipliers: '1.2;0', '0;1.0', '1.05;1.05'. Phase 1 lays out
# where things are, so the LoRA that bends the path has its strength there.
EFFECTS: Final = (
    Effect(lora="leap", strengths=("1.2", None)),
    Effect(lora="warm", strengths=(None, "1.0")),
    Effect(lora="glow", strengths=("1.05", "1.05")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """The files that the journey is made from.

    Attributes:
        pictures: Four, in their order.
        loras: One a segment, in the order of `EFFECTS`.
    """

    pictures: tuple[Path, ...]
    loras: tuple[Path, ...]


def check_libraries() -> None:
    """Look whether a video can be made here.

    Raises:
        ModelUnavailable: The engine's libraries are not installed; says which.
    """
    absent = [name for name in _LIBRARIES if find_spec(name) is None]
    if absent:
        raise ModelUnavailable(
            f"the demo needs the engine's libraries, and {', '.join(absent)} cannot be imported: "
            "install loop26[diffusers]"
        )


def lay_out(folder: Path) -> Laid:
    """Copy pictures and LoRAs out of the package, so that people can look at them."""
    from worker.demo import story

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pictures = [f"{name}.png" for name in story.NAMES]
    loras = [f"{effect.lora}.safetensors" for effect in EFFECTS]
    for source, names in (
        (files("worker.demo") / "pictures", pictures),
        (files("worker.engines") / "trained" / "shapes_loras", loras),
    ):
        for name in names:
            with as_file(source / name) as packaged:
                shutil.copyfile(packaged, folder / name)
    return Laid(
        pictures=tuple(folder / name for name in pictures),
        loras=tuple(folder / name for name in loras),
    )


def phase_config(effect: Effect, lora: Path) -> dict[str, Any]:
    """Make the incident's phase config, with this LoRA."""
    phases = [
        {
            "phase": number,
            "guidance_scale": 1,
            "loras": [] if strength is None else [{"url": str(lora), "multiplier": strength}],
        }
        for number, strength in enumerate(effect.strengths, start=1)
    ]
    return {
        "num_phases": 2,
        "steps_per_phase": [3, 3],
        "flow_shift": 5,
        "sample_solver": "euler",
        "model_switch_phase": 1,
        "phases": phases,
    }


def journey(laid: Laid) -> NewTask:
    """Make the orchestrator's task."""
    from worker.demo import scenes, story

    segments = len(EFFECTS)
    details = {
        "model_name": MODEL,
        "run_id": "demo",
        "parsed_resolution_wh": f"{scenes.WIDTH}x{scenes.HEIGHT}",
        "num_new_segments_to_generate": segments,
        "segment_frames_expanded": [scenes.FRAMES] * segments,
        "frame_overlap_expanded": [OVERLAP] * (segments - 1),
        "base_prompts_expanded": list(story.PROMPTS),
        "negative_prompts_expanded": [""] * segments,
        "input_image_paths_resolved": [str(picture) for picture in laid.pictures],
        "seed_base": SEED,
        "phase_configs_expanded": _phase_configs(laid.loras),
    }
    return NewTask(task_type=ORCHESTRATOR, params={"orchestrator_details": details})


def frames_of_video() -> int:
    """Say how many frames the joined video must have."""
    from worker.demo import scenes

    return len(EFFECTS) * scenes.FRAMES - (len(EFFECTS) - 1) * OVERLAP


def _phase_configs(loras: Sequence[Path]) -> list[dict[str, Any]]:
    return [phase_config(effect, lora) for effect, lora in zip(EFFECTS, loras, strict=True)]
