"""What it costs to take the locals of a frame down: an engine's 395, and 500 tensors."""

import time
from statistics import median
from types import FrameType
from typing import Any

import msgspec
import pytest

from telemetry.recorder.locals import Snapshot
from telemetry.recorder.redaction import Redactor

ROUNDS = 31

pytestmark = pytest.mark.benchmark


def frame_of(values: list[Any]) -> FrameType:
    """Return the frame of a function that has each of the values in a local of its own."""
    names = [f"local_{number}" for number in range(len(values))]
    body = "".join(f"    {name} = values[{n}]\n" for n, name in enumerate(names))
    space: dict[str, Any] = {}
    exec(f"import sys\ndef hold(values):\n{body}    return sys._getframe()\n", space)  # noqa: S102 - a function with as many locals as an engine has
    frame = space["hold"](values)
    assert isinstance(frame, FrameType)
    return frame


def test_snapshots() -> None:
    """Milliseconds on the processor, and kilobytes in the journal."""
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(4, 16, 60, 104)
    kinds = [7, "guidance_phases", None, 0.5, {"a": None}, [1, 2, 3], tensor, b"x" * 100]
    frames = {
        "395 locals": frame_of([kinds[number % len(kinds)] for number in range(395)]),
        "500 tensors": frame_of([tensor] * 500),
    }
    for name, frame in frames.items():
        times = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            found = Snapshot(Redactor()).of_frame(frame)
            times.append(time.process_time() - begun)
        size = len(msgspec.msgpack.encode(found)) / 1024
        print(
            f"\n{name}: first {times[0] * 1e3:.1f} ms, median {median(times) * 1e3:.1f}, "
            f"least {min(times) * 1e3:.1f}; {size:.1f} KB, {len(found)} names"
        )
