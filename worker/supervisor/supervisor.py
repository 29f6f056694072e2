"""The supervisor: claims tasks, hands them to its task process, settles them; never loads torch."""

import logging
import queue
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from telemetry import death
from telemetry.recorder import Recorder
from telemetry.shipper import Shipper
from worker.console import Console
from worker.errors import QueueUnavailable
from worker.messages import (
    Cancel,
    Finished,
    Hello,
    Progress,
    Ready,
    Run,
    Started,
    Unready,
    outcome_of,
)
from worker.supervisor.attempt import Attempt
from worker.supervisor.child import ChildEvent, Exited, Printed, Said
from worker.supervisor.claiming import Claimer
from worker.supervisor.drain import drained
from worker.supervisor.keeper import Keeper
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.postmortem import bury
from worker.supervisor.presence import Presence
from worker.supervisor.settling import Settled, Settler
from worker.task import TaskStatus

EXIT_DRAINED = 0
EXIT_GPU = 80
CANCEL_GRACE_S = 30.0
QUEUE_RETRY_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """SIGTERM or SIGINT has come."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """The task in hand was cancelled, failed with its family, or was taken from this worker."""

    token: UUID
    reason: str


SupervisorEvent = ChildEvent | StopAsked | LeaseLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a supervisor works with; `worker.composition` puts it together."""

    claimer: Claimer
    settler: Settler
    recorder: Recorder
    shipper: Shipper
    console: Console
    keeper: Keeper
    lease: LeaseKeeper
    presence: Presence
    inbox: "queue.SimpleQueue[SupervisorEvent]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a supervisor works; times in seconds, see the settings of the same names."""

    poll_s: float
    grace_s: float
    until_idle: bool


