"""Cancelling: a task that was taken from this worker stops, or its process is ended."""

import time
from uuid import UUID

from worker.console import Console
from worker.messages import Cancel
from worker.supervisor.hands import Hands
from worker.supervisor.keeper import Keeper
from worker.supervisor.parts import LeaseLost

CANCEL_GRACE_S = 30.0


class Cancelling:
    """Tells tasks that they are given up, and has no patience without end with one that runs.

    Attributes:
        by: When the process of the task that runs is ended, by the monotonic clock; None while
            none was cancelled.
    """

    def __init__(self, hands: Hands, keeper: Keeper, console: Console) -> None:
        self._hands = hands
        self._keeper = keeper
        self._console = console
        self._token: UUID | None = None
        self.by: float | None = None

    def take(self, lost: LeaseLost) -> None:
        """Give up the task that was claimed under a token, if it is in hand."""
        attempt = self._hands.attempt_of(lost.token)
        if attempt is None:
            return
        attempt.cancel_reason = lost.reason
        self._console.note(
            "warning", f"the task is given up: {lost.reason}", task_id=attempt.claim.task.id
        )
        if attempt is self._hands.front.running:  # an upload finds it out by itself
            self._token = lost.token
            self.by = time.monotonic() + CANCEL_GRACE_S
            self._keeper.send(Cancel(token=lost.token, reason=lost.reason))

    def look(self) -> None:
        """End the process of a task that has not stopped in its time."""
        running = self._hands.front.running
        if running is None or running.claim.token != self._token:
            self.by = None
        elif self.by is not None and time.monotonic() >= self.by:
            self.by = None
            self._console.note("warning", "the cancelled task does not stop; its process is ended")
            self._keeper.end_hung(f"the cancelled task did not stop in {CANCEL_GRACE_S:g} s")
