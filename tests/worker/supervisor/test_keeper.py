"""The keeper ends a task process that does not end by itself, and says whose doing an end was."""

import os
import queue
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry import death
from telemetry.testing import wait_until
from worker.composition import configure
from worker.settings import Settings
from worker.supervisor import keeper as keeper_module
from worker.supervisor.child import ChildEvent, Exited
from worker.supervisor.keeper import Keeper

# A task process that hears nothing, as one whose driver hangs at its end.
STAYS = """
import sys, time
if "worker.process" in sys.orig_argv:
    time.sleep(600)
"""


@pytest.fixture
def inbox() -> "queue.SimpleQueue[ChildEvent]":
    """Return where a task process's end is told."""
    return queue.SimpleQueue()


@pytest.fixture
def keeper(tmp_path: Path, inbox: "queue.SimpleQueue[ChildEvent]") -> Iterator[Keeper]:
    """Start a task process that stays, and take it for ready."""
    (tmp_path / "sitecustomize.py").write_text(STAYS)
    keeper = Keeper(
        configure(Settings(home=tmp_path / "home"), "worker"),
        inbox,
        start_timeout_s=600,
        environment={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    keeper.tend()
    keeper.became_ready()
    yield keeper
    keeper.end(busy=True)


def test_one_that_was_told_to_end_and_stays_is_ended(
    keeper: Keeper, inbox: "queue.SimpleQueue[ChildEvent]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its successor would never come, and the worker would be idle for ever."""
    monkeypatch.setattr(keeper_module, "LEAVE_WAIT_S", 0.01)
    keeper.retire()
    wait_until(lambda: keeper.watch() or keeper.hang)
    exited = inbox.get(timeout=60)
    assert isinstance(exited, Exited)
    end = keeper.end_of(exited.returncode)
    assert (end.kind, end.signal) == (death.HANG, "SIGKILL")
    assert "told to end" in end.message


def test_the_end_of_a_busy_one_at_a_stop_is_its_supervisors_doing(keeper: Keeper) -> None:
    """Nobody killed it from outside."""
    assert keeper.end(busy=True)
    assert keeper.end_of(-signal.SIGKILL).kind == death.STOPPED


def test_an_end_before_the_stop_is_what_it_was(keeper: Keeper) -> None:
    """It died at the very moment."""
    os.kill(keeper.pid, signal.SIGKILL)
    assert keeper.child is not None
    assert keeper.child.wait(60)
    assert keeper.end(busy=True)
    assert keeper.end_of(-signal.SIGKILL).kind == "sigkill"
