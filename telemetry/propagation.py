"""Propagation: trace contexts cross processes as W3C traceparent texts, on a task's row."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def remote_context(traceparent: str | None) -> Context:
    """Make the context that a traceparent names; an empty one for None or a malformed text."""
    return _PROPAGATOR.extract({"traceparent": traceparent or ""}, context=Context())


def trace_id_of(traceparent: str | None) -> bytes:
    """Return the 16 bytes of the trace id; zeros for None or a malformed text."""
    span = trace.get_current_span(remote_context(traceparent))
    return span.get_span_context().trace_id.to_bytes(16, "big")
