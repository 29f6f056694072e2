"""What the supervisor shows as metrics of itself, and of what became of its telemetry."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from telemetry import names
from telemetry.metrics import Look, Meters, Observed
from telemetry.shipper import Shipper
from worker.supervisor.presence import Presence

STATES: Final = ("starting", "ready", "busy", "draining", "stopped")


def looks(
    presence: Presence, shipper: Shipper, meters: Meters, unclosed: Callable[[], int]
) -> Mapping[str, Look]:
    """Say how the instruments are looked at; each look answers at once.

    Args:
        presence: The worker's.
        shipper: Of its journals.
        meters: Those that show it.
        unclosed: Counts the ends that the supervisor could not write yet.
    """

    def total(name: str) -> Look:
        return lambda: [Observed(getattr(shipper.counters, name))]

    def deleted() -> list[Observed]:
        counters = shipper.counters
        return [Observed(counters.deleted + counters.shortened)]

    def failures() -> Iterator[Observed]:
        yield from _by_signal(shipper, "failures")
        yield Observed(meters.failures, {names.SIGNAL: "metrics"})

    return {
        names.WORKER_STATUS: lambda: _states(presence.state),
        names.TELEMETRY_EXPORTED: lambda: _by_signal(shipper, "exported"),
        names.TELEMETRY_REFUSED: lambda: _by_signal(shipper, "refused"),
        names.TELEMETRY_HELD_BACK: lambda: _by_signal(shipper, "held_back"),
        names.TELEMETRY_WAITING: lambda: _by_signal(shipper, "waiting"),
        names.TELEMETRY_OLDEST_AGE: lambda: _ages(shipper),
        names.TELEMETRY_FAILURES: failures,
        names.TELEMETRY_UNANSWERED: lambda: _by_signal(shipper, "unanswered"),
        names.TELEMETRY_RECORDS_LOST: lambda: [Observed(presence.telemetry.lost)],
        names.TELEMETRY_FAULTS: lambda: [Observed(presence.telemetry.faults)],
        names.TELEMETRY_JOURNALS_DELETED: deleted,
        names.TELEMETRY_JOURNALS_LOST: total("lost"),
        names.TELEMETRY_JOURNALS_UNCLOSED: lambda: [
            Observed(shipper.counters.unclosed + unclosed())
        ],
        names.TELEMETRY_SPOOL_SIZE: lambda: [Observed(shipper.spool_bytes)],
    }


def _states(now: str) -> Iterator[Observed]:
    for state in STATES:
        yield Observed(int(state == now), {names.WORKER_STATE: state})


def _by_signal(shipper: Shipper, count: str) -> Iterator[Observed]:
    for signal, counters in shipper.by_signal.items():
        yield Observed(getattr(counters, count), {names.SIGNAL: signal})


def _ages(shipper: Shipper) -> Iterator[Observed]:
    for signal, counters in shipper.by_signal.items():
        at_ns = counters.oldest_ns
        age_s = max(0.0, time.time() - at_ns / 1e9) if at_ns else 0.0
        yield Observed(age_s, {names.SIGNAL: signal})
