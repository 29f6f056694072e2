"""The way of spans and logs to an OTLP endpoint, by HTTP and protobuf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from telemetry.journal import ProcessFacts
from telemetry.records import Log
from telemetry.shipper.delivery import Answer, Post, Verdict, encoding
from telemetry.shipper.follower import Select

# The encoders load OpenTelemetry's SDK and protobuf: 20 MB that a worker without a collector
# does not pay for. So each use of `telemetry.shipper.otlp_encoding` imports it where it stands.

_PROTOBUF: Final = {"Content-Type": "application/x-protobuf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpTarget:
    """Where spans and logs go.

    Attributes:
        endpoint: Base address, as in `OTEL_EXPORTER_OTLP_ENDPOINT`; `/v1/traces` is added to it.
        resource: Attributes added to every process's resource, as `deployment.environment.name`.
    """

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    compress: bool = True

    def post(self, path: str) -> Post:
        """Return the way to one signal's address."""
        url = f"{self.endpoint.rstrip('/')}/{path}"
        return Post(url, {**self.headers, **_PROTOBUF}, compress=self.compress)


class SpanStream:
    """Ended spans, to `/v1/traces`."""

    name = "traces"
    optional = False
    batch_size = 512
    most_waiting = 4096

    def __init__(self, target: OtlpTarget) -> None:
        self._target = target
        self._post = target.post("v1/traces")

    def selection(self) -> Select:
        """Return what picks the spans that a record ended."""
        return lambda _record, finished, _folder: finished

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Export spans of one process."""
        from telemetry.shipper import otlp_encoding

        with encoding():
            request = otlp_encoding.trace_request(facts, items, self._target.resource)
            body = request.SerializeToString()
        answer = self._post.send(body, min(timeout_s, self._target.timeout_s))
        if answer.verdict is Verdict.ACCEPTED:
            refused, reason = otlp_encoding.refused_spans(answer.body)
            return answer._replace(refused=refused, reason=reason)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._post.close()


class LogStream:
    """Log records, to `/v1/logs`, which a backend for traces alone does not have."""

    name = "logs"
    optional = True
    batch_size = 512
    most_waiting = 4096

    def __init__(self, target: OtlpTarget) -> None:
        self._target = target
        self._post = target.post("v1/logs")

    def selection(self) -> Select:
        """Return what picks a record itself, when it is a log record."""
        return lambda record, _finished, _folder: (
            (record.body,) if isinstance(record.body, Log) else ()
        )

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Export log records of one process."""
        from telemetry.shipper import otlp_encoding

        with encoding():
            request = otlp_encoding.log_request(facts, items, self._target.resource)
            body = request.SerializeToString()
        answer = self._post.send(body, min(timeout_s, self._target.timeout_s))
        if answer.verdict is Verdict.ACCEPTED:
            refused, reason = otlp_encoding.refused_logs(answer.body)
            return answer._replace(refused=refused, reason=reason)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._post.close()
