"""A journey out of a Jaeger: what comes back is what was recorded, as far as spans tell it."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from telemetry import errors, names
from telemetry.recorder.exceptions import message, stack_text
from telemetry.records import Kind, SpanEvent, SpanUpdate
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.completeness import completeness
from telemetry.reports.sources import jaeger
from telemetry.reports.sources.exported_trace import trace_of
from telemetry.reports.sources.otlp_reading import read_spans
from telemetry.reports.sources.stack_text import read_stack
from telemetry.reports.trace import TraceModel, otlp_json, read_trace
from telemetry.reports.wording import CUT
from telemetry.spans import Span

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
TASK: Final = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
PROCESS: Final = {
    names.TASK_ID: TASK,
    names.TASK_TYPE: "travel_segment",
    names.TASK_ATTEMPT: 1,
    names.TASK_PARAMS: '{"seed": 26, "lora": null}',
    names.WORKER_ID: "gpu-1",
    names.RECORD_SPANS: 4,
    names.RECORD_COMPLETE: True,
}


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers each GET as the server's `answer` says; notes what was asked."""

    server: "Answering"

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with_pieces = body if isinstance(body, list) else [body]
        try:
            for piece in with_pieces:
                self.wfile.write(piece)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class Answering(http.server.ThreadingHTTPServer):
    """A server that answers everything with the same."""

    answer: tuple[int, dict[str, str], Any] = (200, {}, b"")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Answering]:
    """Run a server."""
    with Answering() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def journey(new_script: Any, spool: Path) -> TraceModel:
    """Record a task that fails by an exception right after its parameter loop."""
    script = new_script(role="supervisor", first_id=100)
    script.task(TASK)
    root = script.begin("process travel_segment", 0, kind=4, **PROCESS)
    work = new_script()
    work.task(TASK, seed=26, lora=None)
    stage = work.begin("stage parameters", 1, parent=root, **{names.STAGE_NAME: "parameters"})
    for index in (1, 2, 3):
        facts = {names.LOOP_INDEX: index, names.LOOP_COUNT: 3, names.PARAM_NEW: "null"}
        work.span(
            "loop iteration",
            index + 0.1,
            index + 0.5,
            **facts,
            **{"loop26.param.new.is_null": True},
        )
    raised = failure()
    told = {
        names.EXCEPTION_TYPE: "RuntimeError",
        names.EXCEPTION_MESSAGE: str(raised),
        names.EXCEPTION_STACKTRACE: stack_text(raised),
        names.CODE_FILE: "/app/own.py",
        names.CODE_LINE: 26,
        names.CODE_FUNCTION: "own",
        names.ERROR_EXPRESSION: "models[name]",
        names.ERROR_FINGERPRINT: "26" * 8,
        names.ERROR_OWN_FILE: "/wgp/vae.py",
        names.ERROR_OWN_LINE: 19,
        names.ERROR_OWN_FUNCTION: "decode",
    }
    put(work, stage, told, at_ms=4)
    work.error(task_id=TASK, at_ns=1_770_000_000_004_000_000)
    work.end(5, status=2, description="RuntimeError: it")
    work.end_task(TASK, "Failed", 6)
    script.begin("settle tasks", 7, kind=2, **{names.TASK_OUTCOME: "Failed"})
    script.end(8)
    script.end(9, status=2, description="Failed")
    script.end_task(TASK, "", 9)
    model = read_trace(spool, TASK)
    assert model is not None
    return model


def failure() -> Exception:
    """Raise an exception with a cause, whose message looks like a traceback."""
    try:
        try:
            {}["models"]
        except KeyError as missing:
            said = 'it\n\nCaused by: Traceback (most recent call last):\n  File "x", line 1, in y\n'
            raise RuntimeError(said) from missing
    except RuntimeError as raised:
        return raised


