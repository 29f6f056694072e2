"""The supervisor's loop: what threads, signals and the task process say is decided on here."""

import logging
import queue
import time
from typing import Any

from telemetry import death
from worker.errors import (
    EXIT_DRAINED,
    EXIT_GPU,
    EXIT_QUEUE,
    EXIT_RECYCLE,
    InvalidTask,
    QueueUnavailable,
)
from worker.messages import (
    Alive,
    Finished,
    Hello,
    Progress,
    Ready,
    Run,
    Started,
    TelemetryTrouble,
    Unready,
)
from worker.supervisor.attempt import Attempt
from worker.supervisor.cancelling import Cancelling
from worker.supervisor.child import Child, Exited, Printed, Said
from worker.supervisor.claiming import Claimed
from worker.supervisor.ending import Ending
from worker.supervisor.hand import Hand
from worker.supervisor.parts import Habits, LeaseLost, Parts, SupervisorEvent
from worker.supervisor.rerun import Rerun
from worker.supervisor.signals import StopAsked
from worker.supervisor.upload import Uploaded

_log = logging.getLogger(__name__)


class Supervisor:
    """Owns one task process, the task that runs in it, and one whose output is being uploaded.

    Its main loop is the only place where anything is decided: what threads and signals have to say
    comes through one inbox. The lease is kept, lost claims are swept and telemetry is shipped by
    threads of their own, which `worker.composition` starts and stops.
    """

    def __init__(self, parts: Parts, habits: Habits) -> None:
        self._habits = habits
        self._ending = Ending(habits.grace_s, parts.console)
        self._claimer = parts.claimer
        self._hands = parts.hands
        self._keeper = parts.keeper
        self._presence = parts.presence
        self._stall = parts.stall
        self._console = parts.console
        self._inbox = parts.inbox
        self._postmortems = parts.postmortems
        self._cancelling = Cancelling(parts.hands, parts.keeper, parts.console)
        self._rerun = Rerun(parts.hands, parts.keeper, parts.console)
        self._claim_at = 0.0
        self._queue_is_away = False

    def run(self) -> int:
        """Work until drained, idle (when so asked) or unable; return the exit code.

        Must be called from the main thread: the kernel ends the task process when the thread that
        started it ends.
        """
        try:
            try:
                while self._ending.code is None:
                    self._turn()
            finally:
                self._let_go()
            self._see_off()
        finally:
            self._presence.state = "stopped"
            if not self._presence.trouble:
                self._presence.record()
        if not self._hands.is_empty and self._ending.code == EXIT_DRAINED:
            return EXIT_QUEUE  # the note tells the next supervisor what could not be told
        return self._ending.code

    @property
    def _hand(self) -> Hand:
        """The hand with the task that runs."""
        return self._hands.front

    def _turn(self) -> None:
        """Look at what is due, then wait for news."""
        with self._hand.current():
            self._keeper.watch()
            self._watch_progress()
            self._check_deadlines()
        if self._hands.turn():
            self._claim_at = 0.0
        self._postmortems.retry()
        if self._hand.attempt is None:
            self._stop_if_done()
        if not self._ending.is_near:
            self._keeper.tend()
            self._claim_if_due()
        self._watch_queue()
        self._show()
        if self._ending.code is None:
            self._wait_for_news()

    def _let_go(self) -> None:
        """End the task process, and give back what it was at work on."""
        with self._hand.current():
            self._end_task_process()
            self._hand.give_back(self._keeper.given_up or "the worker stops")

    def _see_off(self) -> None:
        """Wait for uploads, as long as the end may take; the next supervisor has the others."""
        self._hands.turn()
        self._ending.draw_near()
        while (task := self._hands.uploaded) and not self._ending.is_due:
            self._show()
            self._wait_for_news()
            self._hands.turn()
            self._watch_queue()
        if task is not None:
            self._console.note("warning", "an output is left to the next start", task_id=task.id)

    def _wait_for_news(self) -> None:
        try:
            event = self._inbox.get(timeout=self._patience_s())
        except queue.Empty:
            return
        with self._hand.current():
            self._handle(event)

    def _watch_queue(self) -> None:
        """Say once that the queue is away, also while a task runs, and once that it is back."""
        unheard, self._presence.unheard = self._presence.unheard, None
        if unheard is not None:
            self._hand.trouble(unheard)
        if self._queue_is_away and not self._presence.trouble:
            self._console.note("info", "the queue can be reached again")
        self._queue_is_away = bool(self._presence.trouble)

    def _watch_progress(self) -> None:
        """Show how long the running task has made no progress; end its process at the limit."""
        attempt = self._hand.running
        if attempt is None or not self._keeper.ready:
            return
        self._stall.look(attempt.claim.token, attempt.progress)
        self._hand.quiet(self._stall.quiet_s)
        if hang := self._stall.hang:
            self._console.note("warning", f"a task hangs: {hang}", task_id=attempt.claim.task.id)
            self._keeper.end_hung(hang)

    def _patience_s(self) -> float:
        now = time.monotonic()
        due = [self._ending.by, self._cancelling.by, self._hands.due_at, now + 1.0]
        if self._keeper.ready and self._hand.attempt is None:
            due.append(self._claim_at)
        elif self._keeper.ready and self._hand.running and self._stall.left_s is not None:
            due.append(now + self._stall.left_s)
        return max(0.0, min(at for at in due if at is not None) - now)

    def _handle(self, event: SupervisorEvent) -> None:
        match event:
            case StopAsked():
                self._ending.ask(event)
                self._rerun.give_up()  # no task process is started any more
            case LeaseLost():
                self._cancelling.take(event)
            case Uploaded():
                _log.debug("an upload is over")  # the next turn settles its task
            case Printed() if event.child is self._keeper.child:
                logging.getLogger(f"task process.{event.stream}").info("%s", event.line)
            case Exited() if event.child is self._keeper.child:
                self._bury(event.child, event.returncode)
            case Said() if event.child is self._keeper.child:
                self._hear(event.message)
            case _:
                _log.debug("news of an earlier task process: %s", type(event).__name__)

    def _hear(self, message: object) -> None:
        match message:
            case Hello(journal=journal):
                _log.info("task process %d journals to %s", self._keeper.pid, journal)
            case Ready(device=device):
                self._take_device(device)
            case Unready(problem=problem, exit_code=exit_code):
                self._refuse_device(problem, exit_code)
            case Progress() | Alive() | Started():
                self._hand.hear(message)
            case TelemetryTrouble():
                self._presence.hear(message)
            case Finished(again=True) if not self._ending.is_near and self._rerun.begin(message):
                pass
            case Finished():
                self._finish(message)

    def _finish(self, message: Finished) -> None:
        self._hand.finish(message)
        self._claim_at = 0.0
        if message.exit_code:
            self._refuse_device(message.recycle, message.exit_code)
            return
        if message.recycle:
            self._console.note("warning", f"a new task process is started: {message.recycle}")
        if message.recycle or self._keeper.blocking:
            self._keeper.retire()

    def _take_device(self, device: dict[str, Any]) -> None:
        before, now = self._presence.device.get("kind"), device.get("kind")
        if before == "cuda" != now:
            # Where the driver is gone, torch says that there is no CUDA, and "auto" is the CPU.
            self._refuse_device(f"the CUDA device is gone: {now} is what is left", EXIT_GPU)
            return
        self._keeper.became_ready()
        self._claim_at = 0.0
        self._presence.device = device
        self._presence.record()
        self._console.ready(device)
        self._rerun.go_on()

    def _refuse_device(self, problem: str, exit_code: int) -> None:
        self._keeper.leaves()
        self._console.note("error", problem)
        self._rerun.give_up()
        self._hand.give_back(problem)
        self._ending.stop(exit_code)

    def _claim_if_due(self) -> None:
        free = self._keeper.ready and self._hand.attempt is None and self._ending.code is None
        if not free or time.monotonic() < self._claim_at:
            return
        self._claim_at = time.monotonic() + self._habits.poll_s
        try:
            claimed = self._claimer.claim(self._presence.model)
            if claimed is None and self._habits.until_idle and self._claimer.nothing_left():
                self._ending.stop(EXIT_DRAINED)
        except QueueUnavailable as trouble:
            self._hand.trouble(trouble)
            return
        self._presence.trouble = ""
        if claimed is not None:
            self._hand_over(claimed)

    def _hand_over(self, claimed: Claimed) -> None:
        attempt = Attempt.begin(
            self._hand.recorder,
            self._claimer.store,
            request=claimed.request,
            claim=claimed.claim,
            asked_ns=claimed.asked_ns,
        )
        self._hand.take(attempt, self._keeper.journal)
        with attempt.current():
            try:
                self._keeper.send(Run(claim=self._hand.readable(claimed.claim)))
            except ValueError as exc:
                problem = f"holds text that is no Unicode ({exc})"
                self._hand.refuse(InvalidTask("params", claimed.claim.task.params, problem))

    def _bury(self, child: Child, returncode: int) -> None:
        """Close the journal of a task process that is gone, and settle its task by that end."""
        end = self._keeper.end_of(returncode)
        if self._ending.is_near and end.kind in {"sigterm", "sigint"}:
            end = death.stopped(end, "the signal went to all of us")  # as systemd sends it
        words = list(child.last_words)
        failure = self._postmortems.bury(child.journal, end, last_words=words)
        self._keeper.exited(failure, words)
        self._presence.model = None
        if self._hand.running is None:
            _log.warning("task process %d: %s", child.pid, end.message)
        if end.kind == death.STOPPED:
            self._hand.give_back("the worker stops")
        elif not self._rerun.waits:
            self._hand.bury(failure, end)
        self._claim_at = 0.0

    def _end_task_process(self) -> None:
        child = self._keeper.child
        if child is None:
            return
        gone = self._keeper.end(busy=self._hand.running is not None)
        if gone and child.returncode is not None:
            self._bury(child, child.returncode)
        else:
            self._console.note("error", f"task process {child.pid} cannot be ended")
            self._ending.code = EXIT_GPU
            self._keeper.child = None

    def _check_deadlines(self) -> None:
        if self._keeper.given_up:
            self._console.note("error", self._keeper.given_up)
            self._rerun.give_up()
            self._ending.stop(self._keeper.exit_code)
        elif self._ending.is_due and self._hand.attempt:
            self._ending.stop(EXIT_DRAINED)
        else:
            self._cancelling.look()

    def _stop_if_done(self) -> None:
        if self._ending.is_near:
            self._ending.stop(EXIT_DRAINED)
        elif 0 < self._habits.recycle_after_tasks <= self._hands.ended:
            self._console.note("info", f"recycled after {self._hands.ended} tasks")
            self._ending.stop(EXIT_RECYCLE)

    def _show(self) -> None:
        idle = "ready" if self._keeper.ready else "starting"
        state = "busy" if self._hand.attempt is not None else idle
        self._presence.show(
            "draining" if self._ending.is_near else state,
            self._hand.attempt,
            uploaded=self._hands.uploaded,
            task_process=self._keeper.pid,
        )
