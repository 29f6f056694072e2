"""The hand: what a supervisor does with the one task that it has, from claim to settle."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telemetry.records import ProcessEnd
from telemetry.spans import death_attributes
from worker.console import Console
from worker.errors import QueueUnavailable
from worker.messages import Finished, Progress, Started, outcome_of
from worker.supervisor.attempt import Attempt
from worker.supervisor.drain import drained
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.presence import Presence
from worker.supervisor.settling import Settled, Settler
from worker.task import Cancelled, Failure

RETRY_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Settle:
    """An attempt that is over and not settled yet."""

    write: Callable[[], Settled]
    outcome: str
    due_at: float = 0.0


class Hand:
    """Holds at most one attempt, keeps its lease, and settles it.

    A settle that finds the queue unreachable is tried again, for as long as it takes; meanwhile
    the attempt stays in hand, and nothing else is claimed.

    Attributes:
        attempt: The attempt in hand, or None.
        settled: How many attempts have been settled.
    """

    def __init__(
        self, settler: Settler, lease: LeaseKeeper, console: Console, presence: Presence
    ) -> None:
        self._settler = settler
        self._lease = lease
        self._console = console
        self._presence = presence
        self._settle: _Settle | None = None
        self.attempt: Attempt | None = None
        self.settled = 0

    @property
    def running(self) -> Attempt | None:
        """The attempt in hand while its task process is at work on it; None once it is over."""
        return self.attempt if self._settle is None else None

    @property
    def due_at(self) -> float | None:
        """When a settle is to be tried again, by the monotonic clock; None when there is none."""
        return self._settle.due_at if self._settle else None

    def take(self, attempt: Attempt, journal: Path | None) -> None:
        """Take an attempt that has just been claimed; `journal` is its task process's."""
        self.attempt = attempt
        attempt.note(journal)
        self._lease.keep(attempt.claim)
        self._console.claimed(attempt.claim.task)

    def hear(self, message: Progress | Started) -> None:
        """Take in how far the task in hand is. What is said of another task is passed over."""
        attempt = self.running
        if attempt is None or attempt.claim.token != message.token:
            _log.debug("a late %s is passed over", type(message).__name__)
        elif isinstance(message, Started):
            self._presence.model = message.model
            attempt.load_count = message.load_count
            self._lease.started()
        else:
            entered = attempt.advance(message)
            self._lease.progress(attempt.progress, at_once=entered)
            self._tell(attempt, message)

    def finish(self, message: Finished, journal: Path | None) -> None:
        """Settle the task by the outcome that its task process returned, its record drained."""
        attempt = self.running
        if attempt is None or attempt.claim.token != message.token:
            _log.warning("the outcome of a task that is not in hand is passed over")
            return
        outcome, task = outcome_of(message), attempt.claim.task
        facts: dict[str, Any] = {"attempt": task.attempts, "model_loads": attempt.load_count}
        if journal is not None:
            facts["record"] = drained(journal, task.id, task.attempts)
        self._settle_by(
            lambda: self._settler.settle(attempt, outcome, facts), type(outcome).__name__
        )

    def bury(self, failure: Failure, end: ProcessEnd) -> None:
        """Settle the task, if one was running, by the death of its task process."""
        attempt = self.running
        if attempt is None:
            return
        attempt.span.set(death_attributes(end))
        if attempt.cancel_reason:
            cancelled = Cancelled(reason=attempt.cancel_reason)
            self._settle_by(lambda: self._settler.settle(attempt, cancelled, {}), "Cancelled")
        else:
            self._settle_by(lambda: self._settler.settle_death(attempt, failure), "Died")

    def give_back(self, reason: str) -> None:
        """Give the running task back to the queue, and its attempt.

        An attempt whose settle waits for the queue keeps its note: the next supervisor reads it.
        """
        attempt = self.running
        if attempt is not None:
            self._settle_by(lambda: self._settler.release(attempt, reason), "Released")

    def settle_if_due(self) -> None:
        """Try again to settle what could not be settled before."""
        settle, attempt = self._settle, self.attempt
        if settle is None or attempt is None or time.monotonic() < settle.due_at:
            return
        try:
            settled = settle.write()
        except QueueUnavailable as trouble:
            settle.due_at = time.monotonic() + RETRY_S
            self.trouble(trouble)
            return
        self._let_go(attempt, settle.outcome, settled)

    def trouble(self, trouble: QueueUnavailable) -> None:
        """Say once that the queue cannot be reached, until it could be again."""
        if not self._presence.trouble:
            self._console.note("warning", f"the queue cannot be reached: {trouble}")
        self._presence.trouble = str(trouble)

    def _settle_by(self, write: Callable[[], Settled], outcome: str) -> None:
        self._lease.drop()  # settling extends it where that is needed
        self._settle = _Settle(write, outcome)
        self.settle_if_due()

    def _let_go(self, attempt: Attempt, outcome: str, settled: Settled) -> None:
        self._presence.trouble = ""
        self._settle = self.attempt = None
        self.settled += 1
        attempt.close(outcome)
        attempt.forget()
        self._console.settled(
            attempt.claim.task.id, outcome, settled.sentence, settled.location, attempt.seconds
        )

    def _tell(self, attempt: Attempt, message: Progress) -> None:
        self._console.progress(
            attempt.claim.task.id,
            message.stage,
            message.step,
            message.steps,
            attempt.fraction,
            attempt.progress["eta_s"],
        )
