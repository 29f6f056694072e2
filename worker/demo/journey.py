"""What the demo enqueues: the incident's phases and LoRAs, on a model built from a seed."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from worker.errors import ModelUnavailable
from worker.settings.environment import child_environment
from worker.task import ORCHESTRATOR, NewTask

MODEL = "tiny_i2v"
PICTURES = ("1-dawn.png", "2-noon.png", "3-dusk.png", "4-night.png")
PROMPTS = (
    "the sun climbs from the lake to its height",
    "the sun sinks, the sky turns red",
    "night falls over the lake, the moon comes up",
)
SEGMENT_FRAMES = 17
OVERLAP = 4
RESOLUTION = "160x96"
SEED = 20260224
FRAMES = len(PROMPTS) * SEGMENT_FRAMES - (len(PROMPTS) - 1) * OVERLAP

# Strength of each LoRA in phase 1 and in phase 2, None where the phase does not list it:
# '1.2;0', '1.05;1.05', '0;1.0'.
STRENGTHS: tuple[tuple[str | None, str | None], ...] = (
    ("1.2", None),
    ("1.05", "1.05"),
    (None, "1.0"),
)


def lay_out_pictures(folder: Path) -> list[Path]:
    """Copy the four pictures out of the package, so that people can look at them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in PICTURES:
        with as_file(files("worker.demo") / "pictures" / name) as picture:
            shutil.copyfile(picture, folder / name)
    return [folder / name for name in PICTURES]


def build_loras(models_dir: Path) -> list[Path]:
    """Build the three LoRAs, in a process of its own: this one must not load torch.

    Raises:
        ModelUnavailable: The engine's libraries are not installed, or it failed; says why.
    """
    done = subprocess.run(
        [sys.executable, "-m", "worker.demo.loras", str(models_dir)],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise ModelUnavailable(
            f"the demo's LoRAs cannot be built: {last}; the demo needs the engine's libraries: "
            "install loop26[diffusers]"
        )
    return [Path(line) for line in done.stdout.splitlines()]


def phase_config(loras: Sequence[Path]) -> dict[str, Any]:
    """Make the incident's phase config, with these LoRAs."""
    phases = [
        {
            "phase": number,
            "guidance_scale": 1,
            "loras": [
                {"url": str(lora), "multiplier": strengths[number - 1]}
                for lora, strengths in zip(loras, STRENGTHS, strict=True)
                if strengths[number - 1] is not None
            ],
        }
        for number in (1, 2)
    ]
    return {
        "num_phases": 2,
        "steps_per_phase": [3, 3],
        "flow_shift": 5,
        "sample_solver": "euler",
        "model_switch_phase": 1,
        "phases": phases,
    }


def journey(pictures: Sequence[Path], loras: Sequence[Path]) -> NewTask:
    """Make the orchestrator's task."""
    segments = len(PROMPTS)
    details = {
        "model_name": MODEL,
        "run_id": "demo",
        "parsed_resolution_wh": RESOLUTION,
        "num_new_segments_to_generate": segments,
        "segment_frames_expanded": [SEGMENT_FRAMES] * segments,
        "frame_overlap_expanded": [OVERLAP] * (segments - 1),
        "base_prompts_expanded": list(PROMPTS),
        "negative_prompts_expanded": [""] * segments,
        "input_image_paths_resolved": [str(picture) for picture in pictures],
        "seed_base": SEED,
        "phase_config": phase_config(loras),
    }
    return NewTask(task_type=ORCHESTRATOR, params={"orchestrator_details": details})
