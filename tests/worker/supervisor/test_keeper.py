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
from worker.errors import EXIT_CONFIGURATION
from worker.settings import Settings
from worker.supervisor import keeper as keeper_module
from worker.supervisor.child import ChildEvent, Exited, Printed, TaskProgram
from worker.supervisor.keeper import Keeper
from worker.task import Failure

# A task process that hears nothing, as one whose driver hangs at its end.
STAYS = """
import sys, time
if "worker.process" in sys.orig_argv:
    time.sleep(600)
"""
# One that repeats whether its CUDA calls wait, as it was told.
REPEATS = """
import json, os, socket, sys
if "worker.process" in sys.orig_argv:
    said = socket.socket(fileno=int(sys.orig_argv[-1])).makefile().readline()
    print(json.loads(said)["calls_wait"], flush=True)
    os._exit(0)
"""


# One whose interpreter will not do.
REFUSES = """
import os, sys
if "worker.process" in sys.orig_argv:
    print("something else is said before it", flush=True)
    os.write(2, b"numpy is missing\\n")
    os._exit({code})
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
        program=TaskProgram(environment={**os.environ, "PYTHONPATH": str(tmp_path)}),
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


@pytest.mark.parametrize(
    ("given", "retired", "told"),
    [({}, False, "False"), ({}, True, "True"), ({"CUDA_LAUNCH_BLOCKING": "1"}, False, "True")],
    ids=["as a rule", "to find a line", "by the operator"],
)
def test_a_task_process_is_told_whether_its_calls_wait(
    tmp_path: Path,
    inbox: "queue.SimpleQueue[ChildEvent]",
    given: dict[str, str],
    retired: bool,  # noqa: FBT001 - a case
    told: str,
) -> None:
    """It reads no environment for it: who starts it knows."""
    (tmp_path / "sitecustomize.py").write_text(REPEATS)
    environment = {key: os.environ[key] for key in os.environ if key != "CUDA_LAUNCH_BLOCKING"}
    keeper = Keeper(
        configure(Settings(home=tmp_path / "home"), "worker"),
        inbox,
        start_timeout_s=600,
        program=TaskProgram(environment={**environment, "PYTHONPATH": str(tmp_path), **given}),
    )
    keeper.retire(blocking=retired)
    keeper.tend()
    try:
        printed = inbox.get(timeout=60)
    finally:
        keeper.end(busy=True)
    assert isinstance(printed, Printed)
    assert printed.line == told


def started(code: int, tmp_path: Path, inbox: "queue.SimpleQueue[ChildEvent]") -> Keeper:
    """Start a task process that ends at once, and have its keeper know."""
    (tmp_path / "sitecustomize.py").write_text(REFUSES.format(code=code))
    keeper = Keeper(
        configure(Settings(home=tmp_path / "home"), "worker"),
        inbox,
        start_timeout_s=600,
        program=TaskProgram(environment={**os.environ, "PYTHONPATH": str(tmp_path)}),
    )
    keeper.tend()
    assert keeper.child is not None
    child = keeper.child
    while not isinstance(inbox.get(timeout=60), Exited):
        pass
    failure = Failure(kind="death", type="exit", message="it ended", sentence="it ended")
    keeper.exited(failure, list(child.last_words))
    return keeper


def test_one_whose_interpreter_will_not_do_is_not_started_again(
    tmp_path: Path, inbox: "queue.SimpleQueue[ChildEvent]"
) -> None:
    """No second try mends a configuration; its last words say what does."""
    keeper = started(EXIT_CONFIGURATION, tmp_path, inbox)
    assert keeper.given_up == "the task process cannot start: numpy is missing"
    assert keeper.exit_code == EXIT_CONFIGURATION
    keeper.tend()
    assert keeper.child is None


def test_one_that_ends_otherwise_is_tried_again(
    tmp_path: Path, inbox: "queue.SimpleQueue[ChildEvent]"
) -> None:
    """It may have been out of memory."""
    keeper = started(1, tmp_path, inbox)
    assert keeper.given_up == ""
