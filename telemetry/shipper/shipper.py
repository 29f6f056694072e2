"""Ships what journals hold: ended spans and logs by OTLP, errors to Sentry, each exactly once."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry import death
from telemetry.errors import JournalBusy, JournalTooNew
from telemetry.journal import is_alive, process_directories
from telemetry.records import ProcessEnd
from telemetry.shipper import spool
from telemetry.shipper.follower import MOST_WAITING, Stream
from telemetry.shipper.otlp import LogStream, OtlpTarget, SpanStream
from telemetry.shipper.sender import Sender
from telemetry.shipper.sentry import ErrorStream, SentryTarget
from telemetry.shipper.shipment import Shipment
from telemetry.shipper.spool import Retention

__all__ = ["Counters", "OtlpTarget", "Retention", "SentryTarget", "Shipper"]

_RETENTION_EVERY_S: Final = 60.0
# Each followed journal holds a lock, and so a descriptor; a backend may be down for weeks.
_MOST_JOURNALS: Final = 256
_FOR_EVER_S: Final = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a shipper has done since it was made.

    Attributes:
        exported: Spans, log records and errors that a backend has acknowledged.
        refused: Those that a backend refused for good.
        failures: Requests that a backend did not answer, or answered with "not now".
        behind: Items read and not acknowledged yet; at least this many, while a backend is down.
        deleted: Journals deleted by retention.
        lost: Those of them that a backend had not acknowledged.
    """

    exported: int = 0
    refused: int = 0
    failures: int = 0
    behind: int = 0
    deleted: int = 0
    lost: int = 0