def put(script: Any, span: bytes, told: dict[str, Any], at_ms: int) -> None:
    """Give a span an exception event, and the type that left it."""
    at_ns = 1_770_000_000_000_000_000 + at_ms * 1_000_000
    event = SpanEvent(span_id=span, name="exception", at_ns=at_ns, attributes=told)
    script.writer.append(Kind.SPAN_EVENT, event)
    left = {names.ERROR_TYPE: told[names.EXCEPTION_TYPE]}
    script.writer.append(Kind.SPAN_UPDATE, SpanUpdate(span_id=span, attributes=left))


def exported(model: TraceModel) -> bytes:
    """Encode a journey as Jaeger answers."""
    return msgspec.json.encode({"result": otlp_json(model)})


def read_back(model: TraceModel) -> TraceModel:
    """Read a journey out of its JSON."""
    return trace_of(read_spans(exported(model)), TRACE, TASK)


def unnumbered(model: TraceModel) -> list[Span]:
    """Return a journey's spans without the numbers of their records: tests write none on them."""
    return [replace(span, seq=0) for span in model.spans]


def refused(url: str, trace_id: str = TRACE, timeout_s: float = 5.0) -> errors.JaegerError:
    """Return the error, of one line, that reading ends with."""
    with pytest.raises(errors.JaegerError) as refusal:
        jaeger.read_trace(url, trace_id, TASK, timeout_s=timeout_s)
    assert "\n" not in str(refusal.value)
    return refusal.value


def test_every_span_comes_back_as_it_was_recorded(journey: TraceModel) -> None:
    """Ids, times, kinds, attributes with what was None, events and status."""
    assert read_back(journey).spans == unnumbered(journey)


def test_processes_are_told_by_their_resource(journey: TraceModel) -> None:
    """With role, host and the facts that are plain."""
    found = read_back(journey).processes
    facts = [(one.facts.id, one.facts.role, one.facts.pid, one.facts.facts) for one in found]
    assert facts == [
        (one.facts.id, one.facts.role, one.facts.pid, one.facts.facts) for one in journey.processes
    ]


def test_tasks_are_told_by_their_process_span(journey: TraceModel) -> None:
    """With their parameters, which are JSON there, in the task process alone."""
    supervisor, work = read_back(journey).processes
    ((begin, end),) = work.tasks
    assert (begin.task_id, begin.attempt, begin.task_type) == (TASK, 1, "travel_segment")
    assert (begin.worker_id, begin.params) == ("gpu-1", {"seed": 26, "lora": None})
    assert end is not None
    assert end.outcome == "Failed"
    ((led, _),) = supervisor.tasks
    assert led.params == {}


def test_an_error_is_told_by_its_event(journey: TraceModel) -> None:
    """Where it was raised, in which stage, after which iteration, by which expression."""
    (error,) = read_back(journey).errors
    assert (error.type, error.kind, error.handled) == ("RuntimeError", "exception", False)
    assert (error.file, error.line, error.function) == ("/app/own.py", 26, "own")
    assert (error.place, error.stage) == ("raised at", "parameters")
    assert (error.loop_index, error.loop_count) == (3, 3)
    assert (error.expression, error.task_id) == ("models[name]", TASK)
    assert error.fingerprint == "26" * 8
    assert (error.own_file, error.own_line, error.own_function) == ("/wgp/vae.py", 19, "decode")


def test_a_traceback_is_read_back_frame_by_frame() -> None:
    """The cause with it; a message that looks like a traceback stays a message."""
    raised = failure()
    first, cause = read_stack(stack_text(raised), "RuntimeError", message(raised))
    assert first.message == str(raised)
    assert (cause.type, cause.module, cause.message) == ("KeyError", "builtins", "'models'")
    assert cause.relation == "cause"
    (frame,) = cause.frames
    assert (frame.file, frame.function, frame.locals) == (__file__, "failure", {})
    assert frame.source == ['{}["models"]']
    assert frame.source_first_line == frame.line


def test_of_a_traceback_whose_beginning_is_cut_the_rest_is_read() -> None:
    """It ends with what matters."""
    text = '…el.py", line 1, in a\n    go()\n  File "b.py", line 2, in b\n    x\nE: it\n'
    (found,) = read_stack(text, "m.E", "it")
    assert (found.type, found.module, found.message) == ("E", "m", "it")
    assert [(one.file, one.line) for one in found.frames] == [("b.py", 2)]


