"""How a replay is shown."""

import io

import msgspec
import pytest
from rich.console import Console

from telemetry.reports.findings import Location
from worker.cli.replay_view import page_of
from worker.replay.defaults import DefaultsSeen
from worker.replay.verdict import SAME, WAITED, FailureSeen, Replayed

THEN = FailureSeen(
    kind="exception",
    type="AcceleratorError",
    message="CUDA error: device-side assert triggered",
    place="raised at",
    location=Location(file="/app/denoise.py", line=88, function="run"),
    stage="generate",
    expression="",
    fingerprint="592c49f2bd5b84cf",
)
MOVED = msgspec.structs.replace(
    THEN, location=Location(file="/app/kernels.py", line=7, function="gather")
)
REWORDED = msgspec.structs.replace(THEN, message="CUDA error: device-side assert triggered. Again")
NOTHING_WAITED = "no CUDA was used: nothing waited"


def shown(now: FailureSeen, blocking: str) -> str:
    """Show a replay that failed in the same way."""
    found = Replayed(
        task="t1",
        asked="t1",
        type="travel_segment",
        attempt=1,
        verdict=SAME,
        as_recorded=True,
        says="it failed in the same way",
        means="",
        recorded=THEN,
        replayed=now,
        differences=[],
        missing=[],
        altered=[],
        inputs=[],
        defaults=DefaultsSeen(says="as then", exact=True, digest_then="", digest_now=""),
        record="",
        params_from="the journal",
        engine="wan2gp",
        device="NVIDIA H200",
        blocking=blocking,
        at="",
        seconds=1.0,
        seconds_then=1.0,
        conclusive=True,
    )
    out = io.StringIO()
    Console(file=out, width=200, color_system=None).print(page_of(found))
    return out.getvalue()


def test_a_line_that_moved_where_calls_waited_is_said_to_be_another() -> None:
    """And that they waited, so that the reader can conclude."""
    text = shown(MOVED, WAITED)
    assert "now, at another line with CUDA's calls waiting: AcceleratorError" in text
    assert "raised at /app/kernels.py:7 in gather" in text


def test_the_same_line_where_calls_waited_is_said_to_be_that() -> None:
    """It was true before."""
    text = shown(REWORDED, WAITED)
    assert "now, at the same line with CUDA's calls waiting: AcceleratorError" in text


def test_a_librarys_line_is_told_with_the_one_that_called_it() -> None:
    """As in every report."""
    own = Location(file="/wgp/vae.py", line=19, function="decode")
    text = shown(msgspec.structs.replace(MOVED, own=own), WAITED)
    assert "/app/kernels.py:7 in gather, called at /wgp/vae.py:19 in decode, stage generate" in text


@pytest.mark.parametrize("blocking", ["", NOTHING_WAITED])
@pytest.mark.parametrize("now", [MOVED, REWORDED])
def test_where_nothing_waited_nothing_is_said_of_it(now: FailureSeen, blocking: str) -> None:
    """Though somebody wished it."""
    text = shown(now, blocking)
    assert "now: AcceleratorError" in text
    assert "line with" not in text
    assert "true line" not in text


@pytest.mark.parametrize("blocking", ["", NOTHING_WAITED, WAITED])
def test_one_failure_is_told_once(blocking: str) -> None:
    """Where both are the same in all."""
    text = shown(THEN, blocking)
    assert text.count("AcceleratorError") == 1
    assert "then and now: AcceleratorError" in text
