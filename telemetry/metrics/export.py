"""The way of metrics to an OTLP endpoint: as the shipper's, but what fails is not sent again."""

import logging
import time
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from telemetry.shipper.delivery import Answer, Verdict
from telemetry.shipper.otlp import OtlpTarget

_SHORTEST_TIMEOUT_S: Final = 0.1
_log = logging.getLogger(__name__)


class OtlpMetricExporter(MetricExporter):
    """Sends each collection once.

    The values are totals since the start, so the next collection makes up for one that failed. An
    outage is said once, and so is its end.

    Attributes:
        failures: How many exports failed.
        until: When the last request must be over, by the monotonic clock; None while the worker
            runs on.
    """

    def __init__(self, target: OtlpTarget) -> None:
        super().__init__()
        self.failures = 0
        self.until: float | None = None
        self._timeout_s = target.timeout_s
        self._post = target.post("v1/metrics")
        self._is_down = False

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_more: Any
    ) -> MetricExportResult:
        """Send what was collected. Raises nothing."""
        timeout_s = min(self._timeout_s, timeout_millis / 1000)
        if self.until is not None:
            timeout_s = min(timeout_s, self.until - time.monotonic())
        try:
            body = encode_metrics(metrics_data).SerializeToString()
            answer = self._post.send(body, max(_SHORTEST_TIMEOUT_S, timeout_s))
        except Exception as error:  # noqa: BLE001 - a fault of telemetry costs a task nothing
            answer = Answer(Verdict.REFUSED, f"{type(error).__name__}: {error}")
        self._tell(answer)
        if answer.verdict is Verdict.ACCEPTED:
            return MetricExportResult.SUCCESS
        self.failures += 1
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits here: an export has been sent when it returns."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_more: Any) -> None:
        """Close the connection."""
        del timeout_millis
        self._post.close()

    def _tell(self, answer: Answer) -> None:
        accepted = answer.verdict is Verdict.ACCEPTED
        if not accepted and not self._is_down:
            # At the worker's end its journal is closed: a warning would find its way to stderr.
            calm = answer.absent or self.until is not None
            level = logging.INFO if calm else logging.WARNING
            _log.log(level, "metrics cannot be shipped now: %s", answer.reason)
        elif accepted and self._is_down:
            _log.info("metrics are shipped again")
        self._is_down = not accepted