@pytest.mark.parametrize("text", ["", "nothing of the kind", "\n\n\n", "…", "Caused by: " * 9])
def test_what_is_no_traceback_has_no_frames(text: str) -> None:
    """Whatever it is."""
    assert [one.frames for one in read_stack(text)] in ([], [[]])


def test_an_exception_that_was_caught_is_a_handled_one(new_script: Any, spool: Path) -> None:
    """The stage around it went well."""
    script = new_script()
    script.task(TASK)
    script.begin("process travel_segment", 0, **PROCESS)
    script.begin("stage loras", 1)
    call = script.begin("engine load", 2)
    put(script, call, {names.EXCEPTION_TYPE: "OSError", names.EXCEPTION_MESSAGE: "no"}, 3)
    script.end(3, status=2)
    script.end(4)
    script.end(5)
    script.end_task(TASK)
    model = read_trace(spool, TASK)
    assert model is not None
    (error,) = read_back(model).errors
    assert (error.type, error.handled, error.stage) == ("OSError", True, "")


def test_an_exception_that_was_handled_and_let_go_has_ended_the_attempt(
    new_script: Any, spool: Path
) -> None:
    """It left every span, and the queue was told of a failure."""
    script = new_script()
    script.task(TASK)
    script.begin("process travel_segment", 0, **PROCESS)
    stage = script.begin("stage loras", 1)
    told = {names.EXCEPTION_TYPE: "OSError", names.ERROR_HANDLED: True, names.ERROR_ID: "a" * 32}
    put(script, stage, told, 3)
    script.end(3, status=2)
    script.span("settle tasks", 4, 5, **{names.TASK_OUTCOME: "Failed"})
    script.end(5, status=2)
    model = read_trace(spool, TASK)
    assert model is not None
    (error,) = read_back(model).errors
    assert (error.handled, error.event_id) == (False, "a" * 32)


def test_a_death_is_told_by_the_spans_that_it_closed(new_script: Any, spool: Path) -> None:
    """The line that opened the innermost is what is known of its place."""
    script = new_script()
    script.task(TASK)
    script.begin("process travel_segment", 0, **PROCESS)
    script.begin("stage generate", 1, **{names.STAGE_NAME: "generate"})
    script.begin("denoise step", 2, **{names.CODE_LINE: 99})
    script.end_process("sigkill", 3)
    model = read_trace(spool, TASK)
    assert model is not None
    found = read_back(model)
    assert [span.closed_by for span in found.spans] == ["death"] * 3
    (error,) = found.errors
    assert (error.kind, error.type, error.message) == ("death", "sigkill", "done")
    assert (error.line, error.place, error.stage) == (99, "opened at", "generate")
    assert error.context["open_spans"] == [span.name for span in found.spans]


def test_a_supervisor_that_tells_of_a_death_has_not_died(new_script: Any, spool: Path) -> None:
    """It puts the kind of the death on the attempt's span, and ends that itself."""
    script = new_script(role="supervisor")
    script.task(TASK)
    script.begin("process travel_segment", 0, **PROCESS, **{names.DEATH_KIND: "sigkill"})
    script.end(5, status=2)
    model = read_trace(spool, TASK)
    assert model is not None
    assert [span.closed_by for span in read_back(model).spans] == ["end"]


def attempt_of(model: TraceModel) -> Attempt:
    """Return the attempt of the journey."""
    return Attempt(model, TaskRow(id=TASK, type="travel_segment", status="Failed"))


def test_with_every_counted_span_the_record_is_complete(journey: TraceModel) -> None:
    """The process span says how many there were."""
    found = read_back(journey)
    assert jaeger.lacks(found) == []
    assert completeness(attempt_of(found), "Jaeger").complete


