"""The ends of processes that died unseen, written for them."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from telemetry import death
from telemetry.errors import JournalBusy
from telemetry.records import ProcessEnd
from telemetry.shipper import spool
from telemetry.shipper.shipment import Shipment


class Adoption:
    """Closes the journals of the dead, once their supervisor has said that it may.

    Attributes:
        begun: Whether the supervisor has: until then it alone knows how a process died.
        unclosed: Journals whose end could not be written, as on a full disk.
    """

    def __init__(self, root: Path, on_dead: Callable[[Path], ProcessEnd | None] | None) -> None:
        """Make one; `on_dead` is asked, later on, how a process died whose journal has no end."""
        self.begun = False
        self.unclosed: set[Path] = set()
        self._root = root
        self._on_dead = on_dead

    def begin(self) -> list[Path]:
        """Close, as "lost", what is left there now; return the directories that were closed."""
        outcome = spool.close_lost(spool.leftovers(self._root))
        self.unclosed.update(outcome.failed)
        self.begun = True
        return outcome.closed

    def close(self, shipment: Shipment) -> None:
        """Write the end of a process that died unseen, where it is known how it ended."""
        directory = shipment.directory
        if directory in self.unclosed:
            return
        if shipment.role == "cli":
            self.unclosed.update(spool.close_lost([directory]).failed)
        elif self._on_dead is not None and (end := self._on_dead(directory)) is not None:
            with contextlib.suppress(JournalBusy):
                death.close_dead(directory, end)
