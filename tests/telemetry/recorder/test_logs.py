"""What is logged is in the journal, with the span it was logged in."""

import enum
import io
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

import telemetry
from telemetry.recorder import Recorder, active
from telemetry.recorder.logs import severity
from telemetry.recorder.rendering import rendered
from telemetry.records import Kind, Log

from .conftest import Recording
from .hostile import refuse

log = logging.getLogger("worker.params")


def only_log(recording: Recording) -> Log:
    """Return the one log record."""
    (found,) = recording.bodies(Kind.LOG)
    assert isinstance(found, Log)
    return found


def test_another_recorder_can_be_chosen(recording: Recording, tmp_path: Path) -> None:
    """For what is logged and begun in a block, in a process that has two tasks in hand."""
    other = Recorder.open(tmp_path / "other", role="supervisor")
    chosen = Recording(other)
    with active.choose(other):
        log.info("of the other")
        trace.get_tracer("httpx").start_span("GET").end()
    log.info("of this one")
    other.close()
    assert only_log(chosen).message == "of the other"
    assert only_log(recording).message == "of this one"
    assert (list(chosen.spans()), recording.spans()) == (["GET"], {})


def test_a_log_record_has_its_spans_ids(recording: Recording) -> None:
    """And its own line."""
    with telemetry.span("loop iteration") as span:
        log.info("LOOP [%d/%d] Getting old value for %r", 26, 32, "guidance_phases")

    found = only_log(recording)
    assert found.message == "LOOP [26/32] Getting old value for 'guidance_phases'"
    assert (found.logger, found.severity) == ("worker.params", 9)
    assert (found.trace_id, found.span_id) == (span.trace_id, span.span_id)
    assert found.attributes["code.file.path"] == __file__


def test_a_log_record_outside_of_any_span_has_no_ids(recording: Recording) -> None:
    """It is the process's."""
    log.warning("free")

    assert (only_log(recording).trace_id, only_log(recording).span_id) == (None, None)


def test_debug_is_left_out_and_info_is_not(recording: Recording) -> None:
    """In the incident the tracebacks were logged at a level that was not shipped."""
    log.debug("quiet")
    log.info("loud")

    assert only_log(recording).message == "loud"


def test_a_logged_exception_has_its_traceback(recording: Recording) -> None:
    """Type, message and stack are attributes."""
    try:
        {}["guidance_phases"]
    except KeyError:
        log.exception("failed")

    found = only_log(recording)
    assert found.attributes["exception.type"] == "KeyError"
    assert found.attributes["exception.message"] == "'guidance_phases'"
    assert '{}["guidance_phases"]' in found.attributes["exception.stacktrace"]


def test_what_a_caller_adds_is_an_attribute(recording: Recording) -> None:
    """Clean, as every attribute."""
    log.info("claimed", extra={"task": "e040ae48", "api_key": "x1"})

    attributes = only_log(recording).attributes
    assert (attributes["task"], attributes["api_key"]) == ("e040ae48", "[redacted]")


def test_what_other_handlers_add_is_no_attribute(recording: Recording) -> None:
    """A formatter leaves its texts on the record; a filter's own fact is the caller's."""
    console = logging.StreamHandler(io.StringIO())
    console.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(console)
    try:
        log.info("claimed %d", 7)
        log.info("claimed %d", 8, extra={"task": "e040ae48"})
    finally:
        log.removeHandler(console)

    alone, added = (set(found.attributes) for found in recording.bodies(Kind.LOG))
    own = {"code.file.path", "code.line.number", "code.function.name", "thread.name"}
    assert (alone, added) == (own, own | {"task"})
    assert "INFO claimed 7" in console.stream.getvalue()


def test_each_line_and_thread_has_its_own_place(recording: Recording) -> None:
    """What lines have in common is remembered by line and thread."""
    log.info("first")
    log.info("second")
    thread = threading.Thread(target=log.info, args=("third",), name="side")
    thread.start()
    thread.join()

    first, second, third = (found.attributes for found in recording.bodies(Kind.LOG))
    assert second["code.line.number"] == first["code.line.number"] + 1
    assert (first["thread.name"], third["thread.name"]) == ("MainThread", "side")


Handlers = Callable[..., None]


