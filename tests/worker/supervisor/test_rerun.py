"""A task that waits to be run again, blocking, is in nobody's way and nobody's loss."""

import io
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from worker.composition import configure
from worker.console import JsonConsole
from worker.messages import Finished, finished
from worker.settings import Settings
from worker.supervisor.attempt import Attempt
from worker.supervisor.child import TaskProgram
from worker.supervisor.hand import Hand
from worker.supervisor.hands import Hands
from worker.supervisor.health import HealthFile
from worker.supervisor.keeper import Keeper
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.presence import Presence
from worker.supervisor.rerun import Rerun
from worker.task import Failed, Failure, TaskStatus

from .conftest import Desk

POISONED = Failure(
    kind="exception", type="torch.AcceleratorError", message="an assert", sentence="an assert"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A task that CUDA has failed, and that waits for a process whose calls wait."""

    desk: Desk
    hand: Hand
    attempt: Attempt
    rerun: Rerun

    @property
    def row(self) -> tuple[TaskStatus, int, str | None]:
        """What the task is, how many attempts were counted, and what it has failed with."""
        task = self.desk.store.get(self.attempt.claim.task.id)
        return task.status, task.attempts, task.error_message


def told(attempt: Attempt) -> Finished:
    """Make what the process that failed has told."""
    failed = Failed(failure=POISONED)
    return finished(attempt.claim.token, failed, recycle="an assert", again=True)


@pytest.fixture
def waiting(desk: Desk, tmp_path: Path) -> Iterator[Waiting]:
    """Give a task that waits; no process is started."""
    console = JsonConsole(io.StringIO())
    lease = LeaseKeeper(
        desk.store, lease_s=60, heartbeat_s=10, check_s=1, on_lost=lambda _token, _reason: None
    )
    presence = Presence(desk.store, HealthFile(desk.recorder.writer.directory), "gpu")
    hand = Hand(desk.settler, lease, console, presence)
    keeper = Keeper(
        configure(Settings(home=tmp_path / "home"), "worker"),
        queue.SimpleQueue(),
        start_timeout_s=600,
        program=TaskProgram(environment={}),
    )
    request = desk.request()
    claim = desk.claim(request)
    attempt = Attempt.begin(desk.recorder, desk.store, request=request, claim=claim, asked_ns=1)
    hand.take(attempt, None)
    rerun = Rerun(Hands(hand), keeper, console)
    assert rerun.begin(told(attempt))
    yield Waiting(desk=desk, hand=hand, attempt=attempt, rerun=rerun)
    if hand.attempt is not None:
        attempt.close("Queued")


def test_while_it_waits_the_claim_stays_in_hand(waiting: Waiting) -> None:
    """It is nobody else's to take."""
    assert waiting.rerun.waits
    assert waiting.row == (TaskStatus.IN_PROGRESS, 1, None)


def test_without_a_process_it_fails_as_it_has_failed(waiting: Waiting) -> None:
    """Given back uncounted, it would poison one device after another."""
    waiting.rerun.give_up()
    assert not waiting.rerun.waits
    assert waiting.row == (TaskStatus.FAILED, 1, "an assert")


def test_one_that_was_cancelled_meanwhile_is_cancelled(waiting: Waiting) -> None:
    """What it has failed with is of no interest any more."""
    waiting.desk.store.cancel(waiting.attempt.claim.task.id)
    waiting.attempt.cancel_reason = "cancelled by the user"
    waiting.rerun.give_up()
    assert waiting.hand.attempt is None
    assert waiting.row[0] is TaskStatus.CANCELLED


def test_once_it_goes_on_there_is_nothing_to_give_up(waiting: Waiting) -> None:
    """The process that has it will tell."""
    waiting.rerun.go_on()
    waiting.rerun.give_up()
    assert waiting.row == (TaskStatus.IN_PROGRESS, 1, None)


def test_a_task_that_is_not_in_hand_does_not_wait(waiting: Waiting) -> None:
    """It was settled before its process has told."""
    waiting.rerun.give_up()
    assert not waiting.rerun.begin(told(waiting.attempt))
