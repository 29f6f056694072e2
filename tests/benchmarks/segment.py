"""The segment that the benchmarks generate: as large as is quick on two processors."""

from typing import Any

RESOLUTION, FRAMES, STEPS = "256x160", 17, 6
DESCRIBED = f"a segment of {RESOLUTION}, {FRAMES} frames, {STEPS} steps"


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