def test_a_span_that_has_not_arrived_is_counted_as_missing(journey: TraceModel) -> None:
    """The record is not taken for complete."""
    document = otlp_json(journey)
    spans = document["resourceSpans"][1]["scopeSpans"][0]["spans"]
    spans.remove(next(span for span in spans if span["name"] == "loop iteration"))
    found = trace_of(read_spans(msgspec.json.encode(document)), TRACE, TASK)
    assert jaeger.lacks(found) == [
        "1 span that the attempt's journal counted are not in this trace."
    ]
    assert not completeness(attempt_of(found), "Jaeger").complete


def test_without_the_process_span_nobody_knows_what_is_missing(journey: TraceModel) -> None:
    """A task that is at work has none yet."""
    document = otlp_json(journey)
    del document["resourceSpans"][0]
    found = trace_of(read_spans(msgspec.json.encode(document)), TRACE, TASK)
    (said,) = jaeger.lacks(found)
    assert said.startswith("Whether all spans of the attempt have arrived is not known")


def test_a_span_that_came_twice_is_one(journey: TraceModel) -> None:
    """A backend that answered too late was sent it again; answers may come in pieces."""
    document = exported(journey)
    twice = trace_of(read_spans(document + b"\n" + document), TRACE, TASK)
    assert twice.spans == unnumbered(journey)


def test_spans_of_another_trace_are_left_out(journey: TraceModel) -> None:
    """They were not asked for."""
    found = trace_of(read_spans(exported(journey)), "f" * 32, TASK)
    assert found.processes == ()


def test_spans_that_are_their_own_ancestors_end_somewhere() -> None:
    """A stranger may have sent them."""
    ring = [
        {"traceId": TRACE, "spanId": one * 16, "parentSpanId": other * 16, "name": "stage x"}
        for one, other in (("a", "b"), ("b", "a"))
    ]
    event = {"name": "exception", "attributes": []}
    ring[0] |= {"events": [event], "status": {"code": 2}}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": ring}]}]}
    found = trace_of(read_spans(msgspec.json.encode(document)), TRACE, TASK)
    assert [error.type for error in found.errors] == [""]


VALUES: Final = [
    ({"stringValue": "a"}, "a"),
    ({"stringValue": ""}, ""),
    ({"intValue": "-9007199254740993"}, -9007199254740993),
    ({"intValue": 3}, 3),
    ({"doubleValue": 1}, 1.0),
    ({"doubleValue": "Infinity"}, float("inf")),
    ({"boolValue": False}, False),
    ({"arrayValue": {"values": [{"intValue": "1"}]}}, [1]),
    ({"arrayValue": {}}, []),
    ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, {"k": True}),
    ({}, None),
]


@pytest.mark.parametrize(("written", "value"), VALUES, ids=[str(one) for one, _ in VALUES])
def test_a_value_has_the_kind_it_was_recorded_with(written: dict[str, Any], value: Any) -> None:
    """JSON has 64-bit numbers as text."""
    span = {"traceId": TRACE, "spanId": "a" * 16, "attributes": [{"key": "x", "value": written}]}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    ((_, (found,)),) = read_spans(msgspec.json.encode(document))
    assert found.attributes == {"x": value}
    assert type(found.attributes["x"]) is type(value)


