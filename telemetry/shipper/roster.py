"""The journals that are followed now, and those that need not be, or must wait for room."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from telemetry.errors import JournalTooNew
from telemetry.journal import is_alive
from telemetry.journal.directory import process_names
from telemetry.shipper import spool
from telemetry.shipper.sender import Sender
from telemetry.shipper.shipment import Shipment

# Each followed journal holds a lock, and so a descriptor; a backend may be down for weeks.
MOST_JOURNALS: Final = 256


class Roster:
    """Follows the journals of a spool: all live ones, and as many dead ones as there is room for.

    A dead journal that only waits for a backend that is down gives its place to one that a backend
    which is up has not got, and comes back when all are up: logs that nobody takes must not hold
    up traces. What is known to be done, or dead, is not looked at again: a glance at a spool costs
    the list of its names.

    Attributes:
        shipments: What is followed, by the directory's name.
        left_out: How many journals must wait for room.
    """

    def __init__(self, root: Path, senders: Sequence[Sender], tell: Callable[[str], None]) -> None:
        self.shipments: dict[str, Shipment] = {}
        self.left_out = 0
        self._root = root
        self._senders = senders
        self._tell = tell
        self._done: set[str] = set()
        self._dead: set[str] = set()
        self._parked: set[str] = set()

    def refresh(self) -> None:
        """Take up journals that are new, and forget those that are gone."""
        names = process_names(self._root)
        for name in self.shipments.keys() - names:
            self.forget(name)
        self._done &= names
        self._dead &= names
        self._parked &= names
        if not any(sender.down for sender in self._senders):
            self._parked.clear()
        self._admit(sorted(names - self._done - self._parked - self.shipments.keys()))

    def forget(self, name: str) -> None:
        """Follow a journal no longer, for good."""
        self._done.add(name)
        self._release(name)

    def pass_over(self, name: str, error: Exception) -> None:
        """Follow a journal no longer that cannot be read; one that was deleted needs no words."""
        if not isinstance(error, FileNotFoundError):
            self._tell(f"journal {name} is passed over: {error}")
        self.forget(name)

    def let_go(self) -> None:
        """Let other workers ship everything."""
        for name in list(self.shipments):
            self._release(name)

    def _admit(self, names: Sequence[str]) -> None:
        stalled = [name for name, one in self.shipments.items() if one.stalled]
        refused = 0
        for name in names:
            try:
                if len(self.shipments) >= MOST_JOURNALS and self._is_dead(name):
                    if not stalled:
                        refused += 1
                        continue
                    self._parked.add(stalled[-1])
                    self._release(stalled.pop())
                self._follow(name)
            except (FileNotFoundError, PermissionError, JournalTooNew) as error:
                self.pass_over(name, error)
        self.left_out = refused + len(self._parked)

    def _follow(self, name: str) -> None:
        directory = self._root / name
        if self._is_dead(name) and self._has_been_shipped(directory):
            self._done.add(name)
        elif (shipment := Shipment.begin(directory, self._senders)) is not None:
            self.shipments[name] = shipment

    def _has_been_shipped(self, directory: Path) -> bool:
        asking = [sender for sender in self._senders if not sender.passes_over(directory)]
        return spool.is_shipped(directory, [sender.stream.name for sender in asking])

    def _is_dead(self, name: str) -> bool:
        if name not in self._dead and not is_alive(self._root / name):
            self._dead.add(name)
        return name in self._dead

    def _release(self, name: str) -> None:
        if (shipment := self.shipments.pop(name, None)) is not None:
            shipment.release()
