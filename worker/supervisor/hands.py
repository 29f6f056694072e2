"""The hands of a supervisor: one for the task that runs, one for that whose output is uploaded."""

from collections.abc import Iterator
from uuid import UUID

from worker.supervisor.attempt import Attempt
from worker.supervisor.hand import Hand
from worker.task import Task


class Hands:
    """A hand in front, and one behind it where outputs go over a network.

    The task process works for the hand in front. When its task is over and has an output, it goes
    behind, where a thread uploads that, and the other comes to the front, free for the next task.
    There is one upload at a time: while it lasts, a second output waits in front, and nothing is
    claimed. Whatever else becomes of a task is settled where it is.

    Attributes:
        front: The hand in front.
        behind: The other; None where no upload takes its time.
    """

    def __init__(self, front: Hand, behind: Hand | None = None) -> None:
        self.front = front
        self.behind = behind

    def __iter__(self) -> Iterator[Hand]:
        """The one behind comes first: its task is the older one."""
        return iter((self.front,) if self.behind is None else (self.behind, self.front))

    def turn(self) -> bool:
        """Settle what is due, and have an output go behind where that is free.

        Returns whether a task was settled: others may have waited for it.
        """
        before = self.settled
        for hand in self:
            hand.settle_if_due()
        if self.behind is not None and self.behind.attempt is None and self.front.has_output:
            self.front, self.behind = self.behind, self.front
            self.behind.upload()
        return self.settled > before

    def attempt_of(self, token: UUID) -> Attempt | None:
        """Return the attempt that was claimed under a token, if it is in hand."""
        attempts = (hand.attempt for hand in self)
        return next((one for one in attempts if one and one.claim.token == token), None)

    @property
    def due_at(self) -> float | None:
        """When a settle is to be tried, by the monotonic clock; None when that is not known."""
        return min((hand.due_at for hand in self if hand.due_at is not None), default=None)

    @property
    def uploaded(self) -> Task | None:
        """The task whose output is being uploaded, or is and not yet settled; None without one."""
        attempt = self.behind.attempt if self.behind else None
        return attempt.claim.task if attempt else None

    @property
    def settled(self) -> int:
        """How many attempts have been settled."""
        return sum(hand.settled for hand in self)

    @property
    def ended(self) -> int:
        """The same, with one whose output is being uploaded."""
        return self.settled + (self.uploaded is not None)

    @property
    def is_empty(self) -> bool:
        """Whether no task is in hand."""
        return all(hand.attempt is None for hand in self)