class Supervisor:
    """Owns one task process and at most one task at a time.

    Its main loop is the only place where anything is decided: what threads and signals have to say
    comes through one inbox. The lease is kept, lost claims are swept and telemetry is shipped by
    threads of their own, which `worker.composition` starts and stops.
    """

    def __init__(self, parts: Parts, habits: Habits) -> None:
        self._habits = habits
        self._claimer = parts.claimer
        self._settler = parts.settler
        self._recorder = parts.recorder
        self._shipper = parts.shipper
        self._console = parts.console
        self._keeper = parts.keeper
        self._lease = parts.lease
        self._presence = parts.presence
        self._inbox = parts.inbox
        self._oom = death.OomWatch()
        self._attempt: Attempt | None = None
        self._unsettled: Callable[[], Settled] | None = None
        self._claim_at = 0.0
        self._drain_by: float | None = None
        self._cancel_by: float | None = None
        self._exit_code: int | None = None

    def run(self) -> int:
        """Work until drained, idle (when so asked) or unable; return the exit code.

        Must be called from the main thread: it takes the signals, and the kernel ends the task
        process when the thread that started it ends.
        """
        previous = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            while self._exit_code is None:
                self._turn()
        finally:
            self._end_task_process()
            self._presence.state = "stopped"
            self._presence.record()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._exit_code

    def _turn(self) -> None:
        self._check_deadlines()
        self._settle_if_due()
        if self._drain_by is not None and self._attempt is None:
            self._stop(EXIT_DRAINED)
        elif self._drain_by is None:
            self._keeper.tend()
            self._claim_if_due()
        self._show()
        if self._exit_code is None:
            try:
                event = self._inbox.get(timeout=self._patience_s())
            except queue.Empty:
                return
            self._handle(event)

    def _patience_s(self) -> float:
        now = time.monotonic()
        due = [now + 1.0]
        due += [at for at in (self._drain_by, self._cancel_by) if at is not None]
        if self._unsettled is not None or (self._attempt is None and self._keeper.ready):
            due.append(self._claim_at)
        return max(0.0, min(due) - now)

    def _handle(self, event: SupervisorEvent) -> None:
        match event:
            case StopAsked():
                self._drain(event)
            case LeaseLost():
                self._cancel(event)
            case Printed() if event.child is self._keeper.child:
                logging.getLogger(f"task process.{event.stream}").info("%s", event.line)
            case Exited() if event.child is self._keeper.child:
                self._task_process_died(event)
            case Said() if event.child is self._keeper.child:
                self._hear(event.message)
            case _:
                _log.debug("news of an earlier task process: %s", type(event).__name__)

    def _hear(self, message: object) -> None:
        attempt = self._attempt
        match message:
            case Hello(journal=journal):
                _log.info("task process %d journals to %s", self._keeper.pid, journal)
            case Ready(device=device):
                self._keeper.became_ready()
                self._claim_at = 0.0
                self._presence.device = device
                self._presence.record()
                self._console.ready(device)
            case Unready(problem=problem, exit_code=exit_code):
                self._console.note("error", problem)
                self._stop(exit_code)
            case Progress(token=token) if attempt and attempt.claim.token == token:
                self._progress(attempt, message)
            case Started(token=token) if attempt and attempt.claim.token == token:
                self._presence.model = message.model
                attempt.load_count = message.load_count
                self._lease.started()
            case Finished(token=token) if attempt and attempt.claim.token == token:
                self._finished(attempt, message)
            case _:
                _log.debug("a late %s is passed over", type(message).__name__)

    # The task in hand

    def _claim_if_due(self) -> None:
        ready = self._keeper.ready and self._attempt is None and self._exit_code is None
        if not ready or time.monotonic() < self._claim_at:
            return
        t0_ns, request = time.time_ns(), self._claimer.request(self._presence.model)
        try:
            claim = self._claimer.store.claim(request)
            if claim is None and self._habits.until_idle and self._claimer.nothing_left():
                self._stop(EXIT_DRAINED)
        except QueueUnavailable as trouble:
            self._queue_trouble(trouble)
            return
        self._presence.trouble = ""
        if claim is None:
            self._claim_at = time.monotonic() + self._habits.poll_s
            return
        attempt = Attempt.begin(self._recorder, self._claimer.store, request, claim, t0_ns)
        self._attempt = attempt
        self._hand_over(attempt)

    def _hand_over(self, attempt: Attempt) -> None:
        child, claim = self._keeper.child, attempt.claim
        attempt.note(child.journal if child else None)
        self._lease.keep(claim)
        self._console.claimed(claim.task)
        self._keeper.send(Run(claim=claim))

    def _progress(self, attempt: Attempt, message: Progress) -> None:
        entered = attempt.advance(message)
        self._lease.progress(attempt.progress, at_once=entered)
        self._console.progress(
            attempt.claim.task.id,
            message.stage,
            message.step,
            message.steps,
            attempt.fraction,
            attempt.progress["eta_s"],
        )

    def _finished(self, attempt: Attempt, message: Finished) -> None:
        outcome, child, task = outcome_of(message), self._keeper.child, attempt.claim.task
        facts: dict[str, Any] = {"attempt": task.attempts, "model_loads": attempt.load_count}
        if child is not None and child.journal is not None:
            facts["record"] = drained(child.journal, task.id, task.attempts)
        self._settle_by(
            lambda: self._settler.settle(attempt, outcome, facts), type(outcome).__name__
        )
        if message.recycle:
            self._console.note("warning", f"a new task process is started: {message.recycle}")
            self._keeper.retire()

    def _settle_by(self, settle: Callable[[], Settled], outcome: str) -> None:
        """Settle now, or as soon as the queue can be reached again."""

        def settle_and_close() -> Settled:
            settled = settle()
            self._close(settled, outcome)
            return settled

        self._lease.drop()  # settling extends it where that is needed
        self._unsettled, self._claim_at = settle_and_close, 0.0
        self._settle_if_due()

    def _settle_if_due(self) -> None:
        if self._unsettled is None or time.monotonic() < self._claim_at:
            return
        try:
            self._unsettled()
        except QueueUnavailable as trouble:
            self._queue_trouble(trouble)
            return
        self._unsettled, self._presence.trouble = None, ""

    def _close(self, settled: Settled, outcome: str) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        attempt.close(outcome)
        attempt.forget()
        self._attempt = self._cancel_by = None
        self._console.settled(
            attempt.claim.task.id, outcome, settled.sentence, settled.location, attempt.seconds
        )
        self._shipper.wake()

    def _cancel(self, lost: LeaseLost) -> None:
        attempt = self._attempt
        if attempt is not None and attempt.claim.token == lost.token:
            attempt.cancel_reason = lost.reason
            self._cancel_by = time.monotonic() + CANCEL_GRACE_S
            self._keeper.send(Cancel(token=lost.token, reason=lost.reason))

    # The task process

    def _task_process_died(self, event: Exited) -> None:
        attempt = self._attempt if self._unsettled is None else None
        end = death.from_returncode(event.returncode, out_of_memory=self._oom.struck())
        self._oom = death.OomWatch()
        child = event.child
        failure = bury(child.journal, end, last_words=child.last_words)
        self._keeper.exited(failure, child.last_words)
        self._presence.model = None
        if self._keeper.given_up:
            self._console.note("error", self._keeper.given_up)
            self._stop(EXIT_GPU)
        if attempt is None:
            _log.warning("task process %d: %s", child.pid, end.message)
        elif attempt.cancel_reason:
            cancelled = Settled(status=TaskStatus.CANCELLED, sentence=attempt.cancel_reason)
            self._settle_by(lambda: cancelled, "Cancelled")
        else:
            attempt.span.set(end.on_spans())
            self._settle_by(lambda: self._settler.settle_death(attempt, failure), "Died")

    def _end_task_process(self) -> None:
        child = self._keeper.child
        if child is None:
            return
        if not self._keeper.end(busy=self._attempt is not None):
            self._console.note("error", f"task process {child.pid} cannot be ended")
            self._exit_code = EXIT_GPU
        elif child.returncode:
            bury(child.journal, death.from_returncode(child.returncode))
        self._keeper.child = None

    # The end

    def _on_signal(self, number: int, _frame: object) -> None:
        self._inbox.put(StopAsked(number=number))

    def _drain(self, asked: StopAsked) -> None:
        name = signal.Signals(asked.number).name
        if self._drain_by is None:
            self._drain_by = time.monotonic() + self._habits.grace_s
            self._console.note(
                "info", f"{name}: finishing the task in hand", grace_s=self._habits.grace_s
            )
        else:
            self._drain_by = 0.0
            self._console.note("warning", f"{name} again: giving the task back")

    def _check_deadlines(self) -> None:
        now, attempt, child = time.monotonic(), self._attempt, self._keeper.child
        if self._drain_by is not None and now >= self._drain_by and attempt is not None:
            self._give_back(attempt)
        elif self._cancel_by is not None and now >= self._cancel_by and child is not None:
            self._cancel_by = None
            self._console.note("warning", "the cancelled task does not stop; its process is ended")
            child.end()

    def _give_back(self, attempt: Attempt) -> None:
        """Give the task and its attempt back: there is no time to finish it.

        Where the queue cannot be reached either, the note stays for the next supervisor.
        """
        self._end_task_process()
        if self._unsettled is None:
            self._settle_by(lambda: self._settler.release(attempt, "the worker stops"), "Released")
        self._stop(EXIT_DRAINED)

    def _stop(self, code: int) -> None:
        if self._exit_code is None:
            self._exit_code = code

    # What others see

    def _queue_trouble(self, trouble: QueueUnavailable) -> None:
        self._claim_at = time.monotonic() + max(QUEUE_RETRY_S, self._habits.poll_s)
        if not self._presence.trouble:
            self._console.note("warning", f"the queue cannot be reached: {trouble}")
        self._presence.trouble = str(trouble)

    def _show(self) -> None:
        self._presence.show(
            self._state(),
            self._attempt,
            task_process=self._keeper.pid,
            records_lost=self._recorder.writer.lost,
        )

    def _state(self) -> str:
        if self._drain_by is not None:
            return "draining"
        if self._attempt is not None:
            return "busy"
        return "ready" if self._keeper.ready else "starting"
