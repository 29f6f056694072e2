"""The segment that the benchmarks generate: as large as is quick on two processors."""

from typing import Any

RESOLUTION, FRAMES, STEPS = "256x160", 17, 6
DESCRIBED = f"{RESOLUTION}, {FRAMES} frames, {STEPS} steps"
# What a segment takes on a GPU, of the incident's 81 frames at 896x496 in 6 steps.
GPU_SEGMENT_S, GPU_STEPS = 20.0, 6


def a_segment(picture: str) -> dict[str, Any]:
    """Make the task."""
    params = {
        "model_name": "tiny_i2v",
        "image_start": picture,
        "prompt": "a clock that ticks",
        "resolution": RESOLUTION,
        "video_length": FRAMES,
        "num_inference_steps": STEPS,
        "seed": 1,
    }
    return {"task_type": "i2v", "params": params}
