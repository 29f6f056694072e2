"""Ships what journals hold: ended spans and logs by OTLP, errors to Sentry, each exactly once."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from telemetry.errors import JournalTooNew
from telemetry.shipper import spool
from telemetry.shipper.adoption import Adoption
from telemetry.shipper.counters import Counters, SignalCounters
from telemetry.shipper.follower import Stream
from telemetry.shipper.otlp import LOGS, TRACES, OtlpStream, OtlpTarget
from telemetry.shipper.retention import Awaited, Needed, Pruner, Retention
from telemetry.shipper.roster import Roster
from telemetry.shipper.sender import Sender
from telemetry.shipper.sentry import ErrorStream, SentryTarget

_RETENTION_EVERY_S: Final = 60.0
_FOR_EVER_S: Final = 3600.0
_SIGNALS: Final = {ErrorStream.name: "errors"}

_log = logging.getLogger(__name__)


class Shipper:
    """Follows every journal of a spool and sends what is complete, for as long as it takes.

    A span is sent when it has ended, never before; what a dead process left open ends with the
    last record of its journal, which its supervisor writes (`telemetry.death.close_dead`). What
    was acknowledged stands in `shipped.json` beside each journal, so a restart sends nothing
    twice, but for a batch acknowledged in the instant of a crash. While a backend is down, or
    refuses for reasons that are not in what it is sent, nothing is dropped: its mark does not
    advance. A backend without a place for logs (Jaeger) gets its traces; the logs wait, and are
    offered again, for as long as retention keeps their journals.

    Two threads run: one applies retention every minute, one ships, where there is a target.
    Neither waits for the other.

    Args:
        root: The spool.
        otlp: Where spans and logs go.
        sentry: Where errors go.
        retention: How long journals are kept.
        interval_s: Seconds between two looks at the journals.
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
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._interval_s = interval_s
        self._adoption = Adoption(root)
        self._clock = clock
        self._wall_clock = wall_clock
        self._senders = [Sender(stream, clock) for stream in _streams(otlp, sentry)]
        self._to_backends = list(self._senders)
        self._roster = Roster(root, self._senders, self._tell)
        self._pruner = Pruner(root, retention or Retention(), self._needed)
        self._told: set[str] = set()
        self._complete = False
        self._deadline = 0.0
        self._passing = threading.RLock()
        self._pruning = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def counters(self) -> Counters:
        """What has been done so far."""
        shipments = list(self._roster.shipments.values())
        return Counters(
            exported=sum(sender.exported for sender in self._to_backends),
            held_back=sum(sender.held_back for sender in self._to_backends),
            refused=sum(sender.refused for sender in self._to_backends),
            failures=sum(sender.failures for sender in self._to_backends),
            behind=sum(shipment.waiting for shipment in shipments),
            deleted=self._pruner.deleted,
            shortened=self._pruner.shortened,
            lost=self._pruner.lost,
            unanswered=sum(sender.unanswered for sender in self._to_backends),
            unclosed=len(self._adoption.unclosed),
        )

    @property
    def by_signal(self) -> dict[str, SignalCounters]:
        """The same by signal: traces, logs, errors; those alone that have a backend."""
        shipments = list(self._roster.shipments.values())
        return {
            _SIGNALS.get(sender.stream.name, sender.stream.name): SignalCounters(
                exported=sender.exported,
                refused=sender.refused,
                held_back=sender.held_back,
                failures=sender.failures,
                unanswered=sender.unanswered,
                waiting=sum(shipment.waiting_for(sender) for shipment in shipments),
                oldest_ns=min(
                    filter(None, (shipment.oldest_ns_for(sender) for shipment in shipments)),
                    default=0,
                ),
            )
            for sender in self._to_backends
        }

    @property
    def spool_bytes(self) -> int:
        """Size of all journals, as retention has measured them last."""
        return self._pruner.measured_bytes

    def also_feed(self, stream: Stream, *, newest_s: float) -> None:
        """Give a stream of this process's own what journals hold; before `start`.

        It gets each item once, as a backend does, but of a dead process only what was written in
        the last `newest_s` seconds. It counts for none in `counters`, and keeps no journal.
        """

        def passes_over(directory: Path) -> bool:
            return spool.written_s(directory) < self._wall_clock() - newest_s

        self._senders.append(Sender(stream, self._clock, passes_over))

    def start(self) -> None:
        """Begin to ship and to apply retention, in threads of their own."""
        if self._threads:
            return
        self._begin("retention", self._keep_retaining)
        if self._senders:
            self._begin("shipper", self._keep_shipping)

    def wake(self) -> None:
        """Look at the journals now, not at the next interval."""
        self._wake.set()

    def adopt(self) -> list[Path]:
        """Close the journals of processes that are gone and whose end nobody has written.

        For a supervisor to call once, when it has settled what the one before it left. Returns the
        directories; their processes' ends are recorded as "lost". Those whose end cannot be
        written are counted (`Counters.unclosed`), and tried again as often as retention is applied.
        """
        closed = self._adoption.begin()
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
            return self._drain(lambda: deadline - self._clock())
        finally:
            self._passing.release()

    def stop(self, timeout: float) -> bool:
        """Drain, and end the threads; False when not all could be shipped in `timeout` seconds.

        Returns in that time whatever a backend does: what is not acknowledged then stays in the
        journals for the next shipper. There is no need to `drain` before.
        """
        until = time.monotonic() + timeout
        self._deadline = self._clock() + timeout
        self._stopping.set()
        self._wake.set()
        if not (self._threads and self._senders):
            self._finish()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return self._complete

    def retain(self) -> None:
        """Delete journals beyond the limits of size and age; waits for no shipping.

        The thread that `start` begins calls it every minute.
        """
        streams = frozenset(sender.stream.name for sender in self._to_backends)
        absent = frozenset(sender.stream.name for sender in self._to_backends if sender.absent)
        with self._pruning:
            self._pruner.prune(Awaited(streams, streams - absent), self._wall_clock())

    def _begin(self, name: str, run: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        self._threads[-1].start()

    def _needed(self, name: str) -> Needed | None:
        shipment = self._roster.shipments.get(name)
        return None if shipment is None else shipment.needed

    def _keep_retaining(self) -> None:
        while not self._stopping.is_set():
            try:
                self.retain()
                self._adoption.go_on()
            except Exception as error:  # noqa: BLE001 - it is tried again, whatever happened
                self._tell(f"retention goes on after {type(error).__name__}: {error}")
            self._stopping.wait(_RETENTION_EVERY_S)

    def _keep_shipping(self) -> None:
        while not self._stopping.is_set():
            with self._passing:
                try:
                    self._pass(lambda: 0.0 if self._stopping.is_set() else _FOR_EVER_S)
                except Exception as error:  # noqa: BLE001 - shipping goes on whatever happened
                    self._tell(f"shipping goes on after {type(error).__name__}: {error}")
            self._wake.wait(self._interval_s)
            self._wake.clear()
        self._finish()

    def _finish(self) -> None:
        """Ship what there is time for, then let go of journals and connections."""
        try:
            self._complete = self.drain(max(0.0, self._deadline - self._clock()))
        finally:
            with self._passing:
                self._roster.let_go()
                for sender in self._senders:
                    sender.stream.close()

    def _drain(self, remaining: Callable[[], float]) -> bool:
        left_out = sys.maxsize
        while self._pass(remaining) and self._roster.left_out < left_out:
            left_out = self._roster.left_out
            if not left_out:
                return True
        return False

    def _pass(self, remaining: Callable[[], float]) -> bool:
        """Look at every journal once; whether all that could be sent is with the backends."""
        self._roster.refresh()
        complete = True
        for name, shipment in list(self._roster.shipments.items()):
            try:
                complete &= shipment.ship(remaining, self._may_read)
            except (FileNotFoundError, PermissionError, JournalTooNew) as error:
                self._roster.pass_over(name, error)
                continue
            except OSError as error:
                # A full disk: what was acknowledged is still known here, and noted once it can be.
                self._tell(f"journal {name} is shipped with trouble: {error}")
                complete = False
                continue
            if shipment.settled:
                self._roster.forget(name)
            elif shipment.forsaken and self._adoption.begun:
                self._adoption.close(shipment)
        return complete

    def _may_read(self, sender: Sender) -> bool:
        """Whether there is room to read on, which a backend that is down must not fill."""
        if not sender.down:
            return True
        shipments = self._roster.shipments.values()
        return (
            sum(shipment.waiting_for(sender) for shipment in shipments) < sender.stream.most_waiting
        )

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            _log.warning("%s", sentence)


def _streams(otlp: OtlpTarget | None, sentry: SentryTarget | None) -> list[Stream]:
    streams: list[Stream] = []
    if otlp is not None:
        streams += [OtlpStream(otlp, TRACES), OtlpStream(otlp, LOGS)]
    if sentry is not None:
        streams += [ErrorStream(sentry)]
    return streams
