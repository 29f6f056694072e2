"""One journal on its way to every backend."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from telemetry.journal import is_alive
from telemetry.shipper.follower import Follower, Mark, journal_bytes, read_shipped, write_shipped
from telemetry.shipper.sender import Sender
from telemetry.shipper.spool import ShippingLock


class Shipment:
    """A journal that this worker has the right to ship, with a follower for each backend.

    Attributes:
        directory: The journal's.
        settled: Whether its process has ended and every backend has all of it.
        forsaken: Whether its process is dead, all of it is sent, and its end is not written.
    """

    def __init__(self, directory: Path, lock: ShippingLock, senders: Iterable[Sender]) -> None:
        self.directory = directory
        self.settled = False
        self.forsaken = False
        self._lock = lock
        self._shipped = read_shipped(directory)
        self._pairs = [(sender, self._follower(sender)) for sender in senders]

    @classmethod
    def begin(cls, directory: Path, senders: Iterable[Sender]) -> Self | None:
        """Follow a journal from its beginning; None when another worker ships it.

        Raises `JournalTooNew`, and `FileNotFoundError` when it is gone.
        """
        if (lock := ShippingLock.take(directory)) is None:
            return None
        try:
            return cls(directory, lock, senders)
        except BaseException:
            lock.release()
            raise

    @property
    def role(self) -> str:
        """The role of the process whose journal it is."""
        return next((follower.role for _, follower in self._pairs), "")

    @property
    def waiting(self) -> int:
        """How many items have been read and not been acknowledged."""
        return sum(follower.waiting for _, follower in self._pairs)

    def waiting_for(self, sender: Sender) -> int:
        """How many of them one backend has to take."""
        return sum(follower.waiting for one, follower in self._pairs if one is sender)

    def ship(self, remaining: Callable[[], float], may_read: Callable[[Sender], bool]) -> bool:
        """Send what is complete now to every backend; False when some of it still waits.

        Args:
            remaining: Seconds left; nothing is begun when there are none.
            may_read: Whether there is room to read on for a backend.
        """
        # Both asked before reading: what a process wrote before it was dead is read below.
        alive = is_alive(self.directory)
        size = journal_bytes(self.directory)
        done = [
            may_read(sender) and self._send_all(sender, follower, remaining)
            for sender, follower in self._pairs
        ]
        if all(done) and not alive:
            self.settled = any(follower.ended for _, follower in self._pairs)
            self.forsaken = not self.settled
        if self.settled:
            self._shipped.settled = {sender.stream.name: size for sender, _ in self._pairs}
            write_shipped(self.directory, self._shipped)
        return all(done)

    def release(self) -> None:
        """Let another worker ship it."""
        self._lock.release()

    def _follower(self, sender: Sender) -> Follower:
        mark = self._shipped.marks.get(sender.stream.name, Mark())
        return Follower(self.directory, sender.stream, mark)

    def _send_all(self, sender: Sender, follower: Follower, remaining: Callable[[], float]) -> bool:
        while True:
            everything = follower.pull()
            if not sender.send_all(follower, remaining, self._note):
                return False
            if everything:
                return True

    def _note(self, follower: Follower) -> None:
        self._shipped.marks[follower.stream.name] = follower.mark
        write_shipped(self.directory, self._shipped)
