"""Generates again and again with a stand-in checkout, recorded and not; prints processor seconds.

Run in the checkout's interpreter, as a task process is: its only argument is an order as JSON.
"""

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from telemetry import Recorder
from worker.engines.base import Inputs
from worker.engines.wan2gp.engine import Wan2gpEngine
from worker.params.layers import Layer
from worker.params.resolve import resolve
from worker.video import ffmpeg

MODEL = "i2v_standin"


class _Unwatched:
    def check_cancelled(self) -> None:
        """Go on."""

    def step(self, index: int, count: int) -> None:
        """Tell nobody."""

    def decoded(self, frames: object) -> None:
        """Show nobody."""


def main(order: dict[str, Any]) -> None:
    """Take turns: calls that are recorded and ones that are not, with few steps and with many."""
    ffmpeg.use(order["ffmpeg"])
    engine = Wan2gpEngine(
        checkout=order["checkout"], config="", args=[], outputs=order["outputs"], device="cpu"
    )
    engine.device()
    took: dict[str, list[float]] = {}
    for _ in range(order["rounds"]):
        for steps in order["steps"]:
            for recorded in (True, False):
                with _recording(Path(order["spool"])) if recorded else contextlib.nullcontext():
                    name = f"{steps} {'recorded' if recorded else 'alone'}"
                    took.setdefault(name, []).append(_seconds(engine, steps))
    sys.__stdout__.write(json.dumps(took))


@contextlib.contextmanager
def _recording(spool: Path) -> Any:
    recorder = Recorder.open(spool, role="task")
    recorder.install()
    with recorder.task(
        task_id="a", attempt=1, task_type="i2v", trace_id=bytes(15) + b"\1", worker_id="w"
    ):
        yield
    recorder.close()


def _seconds(engine: Wan2gpEngine, steps: int) -> float:
    definition = engine.model_def(MODEL)
    asked = {"prompt": "a red ball", "num_inference_steps": steps, "resolution": "64x48"}
    request = resolve(
        definition, [Layer(source="task", values=asked)], draw_seed=lambda: 1, recorded=False
    )
    inputs = Inputs(start_image=Image.new("RGB", (64, 48), "red"))
    engine.load(MODEL)
    start = time.process_time()  # of all threads, and none of what else the machine does
    engine.generate(request, inputs, _Unwatched())
    return time.process_time() - start


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