class Shipper:
    """Follows every journal of a spool and sends what is complete, for as long as it takes.

    A span is sent when it has ended, never before; what a dead process left open ends with the
    last record of its journal, which its supervisor writes (`telemetry.death.close_dead`). What
    was acknowledged stands in `shipped.json` beside each journal, so a restart sends nothing
    twice, but for a batch acknowledged in the instant of a crash. While a backend is down nothing
    is dropped: its mark does not advance. Without a target nothing is sent and no thread runs.

    Args:
        root: The spool.
        otlp: Where spans and logs go.
        sentry: Where errors go.
        retention: How long journals of dead processes are kept.
        interval_s: Seconds between two looks at the journals.
        on_dead: Asked, after `adopt`, how a process died whose journal has no end; None leaves it
            to whoever knows.
        clock: Monotonic seconds.
        wall_clock: Seconds since the epoch.
    """

    def __init__(
        self,
        root: Path,
        *,
        otlp: OtlpTarget | None = None,
        sentry: SentryTarget | None = None,
        retention: Retention | None = None,
        interval_s: float = 1.0,
        on_dead: Callable[[Path], ProcessEnd | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._retention = retention or Retention()
        self._interval_s = interval_s
        self._on_dead = on_dead
        self._clock = clock
        self._wall_clock = wall_clock
        self._senders = [Sender(stream, clock) for stream in _streams(otlp, sentry)]
        self._shipments: dict[Path, Shipment] = {}
        self._done: set[Path] = set()
        self._told: set[str] = set()
        self._adopted = False
        self._retain_at = 0.0
        self._deleted = self._lost = 0
        self._passing = threading.RLock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def counters(self) -> Counters:
        """What has been done so far."""
        return Counters(
            exported=sum(sender.exported for sender in self._senders),
            refused=sum(sender.refused for sender in self._senders),
            failures=sum(sender.failures for sender in self._senders),
            behind=sum(shipment.waiting for shipment in list(self._shipments.values())),
            deleted=self._deleted,
            lost=self._lost,
        )

    def start(self) -> None:
        """Begin to ship, in a thread of its own. Without a target: apply retention once."""
        if not self._senders:
            self.retain()
        elif self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Look at the journals now, not at the next interval."""
        self._wake.set()

    def adopt(self) -> list[Path]:
        """Close the journals of processes that are gone and whose end nobody has written.

        For a supervisor to call once, when it has settled what the one before it left. Returns the
        directories; their processes' ends are recorded as "lost".
        """
        closed = spool.close_lost(spool.leftovers(self._root))
        self._adopted = True
        self.wake()
        return closed

    def drain(self, timeout: float) -> bool:
        """Ship what is there now; False when not all of it could be in `timeout` seconds.

        A backend that is down is asked once: what it has not got is safe where it is.
        """
        if not self._senders:
            return True
        deadline = self._clock() + timeout
        if not self._passing.acquire(timeout=max(0.0, timeout)):
            return False
        try:
            for sender in self._senders:
                sender.retry_now()
            return self._pass(lambda: deadline - self._clock())
        finally:
            self._passing.release()

    def stop(self, timeout: float) -> bool:
        """Drain, and end the thread; False when not all could be shipped in `timeout` seconds."""
        deadline = self._clock() + timeout
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(max(0.0, timeout))
        complete = self.drain(max(0.0, deadline - self._clock()))
        if self._passing.acquire(blocking=False):
            self._let_go()
            self._passing.release()
        return complete

    def retain(self) -> None:
        """Delete journals of dead processes beyond the limits of size and age."""
        with self._passing:
            for directory, _size, shipped in spool.surplus(
                self._root, self._stream_names, self._retention, self._wall_clock()
            ):
                self._forget(directory)
                if spool.delete(directory):
                    self._done.discard(directory)
                    self._deleted += 1
                    self._lost += not shipped
                    if not shipped:
                        _log.warning("journal %s is deleted unshipped: no room", directory.name)

    @property
    def _stream_names(self) -> list[str]:
        return [sender.stream.name for sender in self._senders]

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._passing:
                try:
                    self._pass(lambda: 0.0 if self._stopping.is_set() else _FOR_EVER_S)
                    self._retain_if_due()
                except Exception as error:  # noqa: BLE001 - shipping goes on whatever happened
                    self._tell(f"shipping goes on after {type(error).__name__}: {error}")
            self._wake.wait(self._interval_s)
            self._wake.clear()

    def _retain_if_due(self) -> None:
        if self._clock() >= self._retain_at:
            self._retain_at = self._clock() + _RETENTION_EVERY_S
            self.retain()

    def _pass(self, remaining: Callable[[], float]) -> bool:
        """Look at every journal once; whether all that could be sent is with the backends."""
        self._find_journals()
        complete = True
        for shipment in list(self._shipments.values()):
            try:
                complete &= shipment.ship(remaining, self._may_read)
            except (FileNotFoundError, PermissionError, JournalTooNew) as error:
                self._pass_over(shipment.directory, error)
                continue
            except OSError as error:
                # A full disk: what was acknowledged is still known here, and noted with the next.
                self._tell(f"journal {shipment.directory.name} is shipped with trouble: {error}")
                complete = False
                continue
            if shipment.settled:
                self._forget(shipment.directory)
            elif shipment.forsaken and self._adopted:
                self._close(shipment)
        return complete

    def _find_journals(self) -> None:
        for directory in process_directories(self._root):
            if directory in self._done or directory in self._shipments:
                continue
            if len(self._shipments) >= _MOST_JOURNALS and not is_alive(directory):
                continue
            try:
                self._follow(directory)
            except (FileNotFoundError, PermissionError, JournalTooNew) as error:
                self._pass_over(directory, error)

    def _follow(self, directory: Path) -> None:
        if spool.is_shipped(directory, self._stream_names) and not is_alive(directory):
            self._done.add(directory)
        elif (shipment := Shipment.begin(directory, self._senders)) is not None:
            self._shipments[directory] = shipment

    def _may_read(self, sender: Sender) -> bool:
        """Whether there is room to read on, which a backend that is down must not fill."""
        if not sender.down:
            return True
        waiting = sum(shipment.waiting_for(sender) for shipment in self._shipments.values())
        return waiting < MOST_WAITING

    def _close(self, shipment: Shipment) -> None:
        """Write the end of a process that died unseen, where it is known how it ended."""
        directory = shipment.directory
        if shipment.role == "cli":
            spool.close_lost([directory])
        elif self._on_dead is not None and (end := self._on_dead(directory)) is not None:
            with contextlib.suppress(JournalBusy):
                death.close_dead(directory, end)

    def _pass_over(self, directory: Path, error: Exception) -> None:
        self._tell(f"journal {directory.name} is passed over: {error}")
        self._forget(directory)

    def _forget(self, directory: Path) -> None:
        self._done.add(directory)
        if (shipment := self._shipments.pop(directory, None)) is not None:
            shipment.release()

    def _let_go(self) -> None:
        for directory in list(self._shipments):
            self._shipments.pop(directory).release()
        for sender in self._senders:
            sender.stream.close()

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            _log.warning("%s", sentence)


def _streams(otlp: OtlpTarget | None, sentry: SentryTarget | None) -> list[Stream]:
    streams: list[Stream] = []
    if otlp is not None:
        streams += [SpanStream(otlp), LogStream(otlp)]
    if sentry is not None:
        streams += [ErrorStream(sentry)]
    return streams
