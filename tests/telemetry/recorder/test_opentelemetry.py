"""The recorder keeps OpenTelemetry's contract, so that instrumentation libraries work on it."""

import asyncio

import pytest
from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import telemetry
from telemetry.records import Kind

from .conftest import Recording


def test_the_current_span_is_opentelemetrys(recording: Recording) -> None:
    """In a block of ours, and in one of any tracer."""
    tracer = trace.get_tracer("library")
    with telemetry.span("ours") as ours:
        assert trace.get_current_span() is ours
        with tracer.start_as_current_span("theirs") as theirs:
            assert trace.get_current_span() is theirs
        assert trace.get_current_span() is ours
    assert not trace.get_current_span().is_recording()

    spans = recording.spans()
    assert spans["theirs"].parent_id == spans["ours"].span_id


def test_a_span_that_is_started_is_not_current(recording: Recording) -> None:
    """`start_span` begins it, `use_span` makes it current, `end` ends it."""
    span = trace.get_tracer("library").start_span("started")
    assert trace.get_current_span() is not span
    with trace.use_span(span):
        assert trace.get_current_span() is span
    assert recording.spans() == {}
    span.end()
    assert list(recording.spans()) == ["started"]


def test_the_line_of_a_librarys_span_is_its_callers(recording: Recording) -> None:
    """Not a line of OpenTelemetry."""
    with trace.get_tracer("library").start_as_current_span("theirs"):
        (begin,) = recording.bodies(Kind.SPAN_BEGIN)

    assert begin.attributes["code.file.path"] == __file__


def test_the_context_is_propagated_as_a_traceparent(recording: Recording) -> None:
    """And what is extracted is the parent of the next span, in its trace."""
    carrier: dict[str, str] = {}
    with telemetry.span("outer") as outer:
        propagate.inject(carrier)
    assert carrier["traceparent"] == f"00-{outer.trace_id.hex()}-{outer.span_id.hex()}-01"

    context = TraceContextTextMapPropagator().extract(carrier)
    with recording.recorder.span("continued", context=context):
        pass

    continued = recording.spans()["continued"]
    assert (continued.trace_id, continued.parent_id) == (outer.trace_id, outer.span_id)


def test_the_trace_state_of_a_parent_is_passed_on(recording: Recording) -> None:
    """Through a span of ours to the next process."""
    carrier = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "vendor=x"}
    context = TraceContextTextMapPropagator().extract(carrier)
    with recording.recorder.span("ours", context=context), telemetry.span("inner"):
        onward: dict[str, str] = {}
        propagate.inject(onward)

    assert onward["tracestate"] == "vendor=x"


def test_links_are_recorded(recording: Recording) -> None:
    """A retry links to the attempt before it: at its start, or later."""
    before = SpanContext(0xAB, 0xCD, is_remote=True, trace_flags=TraceFlags(1))
    with recording.recorder.span("process t2v", links=[Link(before, {"why": "retry"})]) as span:
        span.add_link(before, {"later": True})

    (begin,), (update,) = recording.bodies(Kind.SPAN_BEGIN), recording.bodies(Kind.SPAN_UPDATE)
    ids = ((0xAB).to_bytes(16), (0xCD).to_bytes(8))
    assert begin.links == [(*ids, {"why": "retry"})]
    assert update.links == [(*ids, {"later": True})]


def test_a_new_name_is_recorded(recording: Recording) -> None:
    """Instrumentation of HTTP names a span once it knows the route."""
    with telemetry.span("GET") as span:
        span.update_name("GET /rest")

    (update,) = recording.bodies(Kind.SPAN_UPDATE)
    assert update.name == "GET /rest"


def test_a_status_of_ok_is_final(recording: Recording) -> None:
    """OpenTelemetry's rule; ERROR replaces nothing after it."""
    with telemetry.span("a") as span:
        span.set_status(StatusCode.OK)
        span.set_status(Status(StatusCode.ERROR, "late"))

    assert recording.spans()["a"].status == StatusCode.OK.value


def test_an_error_status_has_its_description(recording: Recording) -> None:
    """In either form of the call."""
    with telemetry.span("a") as span:
        span.set_status(Status(StatusCode.ERROR, "refused"))
    with telemetry.span("b") as span:
        span.set_status(StatusCode.ERROR, "busy")

    spans = recording.spans()
    assert (spans["a"].description, spans["b"].description) == ("refused", "busy")


def test_an_exception_is_recorded_once_through_any_blocks(recording: Recording) -> None:
    """`use_span` records it too, and so may the library itself."""
    tracer = trace.get_tracer("library")

    def fail() -> None:
        with telemetry.span("ours"), tracer.start_as_current_span("theirs") as theirs:
            fault = ValueError("once")
            theirs.record_exception(fault)
            raise fault

    span = tracer.start_span("used")
    with pytest.raises(ValueError, match="once"), trace.use_span(span, end_on_exit=True):
        fail()

    spans = recording.spans()
    events = {name: [event.name for event in span.events] for name, span in spans.items()}
    assert events == {"theirs": ["exception"], "ours": [], "used": []}
    assert {span.status for span in spans.values()} == {StatusCode.ERROR.value}


def test_what_a_caller_refused_is_not_recorded(recording: Recording) -> None:
    """`record_exception=False` and `set_status_on_exception=False` hold."""
    tracer = trace.get_tracer("library")
    with (
        pytest.raises(ValueError, match="quiet"),
        tracer.start_as_current_span(
            "quiet", record_exception=False, set_status_on_exception=False
        ),
    ):
        raise ValueError("quiet")

    span = recording.spans()["quiet"]
    assert (span.events, span.status) == ((), StatusCode.UNSET.value)


def test_a_tracer_decorates_functions(recording: Recording) -> None:
    """Also those of asyncio, whose span lasts as long as they run."""
    tracer = trace.get_tracer("library")

    @tracer.start_as_current_span("sync")
    def sync() -> int:
        return 1

    @tracer.start_as_current_span("async")
    async def coroutine() -> bool:
        await asyncio.sleep(0)
        return trace.get_current_span().is_recording()

    assert sync() == sync() == 1
    assert asyncio.run(coroutine())
    begun = [body.name for body in recording.bodies(Kind.SPAN_BEGIN)]
    assert begun == ["sync", "sync", "async"]
    assert set(recording.spans()) == {"sync", "async"}
