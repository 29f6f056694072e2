"""The ends of processes that died unseen, written for them."""

from pathlib import Path

from telemetry.shipper import spool
from telemetry.shipper.shipment import Shipment


class Adoption:
    """Closes the journals of the dead, once their supervisor has said that it may.

    Attributes:
        begun: Whether the supervisor has: until then it alone knows how a process died.
        unclosed: Journals whose end could not be written yet, as on a full disk.
    """

    def __init__(self, root: Path) -> None:
        self.begun = False
        self.unclosed: set[Path] = set()
        self._root = root

    def begin(self) -> list[Path]:
        """Close, as "lost", what is left there now; return the directories that were closed."""
        outcome = spool.close_lost(spool.leftovers(self._root))
        self.unclosed.update(outcome.failed)
        self.begun = True
        return outcome.closed

    def go_on(self) -> None:
        """Try again what could not be closed, which is for nobody else to do."""
        for directory in sorted(self.unclosed):
            if not spool.close_lost([directory]).failed:
                self.unclosed.discard(directory)

    def close(self, shipment: Shipment) -> None:
        """Write the end of a command that died unseen: it has no supervisor."""
        if shipment.role == "cli" and shipment.directory not in self.unclosed:
            self.unclosed.update(spool.close_lost([shipment.directory]).failed)
