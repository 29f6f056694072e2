"""Folded spans as OTLP."""

from typing import Any

import pytest

from telemetry.journal import ProcessFacts
from telemetry.otlp_encoding import trace_json, trace_request
from telemetry.spans import Event, Link, Span
from telemetry.testing import values_of

FACTS = ProcessFacts(id="one", role="task", pid=7, started_ns=0, host="h", version="0.1.0")


def a_span(**changes: Any) -> Span:
    """Return a span with everything on it."""
    facts: dict[str, Any] = {
        "trace_id": b"\x0a" * 16,
        "span_id": b"\x0b" * 8,
        "parent_id": b"\x0c" * 8,
        "name": "stage model",
        "kind": 4,
        "start_ns": 1_770_000_000_000_000_001,
        "end_ns": 1_770_000_000_000_000_009,
        "status": 2,
        "description": "it broke",
        "attributes": {"s": "text", "i": 3, "f": 0.5, "b": True, "l": [1, 2]},
        "events": (Event("exception", 5, {"exception.type": "E"}),),
        "links": (Link(b"\x0d" * 16, b"\x0e" * 8, {"why": "retry"}),),
        "seq": 1,
        "closed_by": "end",
    }
    return Span(**{**facts, **changes})


def test_everything_of_a_span_is_in_the_request() -> None:
    """Read back from the bytes that a collector would get."""
    request = trace_request(FACTS, [a_span()])
    data = type(request).FromString(request.SerializeToString())
    [span] = data.resource_spans[0].scope_spans[0].spans
    assert (span.trace_id, span.span_id, span.parent_span_id) == (
        b"\x0a" * 16,
        b"\x0b" * 8,
        b"\x0c" * 8,
    )
    assert (span.name, span.status.code, span.status.message) == ("stage model", 2, "it broke")
    assert values_of(span.attributes) == {"s": "text", "i": 3, "f": 0.5, "b": True, "l": [1, 2]}
    assert span.start_time_unix_nano == 1_770_000_000_000_000_001
    assert [event.name for event in span.events] == ["exception"]
    assert span.links[0].trace_id == b"\x0d" * 16


@pytest.mark.parametrize(("kind", "number"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)])
def test_each_kind_is_the_same_kind_in_otlp(kind: int, number: int) -> None:
    """OTLP counts them from 1."""
    request = trace_request(FACTS, [a_span(kind=kind)])
    assert request.resource_spans[0].scope_spans[0].spans[0].kind == number


def test_a_root_span_has_no_parent() -> None:
    """And not one of zeros."""
    request = trace_request(FACTS, [a_span(parent_id=None)])
    assert request.resource_spans[0].scope_spans[0].spans[0].parent_span_id == b""


def test_json_has_ids_in_hex_and_long_numbers_as_text() -> None:
    """As OTLP says, and not as protobuf's own JSON does."""
    [group] = trace_json(FACTS, [a_span()])
    [span] = group["scopeSpans"][0]["spans"]
    assert span["traceId"] == "0a" * 16
    assert (span["spanId"], span["parentSpanId"]) == ("0b" * 8, "0c" * 8)
    assert span["links"][0]["traceId"] == "0d" * 16
    assert span["startTimeUnixNano"] == "1770000000000000001"
    assert (span["kind"], span["status"]["code"]) == (5, 2)
    assert {"key": "i", "value": {"intValue": "3"}} in span["attributes"]


def test_an_open_span_has_no_end_in_json() -> None:
    """A running task can be looked at."""
    [group] = trace_json(FACTS, [a_span(end_ns=None)])
    assert "endTimeUnixNano" not in group["scopeSpans"][0]["spans"][0]
