"""The keeper of the task process: starts it, replaces it, gives up on one that cannot start."""

import logging
import queue
import time
from collections.abc import Sequence
from pathlib import Path

from worker.messages import Configure, Exit, ToTaskProcess
from worker.supervisor.child import Child, ChildEvent
from worker.task import Failure

STARTS_BEFORE_GIVING_UP = 3
EXIT_WAIT_S = 10.0
_log = logging.getLogger(__name__)


class Keeper:
    """Keeps one task process. Used from the supervisor's main thread.

    Args:
        configure: What a task process is told first.
        inbox: Where its messages, its output and its end arrive.
        start_timeout_s: Seconds in which it must report its device ready.

    Attributes:
        child: The task process, or None between two of them.
        given_up: Why no task process can be had, or "".
    """

    def __init__(
        self,
        configure: Configure,
        inbox: "queue.SimpleQueue[ChildEvent]",
        *,
        start_timeout_s: float,
    ) -> None:
        self._configure = configure
        self._inbox = inbox
        self._start_timeout_s = start_timeout_s
        self._start_at = 0.0
        self._ready_by = 0.0
        self._failed_starts = 0
        self.child: Child | None = None
        self.given_up = ""

    @property
    def ready(self) -> bool:
        """Whether a task process is there and has reported its device ready."""
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
        """Start a task process when one is missing and due; end one that does not get ready."""
        now = time.monotonic()
        if self.child is None and now >= self._start_at:
            self.child = Child(self._configure, self._inbox)
            self._ready_by = now + self._start_timeout_s
            _log.info("task process %d started", self.pid)
        elif self.child is not None and not self.child.ready and now >= self._ready_by:
            _log.error("task process %d did not get ready in time", self.pid)
            self._ready_by = now + EXIT_WAIT_S
            self.child.end()

    def send(self, message: ToTaskProcess) -> None:
        """Send a message; one that finds nobody there is dropped: the end will be told."""
        if self.child is not None:
            self.child.send(message)

    def became_ready(self) -> None:
        """The task process has reported its device ready."""
        self._failed_starts = 0
        if self.child is not None:
            self.child.ready = True

    def exited(self, death: Failure, last_words: Sequence[str]) -> None:
        """The task process is gone; the next is started at once if this one ever got ready."""
        was_ready, self.child = self.ready, None
        if was_ready:
            self._start_at = 0.0
            return
        self._failed_starts += 1
        self._start_at = time.monotonic() + float(2**self._failed_starts)
        if self._failed_starts >= STARTS_BEFORE_GIVING_UP:
            said = f"; its last words: {last_words[-1]}" if last_words else ""
            self.given_up = f"the task process cannot start: {death.sentence}{said}"

    def retire(self) -> None:
        """Ask the task process to end once it is idle; its successor follows by itself."""
        self.send(Exit())

    def end(self, *, busy: bool) -> bool:
        """End the task process now; False when not even SIGKILL ends it, as in a stuck driver."""
        child = self.child
        if child is None:
            return True
        child.send(Exit())
        if busy or not child.wait(EXIT_WAIT_S):
            child.end()
        return child.wait(EXIT_WAIT_S)
