"""The same generation and encoding without the worker: one a line of input, its seconds out.

Run as a program by `test_worker_overhead.py`: argv is the folder of models, then the request's
size, frames and steps; each line of input names the picture and where the video goes.
"""

import sys
import time
from pathlib import Path

from PIL import Image

from worker.engines.base import Inputs
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.output.video import write_thumbnail, write_video
from worker.params.layers import Layer
from worker.params.resolve import resolve


class Silent:
    """An observer that nobody listens to."""

    def check_cancelled(self) -> None:
        """Never cancelled."""

    def step(self, index: int, count: int) -> None:
        """Tell nobody."""


def main(models: str, resolution: str, frames: str, steps: str) -> None:
    """Load the model once, then generate as often as is asked."""
    catalog = Catalog.load()
    engine = DiffusersWanEngine(catalog, models_dir=Path(models), device="cpu", threads=1)
    engine.load("tiny_i2v")
    asked = {
        "prompt": "a clock that ticks",
        "resolution": resolution,
        "video_length": int(frames),
        "num_inference_steps": int(steps),
    }
    request = resolve(
        catalog.get("tiny_i2v"), [Layer(source="task", values=asked)], draw_seed=lambda: 1
    )
    print("ready", flush=True)
    for line in sys.stdin:
        picture, video = line.split()
        began = time.perf_counter()
        inputs = Inputs(start_image=Image.open(picture).convert("RGB"))
        generated = engine.generate(request, inputs, Silent())
        write_video(generated.frames, Path(video), fps=request.fps, metadata={})
        write_thumbnail(generated.frames[0], Path(video).with_suffix(".jpg"))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
