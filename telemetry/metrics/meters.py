"""The instruments of the catalog, on OpenTelemetry's SDK, exported in an interval."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from telemetry import names
from telemetry.journal import ProcessFacts
from telemetry.metrics.catalog import CATALOG, Shape
from telemetry.shipper.otlp import OtlpTarget

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.sdk.metrics import MeterProvider

    from telemetry.metrics.export import OtlpMetricExporter

# Sets of attributes an instrument may have; what comes after them is counted together, under
# `otel.metric.overflow`. The attributes of the catalog stay far below it.
MOST_SETS: Final = 500
_log = logging.getLogger(__name__)


class Measured(NamedTuple):
    """One measurement; the ids are those of the span that it is of, for the exemplar."""

    name: str
    value: float
    attributes: Mapping[str, Any]
    trace_id: bytes = b""
    span_id: bytes = b""


class Observed(NamedTuple):
    """What an observed instrument shows now, for one set of attributes."""

    value: float
    attributes: Mapping[str, Any] = {}


Look: TypeAlias = Callable[[], Iterable[Observed]]
"""Called at each export: must answer at once, with what is known already."""


class Meters:
    """Takes measurements and exports them. Nothing of it raises into, or waits for, a task.

    The SDK, 20 MB of it, is loaded by `start` alone; what is measured before is dropped.

    Args:
        target: Where metrics go: with those of spans and logs, to `/v1/metrics`.
        every_s: Seconds between two exports.
    """

    def __init__(self, target: OtlpTarget, *, every_s: float) -> None:
        self.every_s = every_s
        self._target = target
        self._blind: set[str] = set()
        self._version = ""
        self._provider: MeterProvider | None = None
        self._exporter: OtlpMetricExporter | None = None
        self._record: dict[str, Callable[..., None]] = {}

    @property
    def failures(self) -> int:
        """How many exports have failed."""
        return self._exporter.failures if self._exporter else 0

    def observe(self, looks: Mapping[str, Look]) -> None:
        """Show observed instruments, looked at in these ways, by their names; after `start`."""
        if self._provider is not None:
            meter = self._provider.get_meter(names.SERVICE, self._version)
            for name, look in looks.items():
                self._show(meter, name, look)

    def start(self, facts: ProcessFacts) -> None:
        """Begin to take measurements, and to export them as those of this process."""
        from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        from telemetry.metrics.export import OtlpMetricExporter
        from telemetry.otlp_encoding import resource_of

        self._exporter = OtlpMetricExporter(self._target)
        reader = PeriodicExportingMetricReader(
            self._exporter,
            export_interval_millis=self.every_s * 1000,
            export_timeout_millis=self._target.timeout_s * 1000,
            cardinality_limits={Counter: MOST_SETS, Histogram: MOST_SETS},
        )
        self._provider = MeterProvider(
            [reader], resource_of(facts, self._target.resource), shutdown_on_exit=False
        )
        self._version = facts.version
        self._make(self._provider.get_meter(names.SERVICE, facts.version))

    def take(self, measured: Sequence[Measured]) -> None:
        """Take measurements in; each becomes an exemplar that leads to its span."""
        for one in measured:
            if (record := self._record.get(one.name)) is not None:
                record(one.value, dict(one.attributes), _context(one.trace_id, one.span_id))

    def stop(self, timeout_s: float) -> None:
        """Export once more and end, in `timeout_s` seconds whatever a backend does."""
        provider, exporter = self._provider, self._exporter
        if provider is None or exporter is None:
            return
        self._provider, self._record = None, {}
        exporter.until = time.monotonic() + timeout_s
        # A thread of its own: the SDK joins its reader for as long as it is told, and then its
        # exporter for as long again.
        ending = threading.Thread(
            target=provider.shutdown, args=(timeout_s * 1000,), name="metrics-end", daemon=True
        )
        ending.start()
        ending.join(timeout_s)

    def _make(self, meter: "Meter") -> None:
        for one in CATALOG.values():
            if one.shape is Shape.COUNTER:
                counter = meter.create_counter(one.name, one.unit, one.tells)
                self._record[one.name] = counter.add
            elif one.shape is Shape.HISTOGRAM:
                histogram = meter.create_histogram(
                    one.name, one.unit, one.tells, explicit_bucket_boundaries_advisory=one.buckets
                )
                self._record[one.name] = histogram.record

    def _show(self, meter: "Meter", name: str, look: Look) -> None:
        one = CATALOG[name]
        create = {
            Shape.OBSERVED_COUNTER: meter.create_observable_counter,
            Shape.OBSERVED_SUM: meter.create_observable_up_down_counter,
            Shape.OBSERVED_GAUGE: meter.create_observable_gauge,
        }[one.shape]
        create(name, [self._callback(name, look)], one.unit, one.tells)

    def _callback(
        self, name: str, look: Look
    ) -> "Callable[[CallbackOptions], Iterable[Observation]]":
        from opentelemetry.metrics import Observation

        def observations(_options: "CallbackOptions") -> "list[Observation]":
            try:
                return [Observation(value, dict(more)) for value, more in look()]
            except Exception:  # noqa: BLE001 - one that cannot be looked at keeps none from export
                if name not in self._blind:
                    self._blind.add(name)
                    _log.warning("%s cannot be looked at", name, exc_info=True)
                return []

        return observations


def _context(trace_id: bytes, span_id: bytes) -> Any:
    """Return the context of a span, for an exemplar; None where there is none."""
    if not (trace_id and span_id):
        return None
    from opentelemetry import trace

    span = trace.SpanContext(
        int.from_bytes(trace_id, "big"),
        int.from_bytes(span_id, "big"),
        is_remote=False,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(span))
