"""One journal on its way to every backend."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from sys import maxsize
from typing import Self

from telemetry.journal import is_alive
from telemetry.shipper.follower import (
    SHIPPED,
    Follower,
    Mark,
    journal_bytes,
    read_shipped,
    write_shipped,
)
from telemetry.shipper.retention import Needed
from telemetry.shipper.sender import Sender
from telemetry.shipper.spool import ShippingLock


class Shipment:
    """A journal that this worker has the right to ship, with a follower for each backend.

    Attributes:
        directory: The journal's.
        settled: Whether its process has ended and every backend has all of it.
        forsaken: Whether its process is dead, all of it is read, and its end is not written.
        needed: What backends have not got all of.
    """

    def __init__(self, directory: Path, lock: ShippingLock, senders: Sequence[Sender]) -> None:
        self.directory = directory
        self.settled = False
        self.forsaken = False
        self.needed = Needed(0, 0)
        self._lock = lock
        self._alive = True
        self._backends = len(senders)
        self._shipped = read_shipped(directory)
        # The note is made before anything is sent: a full disk lets it be written over, not made.
        self._noted = (directory / SHIPPED).exists()
        self._size = journal_bytes(directory)
        self._pairs = [
            (sender, self._follower(sender))
            for sender in senders
            if self._shipped.settled.get(sender.stream.name) != self._size
            and (is_alive(directory) or not sender.passes_over(directory))
        ]
        self.role = self._pairs[0][1].role if self._pairs else ""

    @classmethod
    def begin(cls, directory: Path, senders: Sequence[Sender]) -> Self | None:
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
    def waiting(self) -> int:
        """How many items have been read and not been acknowledged."""
        return sum(follower.waiting for _, follower in list(self._pairs))

    @property
    def stalled(self) -> bool:
        """Whether some backends have all of a dead process's journal, and the others are down."""
        some = len(self._pairs) < self._backends
        return some and not self._alive and all(sender.down for sender, _ in self._pairs)

    def waiting_for(self, sender: Sender) -> int:
        """How many of them one backend has to take."""
        return sum(follower.waiting for one, follower in list(self._pairs) if one is sender)

    def oldest_ns_for(self, sender: Sender) -> int:
        """When the oldest item was recorded that one backend has to take; 0 without one."""
        return max((one.oldest_ns for of, one in list(self._pairs) if of is sender), default=0)

    def ship(self, remaining: Callable[[], float], may_read: Callable[[Sender], bool]) -> bool:
        """Send what is complete now to every backend; False when some of it still waits.

        Args:
            remaining: Seconds left; nothing is begun when there are none.
            may_read: Whether there is room to read on for a backend.
        """
        if remaining() <= 0:
            return False
        self._note_again()
        self._look()
        done = True
        for sender, follower in list(self._pairs):
            if not self._send_all(sender, follower, remaining, may_read):
                done = False
            elif follower.complete and follower.ended:
                self._settle(sender, follower)
        self.settled = not self._pairs
        self.forsaken = any(one.complete and not one.ended for _, one in self._pairs)
        self.needed = Needed(
            self._needed_from(lambda sender: not sender.absent), self._needed_from(lambda _: True)
        )
        return done

    def release(self) -> None:
        """Let another worker ship it; what could not be noted before is noted, if it can be."""
        self._note_again()
        self._lock.release()

    def _needed_from(self, counts: Callable[[Sender], bool]) -> int:
        needed = (follower.needed_from for sender, follower in self._pairs if counts(sender))
        return min(needed, default=maxsize)

    def _look(self) -> None:
        """Ask, before reading, whether the process lives: what a dead one wrote is all there is."""
        if all(follower.complete and follower.ended for _, follower in self._pairs):
            return  # nothing will ever be added
        self._alive = is_alive(self.directory)
        self._size = journal_bytes(self.directory)

    def _follower(self, sender: Sender) -> Follower:
        mark = self._shipped.marks.get(sender.stream.name, Mark())
        return Follower(self.directory, sender.stream, mark)

    def _send_all(
        self,
        sender: Sender,
        follower: Follower,
        remaining: Callable[[], float],
        may_read: Callable[[Sender], bool],
    ) -> bool:
        while remaining() > 0:
            everything = may_read(sender) and follower.pull(remaining, dead=not self._alive)
            sent = sender.send_all(follower, remaining, self._note)
            if everything or not sent or sender.down:
                return everything and sent
        return False

    def _settle(self, sender: Sender, follower: Follower) -> None:
        self._shipped.settled[sender.stream.name] = self._size
        self._write()
        self._pairs.remove((sender, follower))

    def _note(self, follower: Follower) -> None:
        self._shipped.marks[follower.stream.name] = follower.mark
        self._write()

    def _note_again(self) -> None:
        if not self._noted:
            with contextlib.suppress(OSError):  # there is no room yet, or the journal is gone
                self._write()

    def _write(self) -> None:
        self._noted = False
        write_shipped(self.directory, self._shipped)
        self._noted = True
