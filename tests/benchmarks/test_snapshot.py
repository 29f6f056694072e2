"""What it costs to take the locals of a frame down: an engine's 395, and 500 tensors."""

import time
from types import FrameType
from typing import Any

import msgspec
import pytest

from telemetry.recorder.locals import Snapshot
from telemetry.recorder.redaction import Redactor
from tests.benchmarks.conftest import Bench

pytestmark = pytest.mark.benchmark("A4")


def frame_of(values: list[Any]) -> FrameType:
    """Return the frame of a function that has each of the values in a local of its own."""
    names = [f"local_{number}" for number in range(len(values))]
    body = "".join(f"    {name} = values[{n}]\n" for n, name in enumerate(names))
    space: dict[str, Any] = {}
    exec(f"import sys\ndef hold(values):\n{body}    return sys._getframe()\n", space)  # noqa: S102 - a function with as many locals as an engine has
    frame = space["hold"](values)
    assert isinstance(frame, FrameType)
    return frame


def test_snapshots(bench: Bench) -> None:
    """On the processor, and in the journal."""
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(4, 16, 60, 104)
    kinds = [7, "guidance_phases", None, 0.5, {"a": None}, [1, 2, 3], tensor, b"x" * 100]
    frames = {
        "395 locals": frame_of([kinds[number % len(kinds)] for number in range(395)]),
        "500 tensors": frame_of([tensor] * 500),
    }
    for name, frame in frames.items():
        times = []
        for _ in range(bench.pick(31, 3)):
            begun = time.process_time()
            found = Snapshot(Redactor()).of_frame(frame)
            times.append((time.process_time() - begun) * 1e3)
        size = len(msgspec.msgpack.encode(found)) / 1024
        bench.add("the locals of a frame, taken down (processor time)", "ms", times, size=name)
        bench.add("the locals of a frame, in the journal", "KiB", [size], size=name)
