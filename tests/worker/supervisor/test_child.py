"""What a task process prints, and its end, as its supervisor hears of them."""

import io
import os
import queue
import signal
from pathlib import Path

import pytest

from telemetry.recorder.redaction import LineRedactor
from worker.composition import configure
from worker.settings import Settings
from worker.supervisor.child import (
    LONGEST_LINE,
    Child,
    ChildEvent,
    Exited,
    Printed,
    TaskProgram,
    lines_of,
)

# A library's helper that leaves the session and holds what it has inherited.
LEAVES_A_HELPER = """
import os, sys, time
if "worker.process" in sys.orig_argv:
    helper = os.fork()
    if not helper:
        os.setsid()
        time.sleep(600)
    print("helper", helper, flush=True)
    os._exit(3)
"""


def test_an_end_is_told_whatever_a_descendant_holds(tmp_path: Path) -> None:
    """Socket and pipes stay open; that the process is gone is known all the same."""
    (tmp_path / "sitecustomize.py").write_text(LEAVES_A_HELPER)
    inbox: queue.SimpleQueue[ChildEvent] = queue.SimpleQueue()
    child = Child(
        configure(Settings(home=tmp_path / "home"), "worker"),
        inbox,
        program=TaskProgram(environment={**os.environ, "PYTHONPATH": str(tmp_path)}),
    )
    printed = inbox.get(timeout=60)
    assert isinstance(printed, Printed)
    helper = int(printed.line.removeprefix("helper "))
    try:
        exited = inbox.get(timeout=60)
        os.kill(helper, 0)  # it is still there
    finally:
        os.kill(helper, signal.SIGKILL)
    assert isinstance(exited, Exited)
    assert exited.returncode == 3
    assert list(child.last_words) == [printed.line]


def printed(text: str) -> list[str]:
    """Return the lines that a process is said to have printed."""
    redact = LineRedactor()
    pieces = lines_of(io.BytesIO(text.encode()))
    return [redact(raw.decode().rstrip(), ended=ended) for raw, ended in pieces]


SECRET = "Correct0Horse1Battery2Staple3"  # noqa: S105 - one that was made up


@pytest.mark.parametrize("form", ["password={}", "postgresql://u:{}@h.example/db", "--token {}"])
@pytest.mark.parametrize("cut", range(-8, 72, 8))
def test_no_half_is_left_of_a_long_line_that_is_printed(form: str, cut: int) -> None:
    """Wherever in the secret it is cut; what stands further before and after is shown."""
    text = form.replace("{}", SECRET)
    before = "b" * (LONGEST_LINE - len("begin ") - 1 - cut)
    found = printed(f"begin {before} {text} {'a' * 9000} end\nafter\n")

    parts = {SECRET[at : at + 8] for at in range(len(SECRET) - 7)}
    assert not any(part in line for part in parts for line in found)
    assert (found[0][:5], found[-2][-3:], found[-1]) == ("begin", "end", "after")


def test_a_progress_bar_is_no_long_line() -> None:
    """It goes back to its beginning; nothing of it is left out, nor what is said after it."""
    bars = "".join(f"\r{number:6} of 20000" for number in range(20_000))
    found = printed(f"{bars}\rterminate called")

    assert "".join(found).replace("\r", "") == f"{bars}terminate called".replace("\r", "")
    assert len(found) > len(bars) // LONGEST_LINE