@pytest.fixture
def only(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> Handlers:
    """Have the journal, and who is named, be all that hears: not pytest, as in a task process."""

    def only(*others: logging.Handler) -> None:
        handlers = [recording.recorder.log_handler, *others]
        monkeypatch.setattr(logging.getLogger(), "handlers", handlers)

    return only


def test_the_short_way_writes_what_the_long_way_writes(
    recording: Recording, only: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, span, thread, level; a record of standard logging is not even made."""
    only()
    with telemetry.span("loop iteration"):
        log.info("LOOP [%d/%d]", 26, 32)
        monkeypatch.setattr(log, "_log", lambda *_a, **_k: pytest.fail("the long way"))
        telemetry.info(log, "LOOP [26/32]")

    long, short = recording.bodies(Kind.LOG)
    assert isinstance(long, Log)
    assert isinstance(short, Log)
    assert short.attributes == long.attributes | {"code.line.number": short_line(long, 2)}
    assert short.at_ns >= long.at_ns
    assert (short.message, short.severity, short.logger) == (
        long.message,
        long.severity,
        long.logger,
    )
    assert (short.trace_id, short.span_id) == (long.trace_id, long.span_id)


def short_line(found: Log, lines: int) -> int:
    """Return the number of the line so many after that of a record."""
    return int(found.attributes["code.line.number"]) + lines


@pytest.mark.parametrize("place", ["root", "logger"])
def test_whoever_else_listens_hears_the_short_way_too(
    recording: Recording, only: Handlers, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """With the line that logged, not one of ours."""
    heard: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", heard.append)
    only(*([handler] if place == "root" else []))
    if place == "logger":
        monkeypatch.setattr(log, "handlers", [handler])
    telemetry.info(log, "100 %")

    [record] = heard
    assert (record.getMessage(), record.pathname) == ("100 %", __file__)
    assert only_log(recording).attributes["code.line.number"] == record.lineno


def test_the_short_way_heeds_levels_and_filters(
    recording: Recording, only: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `logger.info` does."""
    only()
    monkeypatch.setattr(log, "filters", [lambda record: "not" not in record.getMessage()])
    telemetry.info(log, "this is not heard")
    monkeypatch.setattr(log, "filters", [])
    log.setLevel(logging.WARNING)
    telemetry.info(log, "nor is this")
    log.setLevel(logging.NOTSET)
    telemetry.info(log, "sb_secret_abcdefghijkl")

    assert only_log(recording).message == "sb_secret_[redacted]"


def test_a_record_without_a_place_is_written_all_the_same(recording: Recording) -> None:
    """Other processes' records come over sockets, and may lack anything."""
    bare = logging.makeLogRecord({"name": "far", "msg": "bare", "levelno": logging.INFO})
    logging.getLogger().handle(bare)

    found = only_log(recording)
    assert (found.message, found.attributes["code.function.name"]) == ("bare", "null")


def test_secrets_in_a_message_are_hidden(recording: Recording) -> None:
    """Wherever they come from."""
    log.info("connecting with %s", "sb_secret_abcdefghijkl")

    assert only_log(recording).message == "connecting with sb_secret_[redacted]"


def test_a_logged_tensor_is_not_read(recording: Recording) -> None:
    """Its numbers would have to come from the device."""
    torch = pytest.importorskip("torch")
    log.info("latents %s", torch.zeros(2, 3))

    assert only_log(recording).message == "latents <torch.Tensor 2x3 float32 cpu>"


@pytest.mark.parametrize(
    ("level", "number"), [(5, 1), (10, 5), (20, 9), (25, 9), (30, 13), (40, 17), (50, 21), (60, 21)]
)
def test_levels_have_the_numbers_of_opentelemetry(level: int, number: int) -> None:
    """Levels between two count as the lower."""
    assert severity(level) == number


def test_a_message_that_does_not_fit_its_arguments_is_a_fault(recording: Recording) -> None:
    """Under pytest it is raised, as every fault of telemetry."""
    args: tuple[Any, ...] = (1, 2)
    with pytest.raises(TypeError):
        log.info("one %s", *args)

    assert recording.recorder.faults == 1


def test_a_record_without_a_logger_can_be_read_again(recording: Recording) -> None:
    """Made by hand, it may lack its name."""
    logging.getLogger().handle(logging.makeLogRecord({"msg": "bare", "levelno": logging.INFO}))

    assert (only_log(recording).logger, only_log(recording).message) == ("", "bare")


def logging_a_tensor(torch: Any) -> dict[str, tuple[Callable[[], None], str]]:
    """Return ways in which a tensor gets into a message, and what is written."""
    tensor = torch.zeros(3)
    held = "<torch.Tensor 3 float32 cpu>"
    return {
        "an argument": (lambda: log.info("at %s", tensor), f"at {held}"),
        "in a list": (lambda: log.info("at %s %d", [tensor, 1], 2), f"at [{held}, 1] 2"),
        "in a dictionary": (
            lambda: log.info("%s", {"a": {"b": tensor}}),
            f"{{'a': {{'b': {held}}}}}",
        ),
        "by name": (lambda: log.info("%(x)s of %(n)d", {"x": tensor, "n": 2}), f"{held} of 2"),
        "by its repr": (lambda: log.info("%r", tensor), held),
        "as a number": (lambda: log.info("%d steps", tensor), f"%d steps ({held})"),
        "the message itself": (lambda: log.info(tensor), held),
        "a message that is a list": (lambda: log.info([tensor]), f"[{held}]"),
    }


@pytest.mark.parametrize("way", range(8))
def test_no_logged_tensor_is_read_wherever_it_is(
    recording: Recording, only: Handlers, monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    """Nor any object's text asked for."""
    torch = pytest.importorskip("torch")
    only()
    monkeypatch.setattr(torch._tensor_str, "_str", lambda *_a, **_k: pytest.fail("it was read"))
    do, text = list(logging_a_tensor(torch).values())[way]
    do()

    assert only_log(recording).message == text


class Loud:
    """Fails the test when it is asked for a text."""

    __str__ = __repr__ = refuse


class Colour(enum.Enum):
    """As many libraries have."""

    RED = 1
    __str__ = __repr__ = refuse


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        ("%s", (Loud(),), f"<{__name__}.Loud>"),
        ("%s", ({Loud},), f"{{<class {__name__}.Loud>}}"),
        ("%s is", ([Colour.RED],), f"[{__name__}.Colour.RED] is"),
        ("%s", (Path("/a"),), "/a"),
        ("failed: %s", (ValueError("no, token=abcdef"),), "failed: no, token=[redacted]"),
        ("failed: %s", ([KeyError("a")],), "failed: [KeyError(\"'a'\")]"),
        ("%s", ({1: "a", "b": [None, 2.5]},), "{1: 'a', 'b': [None, 2.5]}"),
        ("%s", (list(range(70)),), f"{list(range(64))}"[:-1] + ", … 6 more]"),
        ("%s %%", (b"ab",), "b'ab' %"),
        ("%s and %s", (Loud(),), f"%s and %s (<{__name__}.Loud>)"),
    ],
)
def test_what_is_logged_is_written_by_our_own_code(
    recording: Recording, only: Handlers, message: str, args: tuple[Any, ...], text: str
) -> None:
    """What is plain is as Python has it; of the rest nothing runs, and nothing is lost."""
    only()
    log.info(message, *args)

    assert only_log(recording).message == text


def test_half_a_pair_in_names_loses_no_record(recording: Recording, only: Handlers) -> None:
    """Of a logger, of what is added, of a file."""
    only()
    far = {"msg": "b", "levelno": logging.INFO, "pathname": "/srv/\udcff.py"}
    logging.getLogger("half \ud83d").warning("a", extra={"k \ud83d": 1})
    logging.getLogger().handle(logging.makeLogRecord(far))

    first, second = recording.bodies(Kind.LOG)
    assert isinstance(first, Log)
    assert (first.logger, first.attributes["k \\ud83d"]) == ("half \\ud83d", 1)
    assert second.attributes["code.file.path"] == "/srv/\\udcff.py"


def test_a_number_that_is_no_character_costs_no_message() -> None:
    """What `%` raises for it is another error than for a wrong type."""
    said = rendered("%c of %s", (2**70, threading.Lock()))
    assert said.startswith(f"%c of %s ('{2**70}', ")
