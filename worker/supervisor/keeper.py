"""The keeper of the task process: starts it, replaces it, gives up on one that cannot start."""

import logging
import queue
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from telemetry import death
from telemetry.oom import OomWatch
from telemetry.records import ProcessEnd
from worker.errors import EXIT_CONFIGURATION, EXIT_GPU, EXIT_RECYCLE
from worker.messages import Configure, Exit, ToTaskProcess
from worker.settings.environment import BLOCKING, calls_wait
from worker.supervisor.child import Child, ChildEvent, TaskProgram
from worker.supervisor.stall import as_hang, ask_for_stacks
from worker.task import Failure

STARTS_BEFORE_GIVING_UP = 3
EXIT_WAIT_S = 3.0
LEAVE_WAIT_S = 20.0  # a driver that has failed may take its time to let go
KILL_WAIT_S = 10.0
_log = logging.getLogger(__name__)


class Keeper:
    """Keeps one task process. Used from the supervisor's main thread.

    Args:
        configure: What a task process is told first.
        inbox: Where its messages, its output and its end arrive.
        start_timeout_s: Seconds in which it must report its device ready.
        program: How a task process is started.

    Attributes:
        configure: What a task process is told first.
        child: The task process, or None between two of them.
        blocking: Whether CUDA's calls wait in it, which is slow: it is for one task.
        hang: Why the task process was ended, where it was ended for doing nothing; or "".
        given_up: Why no task process can be had, or "".
        exit_code: What the supervisor is to end with when this has given up.
    """

    def __init__(
        self,
        configure: Configure,
        inbox: "queue.SimpleQueue[ChildEvent]",
        *,
        start_timeout_s: float,
        program: TaskProgram,
    ) -> None:
        self.configure = configure
        self._inbox = inbox
        self._start_timeout_s = start_timeout_s
        self._program = program
        self._next_waits = False
        self._start_at = 0.0
        self._ready_by = 0.0
        self._gone_by: float | None = None
        self._left_by: float | None = None
        self._was_stopped = False
        self._oom = OomWatch()
        self._failed_starts = 0
        self._got_ready = False
        self.child: Child | None = None
        self.blocking = False
        self.hang = ""
        self.given_up = ""
        self.exit_code = EXIT_RECYCLE

    @property
    def ready(self) -> bool:
        """Whether a task process is there, has reported its device ready, and is to stay."""
        return self.child is not None and self.child.ready

    @property
    def pid(self) -> int:
        """Process id of the task process; 0 without one."""
        return self.child.pid if self.child else 0

    @property
    def journal(self) -> Path | None:
        """Where the task process journals; None without one, or before it has said so."""
        return self.child.journal if self.child else None

    def tend(self) -> None:
        """Start a task process when one is missing and due."""
        due = not self.given_up and time.monotonic() >= self._start_at
        if self.child is not None or not due:
            return
        self._oom = OomWatch()
        program, environment = self._program, self._program.environment
        if self._next_waits:
            environment = {**environment, BLOCKING: "1"}
            program = replace(program, environment=environment)
        configure = msgspec.structs.replace(self.configure, calls_wait=calls_wait(environment))
        try:
            self.child = Child(configure, self._inbox, program)
        except OSError as trouble:  # no memory, no process or descriptor left
            self._start_failed(f"{trouble}")
            return
        self._got_ready = False
        self.blocking = self._next_waits
        self._gone_by = self._left_by = None
        self._was_stopped = False
        self.hang = ""
        self._ready_by = time.monotonic() + self._start_timeout_s
        _log.info("task process %d started", self.pid)

    def watch(self) -> None:
        """End a task process that gets ready or leaves too late; give up on one that stays."""
        now = time.monotonic()
        if self.child is None:
            return
        self._oom.look()
        if self._gone_by is not None:
            if now >= self._gone_by:
                self.given_up = f"task process {self.pid} cannot be ended: its driver is stuck"
                self.exit_code = EXIT_GPU
        elif self._left_by is not None:
            if now >= self._left_by:
                self.end_hung(f"told to end, not gone in {LEAVE_WAIT_S:g} s, so it was ended")
        elif not self._got_ready and now >= self._ready_by:
            _log.error("task process %d did not get ready in time", self.pid)
            self.end_hung(
                f"not ready in {self._start_timeout_s:g} s, so it was ended; "
                "where it needs longer, raise child_start_timeout_s"
            )

    def end_hung(self, hang: str) -> None:
        """Have the task process write its stacks, then end it and what it started.

        `hang` says what is wrong with it. Its end will be told.
        """
        if self.child is None or self.child.returncode is not None:
            return  # it has ended by itself, which will be told
        self.hang = hang
        self.child.ready = False
        if self.journal is not None and not ask_for_stacks(self.pid, self.journal):
            _log.warning("task process %d does not write its stacks", self.pid)
        self.child.end()
        self._gone_by = time.monotonic() + KILL_WAIT_S

    def send(self, message: ToTaskProcess) -> None:
        """Send a message; one that finds nobody there is dropped: the end will be told.

        Raises `ValueError` for a message that holds text which is no Unicode.
        """
        if self.child is not None:
            self.child.send(message)

    def became_ready(self) -> None:
        """The task process has reported its device ready."""
        self._failed_starts = 0
        self._got_ready = True
        self._next_waits = False
        if self.child is not None:
            self.child.ready = True

    def retire(self, *, blocking: bool = False) -> None:
        """Have the task process end instead of taking another task; its successor follows.

        `blocking` is whether CUDA's calls are to wait in that one.
        """
        self._next_waits = blocking
        self.send(Exit())
        self.leaves()

    def leaves(self) -> None:
        """Take no more account of the task process than to wait for its end, and not for ever."""
        if self.child is not None:
            self._left_by = time.monotonic() + LEAVE_WAIT_S
            self.child.ready = False
            self.child.leaving = True

    def end_of(self, returncode: int) -> ProcessEnd:
        """Describe the end of the task process, by what the kernel says and what was done to it."""
        end = death.from_returncode(returncode, out_of_memory=self._oom.struck())
        if self.hang:
            return as_hang(end, self.hang)
        if self._was_stopped and end.signal == "SIGKILL":
            return death.stopped(end, "the worker stops")
        return end

    def exited(self, failure: Failure, last_words: Sequence[str]) -> None:
        """The task process is gone; the next is started at once if this one ever got ready.

        There is none after one whose interpreter will not do: no second try mends that.
        """
        refusal = self.child.refusal if self.child else ""
        self.child = None
        if refusal:
            self.given_up = f"the task process cannot start: {refusal}"
            self.exit_code = EXIT_CONFIGURATION
        elif self._got_ready:
            self._start_at = 0.0
        else:
            said = f"; its last words: {last_words[-1]}" if last_words else ""
            self._start_failed(f"{failure.sentence}{said}")

    def end(self, *, busy: bool) -> bool:
        """End the task process and wait; False when not even SIGKILL ends it.

        One that is idle is asked, and has a moment to; one that is busy or only starting is killed.
        """
        child = self.child
        if child is None:
            return True
        asked = not busy and (child.ready or child.leaving)
        if asked:
            child.send(Exit())
        if not child.wait(EXIT_WAIT_S if asked else 0):
            self._was_stopped = True
            child.end()
        return child.wait(0 if self.given_up else KILL_WAIT_S)  # it has had its time

    def _start_failed(self, why: str) -> None:
        self._failed_starts += 1
        self._start_at = time.monotonic() + float(2**self._failed_starts)
        if self._failed_starts >= STARTS_BEFORE_GIVING_UP:
            self.given_up = f"the task process cannot start: {why}"
