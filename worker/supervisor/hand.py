"""The hand: what a supervisor does with a task that it has, from claim to settle."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from telemetry import names
from telemetry.recorder import Recorder
from telemetry.records import ProcessEnd
from telemetry.spans import death_attributes
from worker.console import Console
from worker.errors import QueueForbidden, QueueIncompatible, QueueUnavailable
from worker.failure import failure_of, with_record
from worker.messages import Alive, Finished, Progress, Started, outcome_of
from worker.output.reading import with_readable_outputs
from worker.supervisor import note
from worker.supervisor.attempt import Attempt
from worker.supervisor.drain import drained, record_attributes
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.presence import Presence
from worker.supervisor.settle import Settle
from worker.supervisor.settling import SUPERSEDED, LastWord, Settled, Settler
from worker.supervisor.upload import Upload
from worker.task import Cancelled, Claim, Done, Failed, Failure, Outcome, TaskStatus

RETRY_S = 1.0
_BADLY = ("Failed", "Retry", "Died")  # how an attempt may have ended
_log = logging.getLogger(__name__)


class Hand:
    """Holds at most one attempt, keeps its lease, and settles it.

    A settle that finds the queue unreachable is tried again, for as long as it takes; that of an
    outcome extends the lease each time. Meanwhile the attempt stays in hand, this worker sweeps
    nobody, its note tells the next supervisor what is to be told, and nothing else is claimed for
    this hand.

    Where outputs go over a network, that of a task is uploaded before its settle, by a thread, from
    `upload` on; `on_uploaded` is called from there at its end. Until then the lease is kept as that
    of a running task, and the note has the outcome: whoever comes next publishes it.

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
        on_uploaded: Callable[[], None] = lambda: None,
    ) -> None:
        self._settler = settler
        self._on_uploaded = on_uploaded
        self._on_failed = on_failed
        self._lease = lease
        self._console = console
        self._presence = presence
        self._directory = settler.recorder.writer.directory
        self._settle: Settle | None = None
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
        """When a settle is to be tried, by the monotonic clock; None when that is not known."""
        return self._settle.due_at if self._settle and not self._settle.waits else None

    @property
    def recorder(self) -> Recorder:
        """What writes this hand's journal: a journal has one task in hand at a time."""
        return self._settler.recorder

    @property
    def has_output(self) -> bool:
        """Whether the attempt in hand is over, and `upload` is to take its output away."""
        upload = self._settle.upload if self._settle else None
        return upload is not None and not upload.began_ns

    def current(self) -> AbstractContextManager[None]:
        """Have what is recorded in a `with` block be part of the attempt in hand, if any is."""
        return self.attempt.current() if self.attempt is not None else nullcontext()

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
        upload = self._upload_of(claim, outcome)
        published = upload.locations if upload else None
        self._settle_by(
            lambda: self._settler.settle(
                claim, outcome, facts, self._last_word(attempt), published
            ),
            type(outcome).__name__,
            left,
            upload,
        )

    def upload(self) -> None:
        """Have a thread take the output away that this hand has."""
        if self.attempt is not None and self._settle is not None and self._settle.upload:
            with self.attempt.current():
                self._settle.upload.begin()

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
        failed = Failed(failure=failure_of(self.recorder.error(exc), exc))
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
        """Settle what waited for its upload; try again what could not be settled before."""
        settle, attempt = self._settle, self.attempt
        if settle is None or attempt is None:
            return
        if not settle.waits and time.monotonic() >= settle.due_at:
            with attempt.current():
                self._settle_now(attempt, settle)

    def _settle_now(self, attempt: Attempt, settle: Settle) -> None:
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
        settle.record(self._settler, attempt, settled, began_ns)
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
        self,
        write: Callable[[], Settled],
        outcome: str,
        left: note.Note | None = None,
        upload: Upload | None = None,
    ) -> None:
        if self.attempt is None:
            return
        self._settle = settle = Settle(write, outcome, left or self._note(self.attempt), upload)
        if upload is not None:
            note.leave(self._directory, settle.note)
        self.settle_if_due()

    def _upload_of(self, claim: Claim, outcome: Outcome) -> Upload | None:
        """Return what is to take an outcome's output away, where that takes its time."""
        if not isinstance(outcome, Done) or not self._settler.storage.is_remote:
            return None
        return Upload(lambda: self._settler.publish(claim, outcome), self._on_uploaded)

    def _let_go(self, attempt: Attempt, settle: Settle, settled: Settled) -> None:
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
