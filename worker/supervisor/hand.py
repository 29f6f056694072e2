"""The hand: what a supervisor does with the one task that it has, from claim to settle."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from opentelemetry.trace import SpanKind, StatusCode

from telemetry import names
from telemetry.records import ProcessEnd
from telemetry.spans import death_attributes
from worker.console import Console
from worker.errors import QueueForbidden, QueueIncompatible, QueueUnavailable
from worker.failure import failure_of, with_record
from worker.messages import Alive, Finished, Progress, Started, outcome_of
from worker.output.reading import with_readable_outputs
from worker.supervisor import note
from worker.supervisor.attempt import Attempt, queue_attributes
from worker.supervisor.drain import drained, record_attributes
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.presence import Presence
from worker.supervisor.settling import SUPERSEDED, LastWord, Settled, Settler
from worker.task import Cancelled, Claim, Failed, Failure, TaskStatus

RETRY_S = 1.0
_BADLY = ("Failed", "Retry", "Died")  # how an attempt may have ended
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Settle:
    """An attempt that is over and not settled yet."""

    write: Callable[[], Settled]
    outcome: str
    note: note.Note
    due_at: float = 0.0
    tries: int = 0


class Hand:
    """Holds at most one attempt, keeps its lease, and settles it.

    A settle that finds the queue unreachable is tried again, for as long as it takes; that of an
    outcome extends the lease each time. Meanwhile the attempt stays in hand, this worker sweeps
    nobody, its note tells the next supervisor what is to be told, and nothing else is claimed.

    `on_failed` is told of each task that has failed, once its record is whole; also of one whose
    failure the queue refused: it had fallen with another, or was somebody else's by then.

    Attributes:
        attempt: The attempt in hand, or None.
        settled: How many attempts have been settled.
    """

    def __init__(
        self,
        settler: Settler,
        lease: LeaseKeeper,
        console: Console,
        presence: Presence,
        *,
        on_failed: Callable[[UUID], None] = lambda _task_id: None,
    ) -> None:
        self._settler = settler
        self._on_failed = on_failed
        self._lease = lease
        self._console = console
        self._presence = presence
        self._directory = settler.recorder.writer.directory
        self._settle: _Settle | None = None
        self._journal = ""
        self._started_due = False
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
        self._journal = str(journal or "")
        self._started_due = False
        note.leave(self._directory, self._note(attempt))
        self._lease.keep(attempt.claim)
        self._console.claimed(attempt.claim.task)

    def wait(self, message: Finished) -> None:
        """Keep the task in hand for another process: what it has failed with is told by that.

        Where this worker dies meanwhile, the next one settles it by the message.
        """
        attempt = self.running
        if attempt is not None:
            note.leave(
                self._directory, msgspec.structs.replace(self._note(attempt), finished=message)
            )
            attempt.progress = {}
            attempt.span.add_event(names.BLOCKING_EVENT, {names.REASON: message.recycle})

    def move(self, journal: Path | None) -> None:
        """Have the task in hand be in another task process, whose journal this is."""
        self._journal = str(journal or "")
        if self.attempt is not None:
            note.leave(self._directory, self._note(self.attempt))

    def readable(self, claim: Claim) -> Claim:
        """Return a claim whose task process can read what earlier tasks have left."""
        return with_readable_outputs(claim, self._settler.storage)

    def hear(self, message: Progress | Alive | Started) -> None:
        """Take in how far the task in hand is. What is said of another task is passed over."""
        attempt = self.running
        if attempt is None or attempt.claim.token != message.token:
            _log.debug("a late %s is passed over", type(message).__name__)
        elif isinstance(message, Started):
            self._presence.model = message.model
            attempt.load_count = message.load_count
            self._lease.started()
        elif isinstance(message, Alive):
            attempt.goes_on(message)
            self._lease.progress(attempt.progress, at_once=False)
        else:
            entered = attempt.advance(message)
            self._lease.progress(attempt.progress, at_once=entered)
            self._tell(attempt, message)

    def finish(self, message: Finished) -> None:
        """Settle the task by the outcome that its task process returned, its record drained."""
        attempt = self.running
        if attempt is None or attempt.claim.token != message.token:
            _log.warning("the outcome of a task that is not in hand is passed over")
            return
        claim, record = attempt.claim, self._drained(attempt)
        outcome = with_record(outcome_of(message), record)
        facts = {
            "attempt": claim.task.attempts,
            "model_loads": attempt.load_count,
            "record": record,
        }
        left = msgspec.structs.replace(self._note(attempt), finished=message, facts=facts)
        self._settle_by(
            lambda: self._settler.settle(claim, outcome, facts, self._last_word(attempt)),
            type(outcome).__name__,
            left,
        )

    def quiet(self, seconds: float) -> None:
        """Have others see for how long the running task has made no progress."""
        attempt = self.running
        if attempt is not None and attempt.progress.get("quiet_s") != int(seconds):
            attempt.is_quiet(seconds)
            self._lease.progress(attempt.progress, at_once=False)
            self._console.quiet(attempt.claim.task.id, attempt.progress["quiet_s"])

    def refuse(self, exc: Exception) -> None:
        """Fail the task in hand for what it says, before its task process has heard of it."""
        attempt = self.running
        if attempt is None:
            return
        failed = Failed(failure=failure_of(self._settler.recorder.error(exc), exc))
        self._settle_by(lambda: self._settler.settle(attempt.claim, failed, {}), "Failed")

    def bury(self, failure: Failure, end: ProcessEnd) -> None:
        """Settle the task, if one was running, by the death of its task process."""
        attempt = self.running
        if attempt is None:
            return
        claim, reason = attempt.claim, attempt.cancel_reason
        attempt.span.set(death_attributes(end))
        failure = replace(failure, record=self._drained(attempt))
        if reason:
            cancelled = Cancelled(reason=reason)
            self._settle_by(lambda: self._settler.settle(claim, cancelled, {}), "Cancelled")
        else:
            self._settle_by(lambda: self._settler.settle_death(claim, failure), "Died")

    def give_back(self, reason: str) -> None:
        """Give the running task back to the queue, and its attempt."""
        attempt = self.running
        if attempt is not None:
            self._drained(attempt)
            left = msgspec.structs.replace(self._note(attempt), release=reason)
            self._settle_by(lambda: self._settler.release(attempt.claim, reason), "Released", left)

    def settle_if_due(self) -> None:
        """Try again to settle what could not be settled before."""
        settle, attempt = self._settle, self.attempt
        if settle is None or attempt is None or time.monotonic() < settle.due_at:
            return
        self._started_due |= self._lease.hand_over()  # that of an outcome extends it first
        began_ns = time.time_ns()
        settle.tries += 1
        try:
            settled = settle.write()
        except QueueUnavailable as trouble:
            settle.due_at = time.monotonic() + RETRY_S
            if settle.tries == 1:
                note.leave(self._directory, settle.note)
            self.trouble(trouble)
            return
        except (QueueForbidden, QueueIncompatible):
            # Nothing that this worker can mend; whoever is started next with the right settles it.
            note.leave(self._directory, settle.note)
            raise
        self._record(attempt, settle, settled, began_ns)
        self._let_go(attempt, settle, settled)

    def _drained(self, attempt: Attempt) -> dict[str, Any]:
        """Read the attempt's record to its end; its `process` span says how complete it is."""
        if not self._journal:
            return {}
        record = drained(Path(self._journal), attempt.claim.task)
        attempt.span.set(record_attributes(record))
        return record

    def trouble(self, trouble: QueueUnavailable) -> None:
        """Say once that the queue cannot be reached, until it could be again."""
        if not self._presence.trouble:
            self._console.note("warning", f"the queue cannot be reached: {trouble}")
        self._presence.trouble = str(trouble)

    def _settle_by(
        self, write: Callable[[], Settled], outcome: str, left: note.Note | None = None
    ) -> None:
        if self.attempt is not None:
            self._settle = _Settle(write, outcome, left or self._note(self.attempt))
            self.settle_if_due()

    def _record(self, attempt: Attempt, settle: _Settle, settled: Settled, began_ns: int) -> None:
        store, recorder = self._settler.store, self._settler.recorder
        attributes = {
            **queue_attributes(store, "settle", attempt.claim.task.id),
            **store.answer,
            names.TASK_OUTCOME: settle.outcome,
            names.TASK_STATUS: settled.status,
            names.SETTLE_TRIES: settle.tries,
        }
        with recorder.span(
            names.settle(store.queue), attributes, kind=SpanKind.CLIENT, start_ns=began_ns
        ):
            attempt.span.set(
                {**self._pages(attempt.claim, settled.failure), **_facts(settled.failure)}
            )
            if settle.outcome == "Died" or settled.status == TaskStatus.FAILED:
                attempt.span.set_status(StatusCode.ERROR, settled.sentence)

    def _pages(self, claim: Claim, failure: Failure | None) -> dict[str, str]:
        """Return where a task, its issue and its report can be looked at, as attributes."""
        event_id = failure.event_id if failure else ""
        pages = self._settler.links.of_task(task_id=str(claim.task.id), event_id=event_id)
        return {f"{names.LINK}{where}": page for where, page in pages.items()}

    def _let_go(self, attempt: Attempt, settle: _Settle, settled: Settled) -> None:
        self._lease.drop()
        self._presence.trouble = ""
        self._settle = self.attempt = None
        self.settled += 1
        attempt.close(settled.status)
        note.remove(self._directory)
        task_id = attempt.claim.task.id
        self._console.settled(
            task_id, settled.status, settled.sentence, settled.location, attempt.seconds
        )
        refused = settled.status == SUPERSEDED and settle.outcome in _BADLY
        if refused or settled.status == TaskStatus.FAILED:
            self._on_failed(task_id)

    def _last_word(self, attempt: Attempt) -> LastWord:
        return LastWord(progress=attempt.progress, started=self._started_due)

    def _note(self, attempt: Attempt) -> note.Note:
        return note.Note(claim=attempt.claim, journal=self._journal)

    def _tell(self, attempt: Attempt, message: Progress) -> None:
        self._console.progress(
            attempt.claim.task.id,
            message.stage,
            message.step,
            message.steps,
            attempt.fraction,
            attempt.progress["eta_s"],
        )


def _facts(failure: Failure | None) -> dict[str, str]:
    """Return by what failures are counted, and those of one cause are found, as attributes."""
    if failure is None:
        return {}
    facts = {
        names.FAILURE_KIND: failure.kind,
        names.ERROR_TYPE: failure.type,
        names.ERROR_FINGERPRINT: failure.fingerprint,
    }
    return {name: value for name, value in facts.items() if value}
