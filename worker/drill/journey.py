"""The incident's tasks: a journey of 13 segments with three LoRAs, and a segment of it again."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from worker.drill.running import OVERRIDES
from worker.inputs.lora_files import SUFFIX
from worker.task import INDIVIDUAL_SEGMENT, ORCHESTRATOR, NewTask

SEGMENTS: Final = 13
SECOND: Final = 2  # the segment that is made again alone
# Each LoRA's strength by phase, None where a phase does not list it, and what that comes to.
LORAS: Final[Mapping[str, Sequence[str | None]]] = {
    f"drill-high{SUFFIX}": ("1.2", None),
    f"drill-both{SUFFIX}": ("1.05", "1.05"),
    f"drill-low{SUFFIX}": (None, "1.0"),
}
MULTIPLIERS: Final = ("1.2;0", "1.05;1.05", "0;1.0")
_FRAMES: Final = 81
_PICTURE: Final = "picture.png"
_PROMPT: Final = "a walk along the shore at dusk"
_OF_JOURNEY: Final = ("parsed_resolution_wh", "num_inference_steps")
# One tensor of one number: all that a .safetensors file must have.
_HEADER: Final = {"lora": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """The files that a journey is made from: the picture, and its LoRAs in their order."""

    picture: Path
    loras: tuple[Path, ...]


def lay_out(folder: Path) -> Laid:
    """Write a journey's picture and LoRAs into a folder; those of an earlier drill are replaced."""
    picture = folder / f"drill-{_PICTURE}"
    with as_file(files("worker.drill") / _PICTURE) as packaged:
        shutil.copyfile(packaged, picture)
    loras = tuple(folder / name for name in LORAS)
    for lora in loras:
        lora.write_bytes(_lora())
    return Laid(picture=picture, loras=loras)


def journey(model: str, laid: Laid) -> NewTask:
    """Return the journey's task."""
    details: dict[str, Any] = {
        "model_name": model,
        "run_id": "drill",
        "num_new_segments_to_generate": SEGMENTS,
        "segment_frames_expanded": [_FRAMES] * SEGMENTS,
        "frame_overlap_expanded": [0] * (SEGMENTS - 1),
        "independent_segments": True,
        "base_prompts_expanded": [_PROMPT] * SEGMENTS,
        "negative_prompts_expanded": [""] * SEGMENTS,
        "input_image_paths_resolved": [str(laid.picture)] * (SEGMENTS + 1),
        "seed_base": OVERRIDES["seed_to_use"],
        "phase_config": _phase_config(laid.loras),
        **{name: OVERRIDES[name] for name in _OF_JOURNEY},
    }
    return NewTask(task_type=ORCHESTRATOR, params={"orchestrator_details": details})


def segment_again(model: str, of: NewTask) -> NewTask:
    """Make one of a journey's segments again alone: nobody's child, it reads what the plan says."""
    params = {
        "model_name": model,
        "orchestrator_task_id_ref": str(of.id),
        "segment_index": SECOND,
        "base_prompt": _PROMPT,
    }
    return NewTask(task_type=INDIVIDUAL_SEGMENT, params=params)


def _phase_config(loras: Sequence[Path]) -> dict[str, Any]:
    """Return the incident's phases, each with the LoRAs that it lists."""
    plain = OVERRIDES["phase_config"]
    phases = [{**phase, "loras": _listed(loras, at)} for at, phase in enumerate(plain["phases"])]
    return {**plain, "phases": phases}


def _listed(loras: Sequence[Path], phase: int) -> list[dict[str, str]]:
    strengths = ((str(lora), LORAS[lora.name][phase]) for lora in loras)
    return [{"url": url, "multiplier": given} for url, given in strengths if given is not None]


def _lora() -> bytes:
    header = json.dumps(_HEADER).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)