@pytest.mark.parametrize("form", ["arrayValue", "kvlistValue"])
def test_what_is_nested_without_end_is_cut_off(form: str) -> None:
    """No recorder writes it, and whoever walks through it might not come back."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(200):
        inner: Any = {"key": "k", "value": value} if form == "kvlistValue" else value
        value = {form: {"values": [inner]}}
    span = {"traceId": TRACE, "spanId": "a" * 16, "attributes": [{"key": "x", "value": value}]}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    ((_, (found,)),) = read_spans(msgspec.json.encode(document))
    depth, told = 0, found.attributes["x"]
    while isinstance(told, dict | list):
        depth, told = depth + 1, told["k"] if isinstance(told, dict) else told[0]
    assert (depth, told) == (12, CUT)


def test_the_number_of_its_record_is_an_attribute_of_a_span() -> None:
    """So spans of one moment are in their order."""
    value = {"key": names.JOURNAL_SEQ, "value": {"intValue": "26"}}
    span = {"traceId": TRACE, "spanId": "a" * 16, "attributes": [value]}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    ((_, (found,)),) = read_spans(msgspec.json.encode(document))
    assert found.seq == 26


def test_enumerations_may_be_names() -> None:
    """The JSON mapping of protobuf has them so."""
    said = {"kind": "SPAN_KIND_CONSUMER", "status": {"code": "STATUS_CODE_ERROR"}}
    span = {"traceId": TRACE, "spanId": "a" * 16, **said}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    ((_, (found,)),) = read_spans(msgspec.json.encode(document))
    assert (found.kind, found.status) == (4, 2)


MALFORMED: Final = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b"null",
    b'{"result": 3}',
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}',
    b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz", "spanId": "a"}]}]}]}',
    b'{"resourceSpans": ' + b"[" * 100_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_trace_is_said_to_be_none(body: bytes, server: Answering) -> None:
    """In one line, with the address."""
    server.answer = (200, {}, body)
    refusal = refused(server.url)
    assert isinstance(refusal, errors.NotAJaeger)
    assert str(refusal).startswith(f"Jaeger at {server.url} gives no answer of a Jaeger: it is no")


@pytest.mark.parametrize("at", ["-1", "x", str(2**63), "9" * 5000])
def test_a_time_that_is_none_makes_no_trace(at: str, server: Answering) -> None:
    """No calendar has it."""
    span = {"traceId": TRACE, "spanId": "a" * 16, "startTimeUnixNano": at}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    server.answer = (200, {}, msgspec.json.encode(document))
    assert isinstance(refused(server.url), errors.NotAJaeger)


def test_a_trace_is_asked_for_as_it_was_exported(journey: TraceModel, server: Answering) -> None:
    """By its id; under the path that the address has; no proxy of the environment has a say."""
    server.answer = (200, {}, exported(journey))
    found = jaeger.read_trace(f"{server.url}/tracing/", TRACE.upper(), TASK)
    assert found.spans == unnumbered(journey)
    ((path, headers),) = server.asked
    assert path.startswith(f"/tracing/api/v3/traces/{TRACE.upper()}?raw_traces=true")
    assert "Authorization" not in headers


def test_a_user_and_a_password_are_sent_and_not_shown(
    server: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in an error nor in a log."""
    caplog.set_level(0)
    server.answer = (403, {}, b"no")
    refusal = refused(server.url.replace("://", "://operator:s3cret@"))
    assert "HTTP 403, it asks for a user and a password" in str(refusal)
    assert "s3cret" not in str(refusal) + caplog.text
    assert server.asked[0][1]["Authorization"].startswith("Basic ")


def test_an_unknown_trace_is_told_from_a_missing_page(server: Answering) -> None:
    """Jaeger says it in words of its own."""
    server.answer = (404, {}, b'{"error":{"httpCode":404,"message":"No traces found"}}')
    refusal = refused(server.url)
    assert isinstance(refusal, errors.TraceUnknown)
    assert f"has no trace {TRACE}" in str(refusal)
    server.answer = (404, {}, b"404 page not found")
    assert isinstance(refused(server.url), errors.NotAJaeger)


def test_an_empty_answer_is_an_unknown_trace(server: Answering) -> None:
    """So is one with another trace in it."""
    server.answer = (200, {}, b'{"result":{"resourceSpans":[]}}')
    assert isinstance(refused(server.url), errors.TraceUnknown)


def test_it_is_not_led_elsewhere(server: Answering) -> None:
    """An address that somebody configured is the only one that is asked."""
    with_location = {"Location": f"{server.url}/elsewhere"}
    server.answer = (302, with_location, b"")
    assert "it sends elsewhere, which is not followed" in str(refused(server.url))
    assert len(server.asked) == 1


