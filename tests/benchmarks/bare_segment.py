"""The same segment without the worker: one a line of input, its seconds out.

Run as a program by `test_segment.py`: argv is the way, the folder of models, then the request's
size, frames and steps; each line of input names the picture and where the video goes. The way is
`pipeline`, diffusers' own call and ffmpeg fed as its users do, or `engine`, ours with our file.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from worker.engines.base import Inputs
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.tiny import build_tiny_pipeline
from worker.params.layers import Layer
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve
from worker.video import ffmpeg
from worker.video.files import write_thumbnail, write_video

MODEL = "tiny_i2v"
CRF = 18
Segment = Callable[[Path, Path], None]


class Silent:
    """An observer that nobody listens to."""

    def check_cancelled(self) -> None:
        """Never cancelled."""

    def step(self, index: int, count: int) -> None:
        """Tell nobody."""

    def decoded(self, frames: object) -> None:
        """Show nobody."""


def by_engine(request: GenerationRequest, catalog: Catalog, models: Path) -> Segment:
    """Make segments with our engine, unrecorded, and our verified file."""
    engine = DiffusersWanEngine(catalog, models_dir=models, device="cpu", threads=1)
    engine.load(MODEL)

    def segment(picture: Path, video: Path) -> None:
        inputs = Inputs(start_image=Image.open(picture).convert("RGB"))
        frames = engine.generate(request, inputs, Silent()).frames
        write_video(frames, video, fps=request.fps, metadata={}, crf=CRF)
        write_thumbnail(frames[0], video.with_suffix(".jpg"))

    return segment


def by_pipeline(request: GenerationRequest, catalog: Catalog, models: Path) -> Segment:
    """Make segments with nothing of ours: diffusers' pipeline, and ffmpeg as it comes."""
    import diffusers

    torch.set_num_threads(1)
    loader: Any = diffusers.WanImageToVideoPipeline
    folder = build_tiny_pipeline(catalog.get(MODEL), models)
    pipeline = loader.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    steps = request.schedule.steps

    def segment(picture: Path, video: Path) -> None:
        made = pipeline(
            image=Image.open(picture).convert("RGB"),
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            width=request.width,
            height=request.height,
            num_frames=request.frames,
            num_inference_steps=len(steps),
            guidance_scale=steps[0].guidance_scale,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            output_type="np",
        )
        frames = (np.asarray(made.frames[0]) * 255).round().astype(np.uint8)
        plain_video(frames, video, request.fps)
        Image.fromarray(frames[0]).save(video.with_suffix(".jpg"), quality=90)

    return segment


def plain_video(frames: Any, video: Path, fps: float) -> None:
    """Encode frames as we do, and look at nothing afterwards."""
    _, height, width, _ = frames.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}"]
    coded = ["-c:v", "libx264", "-crf", str(CRF), "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    arguments = ["-y", *raw, "-i", "pipe:0", *coded, str(video)]
    with ffmpeg.fed(arguments, doing="the video cannot be written") as stdin:
        for frame in frames:
            stdin.write(frame.tobytes())


def main(way: str, models: str, resolution: str, frames: str, steps: str) -> None:
    """Load the model once, then generate as often as is asked."""
    catalog = Catalog.load()
    asked = {
        "prompt": "a clock that ticks",
        "resolution": resolution,
        "video_length": int(frames),
        "num_inference_steps": int(steps),
    }
    request = resolve(catalog.get(MODEL), [Layer(source="task", values=asked)], draw_seed=lambda: 1)
    make = {"engine": by_engine, "pipeline": by_pipeline}[way]
    segment = make(request, catalog, Path(models))
    print("ready", flush=True)
    for line in sys.stdin:
        picture, video = line.split()
        began = time.perf_counter()
        segment(Path(picture), Path(video))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
