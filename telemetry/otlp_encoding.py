"""Folded spans and logs as OTLP: protobuf for a collector, JSON for people and files."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from google.protobuf import json_format, message  # type: ignore[import-untyped] # has no types
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from telemetry import names
from telemetry.journal import ProcessFacts
from telemetry.records import Log
from telemetry.spans import Span

# Bytes that OTLP's JSON writes in hex, where protobuf's own JSON mapping has base64.
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def trace_request(
    facts: ProcessFacts, spans: Iterable[Span], extra: Mapping[str, str] | None = None
) -> ExportTraceServiceRequest:
    """Return the export request for spans of one process, with their own ids."""
    resource = resource_of(facts, extra)
    return encode_spans([readable_span(span, resource) for span in spans])


def log_request(
    facts: ProcessFacts, logs: Iterable[Log], extra: Mapping[str, str] | None = None
) -> ExportLogsServiceRequest:
    """Return the export request for log records of one process."""
    resource = resource_of(facts, extra)
    return encode_logs([readable_log(log, resource) for log in logs])


def trace_json(facts: ProcessFacts, spans: Iterable[Span]) -> list[dict[str, Any]]:
    """Return `resourceSpans` of OTLP's JSON: ids in hex, 64-bit numbers as text, enums as numbers.

    A span that is open has no `endTimeUnixNano`.
    """
    request = trace_request(facts, spans)
    encoded = json_format.MessageToDict(request, use_integers_for_enums=True)
    _ids_in_hex(encoded)
    found: list[dict[str, Any]] = encoded.get("resourceSpans", [])
    return found


def refused_spans(body: bytes) -> tuple[int, str]:
    """Read out of an acceptance how many spans were not taken, and why."""
    partial = _response(ExportTraceServiceResponse, body).partial_success
    return partial.rejected_spans, partial.error_message


def refused_logs(body: bytes) -> tuple[int, str]:
    """Read out of an acceptance how many log records were not taken, and why."""
    partial = _response(ExportLogsServiceResponse, body).partial_success
    return partial.rejected_log_records, partial.error_message


class Codec(NamedTuple):
    """How the items of a signal are sent, and what an acceptance says of them."""

    request: Callable[[ProcessFacts, Iterable[Any], Mapping[str, str]], message.Message]
    refused: Callable[[bytes], tuple[int, str]]


CODECS: Final = {
    "traces": Codec(trace_request, refused_spans),
    "logs": Codec(log_request, refused_logs),
}


def resource_of(facts: ProcessFacts, extra: Mapping[str, str] | None = None) -> Resource:
    """Return the resource of a journal's process."""
    return Resource(
        {
            "service.name": names.SERVICE,
            "service.version": facts.version,
            "service.instance.id": facts.id,
            "process.pid": facts.pid,
            "host.name": facts.host,
            "loop26.role": facts.role,
            **{f"loop26.process.{key}": value for key, value in _scalars(facts.facts)},
            **(extra or {}),
        }
    )


def readable_span(span: Span, resource: Resource) -> ReadableSpan:
    """Rebuild a span as the SDK would have handed it to an exporter, with its own ids."""
    status = StatusCode(span.status)
    # OpenTelemetry takes a description with an error only.
    description = span.description or None if status is StatusCode.ERROR else None
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=span.attributes,
        events=[Event(one.name, one.attributes, one.at_ns) for one in span.events],
        links=[Link(_context(one.trace_id, one.span_id), one.attributes) for one in span.links],
        kind=SpanKind(span.kind),
        status=Status(status, description),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope(
            names.SERVICE, str(resource.attributes.get("service.version", ""))
        ),
    )


def readable_log(log: Log, resource: Resource) -> ReadableLogRecord:
    """Rebuild a log record as the SDK would have handed it to an exporter."""
    context = Context()
    if log.trace_id and log.span_id:
        span = NonRecordingSpan(_context(log.trace_id, log.span_id))
        context = set_span_in_context(span, context)
    severity = SeverityNumber(min(max(log.severity, 0), SeverityNumber.FATAL4.value))
    record = LogRecord(
        timestamp=log.at_ns,
        observed_timestamp=log.at_ns,
        context=context,
        severity_number=severity,
        severity_text=severity.name,
        body=log.message,
        attributes=log.attributes,
    )
    return ReadableLogRecord(record, resource, InstrumentationScope(log.logger))


def _response(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except message.DecodeError:
        return kind()  # an acceptance in another format is an acceptance


def _context(trace_id: bytes, span_id: bytes) -> SpanContext:
    return SpanContext(
        trace_id=int.from_bytes(trace_id, "big"),
        span_id=int.from_bytes(span_id, "big"),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _scalars(facts: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float | bool]]:
    for key, value in facts.items():
        if isinstance(value, str | int | float | bool):
            yield key, value


def _ids_in_hex(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _ids_in_hex(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _IDS:
                node[key] = base64.b64decode(value).hex()
            else:
                _ids_in_hex(value)