def test_a_server_that_breaks_is_quoted_in_a_line(server: Answering) -> None:
    """Without the escape codes that it may have sent."""
    server.answer = (500, {}, b"\x1b[31mout of\nmemory\x07" + b"x" * 9999)
    said = str(refused(server.url))
    assert "HTTP 500 \\x1b[31mout of memory" in said
    assert len(said) < 400


def test_a_longer_answer_than_may_be_is_not_read_to_its_end(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor kept."""
    monkeypatch.setattr(jaeger, "MOST_BYTES", 100_000)
    server.answer = (200, {}, [b" " * 50_000] * 100)
    refusal = refused(server.url)
    assert isinstance(refusal, errors.TraceTooLarge)
    assert "more than 100,000 bytes" in str(refusal)


def test_a_compressed_bomb_is_not_unpacked(server: Answering) -> None:
    """It was not asked for: it is taken as it is, and is no JSON."""
    server.answer = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08" + bytes(100))
    assert isinstance(refused(server.url), errors.NotAJaeger)


def test_where_nobody_listens_it_says_so() -> None:
    """With the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        refusal = refused(url)
    assert isinstance(refusal, errors.JaegerUnreachable)
    assert f"Jaeger at {url} does not answer" in str(refusal)
    assert "Connection refused" in str(refusal)


def test_a_host_that_no_name_server_can_know_is_not_reached() -> None:
    """A part of a name has 63 characters."""
    assert isinstance(refused(f"http://{'a' * 70}.invalid"), errors.JaegerUnreachable)


@contextmanager
def silent(said: bytes) -> Iterator[str]:
    """Listen, say that much, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def answer() -> None:
            connection, _ = listening.accept()
            kept.append(connection)
            connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\n\r\n{", b"HTTP/1.1 2"], ids=["nothing", "a part", "less"]
)
def test_one_that_falls_silent_is_not_waited_for(said: bytes) -> None:
    """Longer than it was told."""
    with silent(said) as url:
        refusal = refused(url, timeout_s=0.3)
    assert isinstance(refusal, errors.JaegerUnreachable)
    assert "no answer within 0.3 s" in str(refusal)


def test_what_is_no_http_is_no_jaeger() -> None:
    """Such as a mail server, or Jaeger's other port."""
    with silent(b"220 mail.example.org ESMTP\r\n\r\n") as url:
        assert isinstance(refused(url), errors.NotAJaeger)


BAD_ADDRESSES: Final = [
    "",
    "jaeger:16686",
    "//host",
    "ftp://host",
    "file:///etc/passwd",
    "http://",
    "http://operator:s3cret@",
    "http://operator:s3cret@ho st",
    "http://[::1",
    "http://host:99999999",
    "http://\x1b[31mhost",
    "http://xn--\ud800",
]


@pytest.mark.parametrize("url", BAD_ADDRESSES, ids=range(len(BAD_ADDRESSES)))
def test_an_address_that_is_none_is_refused_before_anything_is_asked(url: str) -> None:
    """Without its password, and fit for a terminal."""
    refusal = refused(url)
    assert isinstance(refusal, errors.JaegerAddress)
    assert "s3cret" not in str(refusal)
    assert str(refusal).isprintable()


@pytest.mark.parametrize("url", ["http://operator:s3cret@host:16686/ui?a=b#c", *BAD_ADDRESSES])
def test_an_address_is_shown_without_its_password(url: str) -> None:
    """Whether it is one or not."""
    shown = jaeger.shown(url)
    assert "s3cret" not in shown
    assert shown.isprintable()


@pytest.mark.parametrize("trace_id", ["", "0" * 31, "g" * 32, "../../../etc/passwd", "٣" * 32])
def test_a_trace_id_that_is_none_is_refused(trace_id: str) -> None:
    """It would be another path."""
    assert isinstance(refused("http://127.0.0.1:1", trace_id), errors.JaegerAddress)


def test_what_jaeger_cannot_know_is_a_sentence_each() -> None:
    """For people."""
    assert all(one[0].isupper() and one.endswith(".") for one in jaeger.UNKNOWN)
