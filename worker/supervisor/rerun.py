"""A rerun: a task that a CUDA error has ended is run once more, in a process whose calls wait.

CUDA tells of an error at some later call. Where every call waits, the line that is named is that of
the cause. The claim stays in hand all the while: it is one attempt, in two processes. Where the
second cannot be had, the task ends by what the first has told: one that takes its device with it
would otherwise be given back again and again, and take others.
"""

from worker.console import Console
from worker.messages import Cancel, Finished, Run, finished
from worker.supervisor.hands import Hands
from worker.supervisor.keeper import Keeper
from worker.task import Cancelled


class Rerun:
    """Holds the task in hand between the process that failed and the one whose calls wait."""

    def __init__(self, hands: Hands, keeper: Keeper, console: Console) -> None:
        self._hands = hands
        self._keeper = keeper
        self._console = console
        self._told: Finished | None = None

    @property
    def waits(self) -> bool:
        """Whether the task in hand is in no process now."""
        return self._told is not None

    def begin(self, message: Finished) -> bool:
        """Keep the task in hand, and have its process replaced; False where it is not in hand."""
        attempt = self._hands.front.running
        if attempt is None or attempt.claim.token != message.token or attempt.cancel_reason:
            return False
        self._hands.front.wait(message)
        self._console.note(
            "warning",
            f"the task is run again, blocking: {message.recycle}",
            task_id=attempt.claim.task.id,
        )
        self._told = message
        self._keeper.retire(blocking=True)
        return True

    def go_on(self) -> None:
        """The process whose calls wait is ready: it gets the task."""
        told, self._told = self._told, None
        attempt = self._hands.front.running
        if told is None or attempt is None:
            return
        self._hands.front.move(self._keeper.journal)
        self._keeper.send(Run(claim=self._hands.front.readable(attempt.claim)))
        if attempt.cancel_reason:  # it was cancelled meanwhile
            self._keeper.send(Cancel(token=attempt.claim.token, reason=attempt.cancel_reason))

    def give_up(self) -> None:
        """No such process is to be had: a task that waits for one is settled without it."""
        told, self._told = self._told, None
        attempt = self._hands.front.running
        if told is None or attempt is None:
            return
        if attempt.cancel_reason:
            told = finished(told.token, Cancelled(reason=attempt.cancel_reason))
        self._hands.front.finish(told)
