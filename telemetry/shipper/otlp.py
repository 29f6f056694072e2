"""The way of spans and logs to an OTLP endpoint, by HTTP and protobuf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from telemetry.journal import JournalRecord, ProcessFacts
from telemetry.records import Log
from telemetry.shipper.delivery import Answer, Post, Verdict, encoding
from telemetry.shipper.follower import Select
from telemetry.spans import Folder, Span

_PROTOBUF: Final = {"Content-Type": "application/x-protobuf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpTarget:
    """Where spans and logs go.

    Attributes:
        endpoint: Base address, as in `OTEL_EXPORTER_OTLP_ENDPOINT`; `/v1/traces` is added to it.
        resource: Attributes added to every process's resource, as `deployment.environment.name`.
        timeout_s: How long an answer is waited for. A backend that has taken a request and answers
            later gets it again.
    """

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 30.0
    compress: bool = True

    def post(self, path: str) -> Post:
        """Return the way to one signal's address."""
        url = f"{self.endpoint.rstrip('/')}/{path}"
        return Post(url, {**self.headers, **_PROTOBUF}, compress=self.compress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One of OTLP's signals.

    Attributes:
        name: As in its address, `/v1/{name}`, and in `telemetry.otlp_encoding.CODECS`.
        optional: Whether backends are known that have no place for it.
        select: Picks its items out of a journal.
    """

    name: str
    optional: bool
    select: Select


def _ended(_record: JournalRecord, finished: Sequence[Span], _folder: Folder) -> Sequence[Any]:
    return finished


def _logged(record: JournalRecord, _finished: Sequence[Span], _folder: Folder) -> Sequence[Any]:
    return (record.body,) if isinstance(record.body, Log) else ()


TRACES: Final = Signal(name="traces", optional=False, select=_ended)
LOGS: Final = Signal(name="logs", optional=True, select=_logged)  # Jaeger has none


class OtlpStream:
    """The items of one signal."""

    batch_size = 512
    most_waiting = 4096

    def __init__(self, target: OtlpTarget, signal: Signal) -> None:
        self.name = signal.name
        self.optional = signal.optional
        self._signal = signal
        self._target = target
        self._post = target.post(f"v1/{signal.name}")

    def selection(self) -> Select:
        """Return what picks the signal's items."""
        return self._signal.select

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Export items of one process."""
        # Loads OpenTelemetry's SDK and protobuf: 20 MB that a worker without a collector saves.
        from telemetry import otlp_encoding

        codec = otlp_encoding.CODECS[self.name]
        with encoding():
            body = codec.request(facts, items, self._target.resource).SerializeToString()
        answer = self._post.send(body, min(timeout_s, self._target.timeout_s))
        if answer.verdict is not Verdict.ACCEPTED:
            return answer
        refused, reason = codec.refused(answer.body)
        return answer._replace(refused=refused, reason=reason)

    def close(self) -> None:
        """Close the connection."""
        self._post.close()
