"""What our loop, its spans and the video file cost beside the pipeline's own call."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from telemetry import Recorder
from worker.engines.base import Inputs
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.tiny import build_tiny_pipeline
from worker.output.video import write_video
from worker.params.request import GenerationRequest, Schedule, Step
from worker.params.schedules import threshold, timesteps

WIDTH, HEIGHT, FRAMES, STEPS, ROUNDS = 160, 96, 17, 6, 7


class _Unwatched:
    def check_cancelled(self) -> None:
        """Go on."""

    def step(self, index: int, count: int) -> None:
        """Tell nobody."""


def _request() -> GenerationRequest:
    counted = timesteps("unipc", 5.0, STEPS)
    steps = tuple(
        Step(
            index=index, timestep=tau, phase=1 + index // 3, guidance_scale=1.0,
            expert="high" if index < 3 else "low",
        )
        for index, tau in enumerate(counted.timesteps)
    )  # fmt: skip
    return GenerationRequest(
        engine="diffusers", model="tiny_i2v", prompt="a red ball", negative_prompt="",
        width=WIDTH, height=HEIGHT, frames=FRAMES, fps=16.0, seed=1,
        schedule=Schedule(
            solver="unipc", shift=5.0, steps=steps, sigmas=counted.sigmas,
            switch_threshold=threshold(counted.timesteps[2], counted.timesteps[3]),
            switch_threshold2=None,
        ),
    )  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken)


@pytest.mark.benchmark
def test_engine_beside_the_pipeline(tmp_path: Path) -> None:
    """Print seconds a video: the engine with its journal, the pipeline's own call, the file."""
    catalog, request = Catalog.load(), _request()
    picture = Image.new("RGB", (WIDTH, HEIGHT), (200, 40, 40))
    engine = DiffusersWanEngine(catalog, models_dir=tmp_path, device="cpu", threads=1)
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    start = time.perf_counter()
    engine.load("tiny_i2v")
    loaded = time.perf_counter() - start
    frames = engine.generate(request, Inputs(start_image=picture), _Unwatched()).frames
    ours = _seconds(lambda: engine.generate(request, Inputs(start_image=picture), _Unwatched()))
    recorder.close()
    theirs = _seconds(lambda: _pipeline_call(catalog, tmp_path, picture))
    file = _seconds(lambda: write_video(frames, tmp_path / "out.mp4", fps=16, metadata={}))
    print(f"\nbuild and load {loaded:.2f} s; {WIDTH}x{HEIGHT}, {FRAMES} frames, {STEPS} steps:")
    print(f"engine {ours:.3f} s, pipeline {theirs:.3f} s, ratio {ours / theirs:.3f}")
    print(f"video file, written and verified {file:.3f} s")
    assert frames.dtype == np.uint8


_pipelines: dict[Path, Any] = {}


def _pipeline_call(catalog: Catalog, models_dir: Path, picture: Image.Image) -> object:
    if models_dir not in _pipelines:
        folder = build_tiny_pipeline(catalog.get("tiny_i2v"), models_dir)
        loader: Any = diffusers.WanImageToVideoPipeline
        _pipelines[models_dir] = loader.from_pretrained(folder, local_files_only=True)
        _pipelines[models_dir].set_progress_bar_config(disable=True)
    return _pipelines[models_dir](
        image=picture, prompt="a red ball", width=WIDTH, height=HEIGHT, num_frames=FRAMES,
        num_inference_steps=STEPS, guidance_scale=1.0, output_type="np",
        generator=torch.Generator("cpu").manual_seed(1),
    )  # fmt: skip
