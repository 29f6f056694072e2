"""What an engine prints becomes log records: whole lines, in order, naming who wrote them."""

import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry.records import Kind
from worker.engines.wan2gp.streams import LineLog, logged_output
from worker.errors import TaskCancelled

from .conftest import Recording

DEADLINE_S = 60
HERE = Path(__file__)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    """Log at INFO."""
    caplog.set_level(logging.INFO)


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Path]:
    """Give the file that the stream under test stands for."""
    return tmp_path / "behind"


@pytest.fixture
def stream(behind: Path) -> Iterator[LineLog]:
    """Stand for a stream."""
    with behind.open("w", buffering=1, encoding="utf-8") as file:
        yield LineLog("stderr", file)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the root logger; what a test adds to it goes when it ends."""
    logger = logging.getLogger()
    before = list(logger.handlers)
    yield logger
    logger.handlers[:] = before


def said(caplog: pytest.LogCaptureFixture, logger: str = "wan2gp.stderr") -> list[str]:
    """Return what was logged."""
    return [record.getMessage() for record in caplog.records if record.name == logger]


def test_lines_are_logged_in_order(caplog: pytest.LogCaptureFixture) -> None:
    """Of both streams, each by its name."""
    with logged_output():
        print("one", 1)
        print("two", file=sys.stderr)
        print("three")
    logged = [(record.name, record.getMessage()) for record in caplog.records]
    assert logged == [
        ("wan2gp.stdout", "one 1"),
        ("wan2gp.stderr", "two"),
        ("wan2gp.stdout", "three"),
    ]


def test_a_line_is_logged_when_it_ends(caplog: pytest.LogCaptureFixture, stream: LineLog) -> None:
    """However many writes it takes, and however many lines one write has."""
    for part in ("a", "b\nc", "", "d\n\n  e  \nf"):
        stream.write(part)
    assert said(caplog) == ["ab", "cd", "  e"]


def test_what_has_no_end_is_logged_at_the_end(
    caplog: pytest.LogCaptureFixture, stream: LineLog
) -> None:
    """Once."""
    stream.write("no end")
    assert said(caplog) == []
    stream.finish()
    stream.finish()
    assert said(caplog) == ["no end"]


def test_a_write_says_how_much_it_took(stream: LineLog) -> None:
    """As a stream does."""
    assert stream.write("abc\nd") == 5


def test_a_line_ends_as_it_does_elsewhere(
    caplog: pytest.LogCaptureFixture, stream: LineLog
) -> None:
    """Also when its end comes in two parts."""
    for part in ("one\r\ntwo\r\n", "three\r", "\nfour\n"):
        stream.write(part)
    assert said(caplog) == ["one", "two", "three", "four"]


def test_a_bar_is_logged_now_and_then(caplog: pytest.LogCaptureFixture, stream: LineLog) -> None:
    """What it shows first, and last: not each of a thousand."""
    for percent in range(1001):
        stream.write(f"\r{percent / 10}%")
    stream.write("\n")
    logged = said(caplog)
    assert (logged[0], logged[-1]) == ("0.0%", "100.0%")
    assert len(logged) < 20


def test_a_bar_that_is_left_is_logged_at_the_end(
    caplog: pytest.LogCaptureFixture, stream: LineLog
) -> None:
    """As it stood."""
    for percent in (0, 50, 99):
        stream.write(f"{percent}%\r")
    stream.finish()
    assert said(caplog)[-1] == "99%"


def test_a_line_after_a_bar_stands_for_itself(
    caplog: pytest.LogCaptureFixture, stream: LineLog
) -> None:
    """It has written over the bar."""
    stream.write("0%\r50%\rdone\nnext\n")
    assert said(caplog) == ["0%", "done", "next"]


def test_what_never_ends_its_line_is_cut(caplog: pytest.LogCaptureFixture, stream: LineLog) -> None:
    """It is not kept for ever."""
    stream.write(200_000 * "x")
    stream.finish()
    assert "".join(said(caplog)) == 200_000 * "x"
    assert len(said(caplog)) == 4


def test_a_great_many_lines_at_once_are_lines(
    caplog: pytest.LogCaptureFixture, stream: LineLog
) -> None:
    """As when an engine prints all it has."""
    stream.write("".join(f"{number}\n" for number in range(20_000)))
    assert said(caplog) == [str(number) for number in range(20_000)]


def printing() -> int:
    """Print, and return the line that does."""
    print("here")
    return inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]  # CPython has frames


def test_the_record_names_the_line_that_printed(recording: Recording) -> None:
    """And has the span that it was printed in."""
    with recording.generating() as span, logged_output():
        line = printing()
    [found] = recording.lines()
    assert found.attributes["code.file.path"] == str(HERE)
    assert found.attributes["code.line.number"] == line
    assert found.attributes["code.function.name"] == "printing"
    assert found.span_id == span.span_id


def test_what_a_thread_of_the_engines_prints_is_the_tasks(recording: Recording) -> None:
    """It is in no span itself: its lines are in the one that the block began in, by their line."""
    with recording.generating() as span, logged_output():
        thread = threading.Thread(target=printing)
        thread.start()
        thread.join(DEADLINE_S)
    [found] = recording.lines()
    assert found.span_id == span.span_id
    assert found.attributes["code.function.name"] == "printing"


def test_a_bars_record_names_its_line_too(caplog: pytest.LogCaptureFixture) -> None:
    """The one that wrote it."""
    with logged_output():
        sys.stderr.write("0%\r")
    assert [record.funcName for record in caplog.records] == [
        "test_a_bars_record_names_its_line_too"
    ]


def test_a_handler_that_writes_there_makes_no_loop(
    caplog: pytest.LogCaptureFixture, root: logging.Logger, stream: LineLog, behind: Path
) -> None:
    """What it writes of a line goes to the stream behind."""
    root.addHandler(logging.StreamHandler(stream))
    stream.write("a line\n")
    assert said(caplog) == ["a line"]
    assert behind.read_text() == "a line\n"


def test_a_handler_of_the_other_stream_makes_no_loop(
    caplog: pytest.LogCaptureFixture, root: logging.Logger
) -> None:
    """Nor does it log the line a second time."""
    with logged_output():
        root.addHandler(logging.StreamHandler(sys.stderr))
        root.addHandler(logging.StreamHandler(sys.stdout))
        print("a line")
    assert [record.getMessage() for record in caplog.records] == ["a line"]


def test_what_the_engine_logs_to_a_stream_is_printed(
    caplog: pytest.LogCaptureFixture, root: logging.Logger, stream: LineLog
) -> None:
    """By its own handler: as its record, and as its line."""
    root.addHandler(logging.StreamHandler(stream))
    logging.getLogger("engine").info("said")
    assert (said(caplog, "engine"), said(caplog)) == (["said"], ["said"])


def test_who_logs_and_who_prints_do_not_wait_for_each_other(
    root: logging.Logger, stream: LineLog
) -> None:
    """One holds a handler's lock and writes; the other writes, and is logged by that handler."""
    holds, printed = threading.Event(), threading.Event()

    class Marking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "printed":
                printed.set()

    class Holding(logging.StreamHandler[LineLog]):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "engine":
                holds.set()
                printed.wait(DEADLINE_S)
            super().emit(record)

    root.handlers[:] = [Marking(), Holding(stream)]

    def prints() -> None:
        holds.wait(DEADLINE_S)
        stream.write("printed\n")

    threads = [
        threading.Thread(target=logging.getLogger("engine").info, args=("logged",), daemon=True),
        threading.Thread(target=prints, daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert [thread.is_alive() for thread in threads] == [False, False]


def test_lines_of_several_threads_are_whole(caplog: pytest.LogCaptureFixture) -> None:
    """Though `print` writes a line in parts; each thread's are in order."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def prints(name: str) -> None:
        for number in range(200):
            print(name, number)

    try:
        with logged_output():
            threads = [threading.Thread(target=prints, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(DEADLINE_S)
    finally:
        sys.setswitchinterval(before)
    logged = said(caplog, "wan2gp.stdout")
    assert len(logged) == 800
    for name in "abcd":
        assert [line for line in logged if line.startswith(name)] == [
            f"{name} {number}" for number in range(200)
        ]


def test_the_descriptor_and_bytes_go_past_the_log(
    caplog: pytest.LogCaptureFixture, stream: LineLog, behind: Path
) -> None:
    """They are what programs that are started, and native code, write to."""
    stream.buffer.write(b"bytes\n")
    stream.buffer.flush()
    os.write(stream.fileno(), b"descriptor\n")
    assert behind.read_text() == "bytes\ndescriptor\n"
    assert said(caplog) == []


def test_it_is_a_stream_as_programs_expect_one(stream: LineLog) -> None:
    """No terminal; what is asked of one is done or does nothing."""
    stream.reconfigure(line_buffering=True, encoding="utf-8")
    stream.flush()
    assert (stream.isatty(), stream.writable(), stream.encoding) == (False, True, "utf-8")
    with pytest.raises(TypeError):
        stream.write(b"bytes")  # type: ignore[arg-type]  # as a mistake is made


@pytest.mark.parametrize(
    "replace",
    [
        lambda: None,
        lambda: setattr(sys, "stdout", sys.stderr),
        lambda: setattr(sys, "stdout", None),
        lambda: sys.stdout.close(),  # noqa: PLW0108 - of the stream that is there then
    ],
)
def test_the_streams_are_put_back(replace: Callable[[], None]) -> None:
    """Whatever the block has put there, also when it raises."""
    before = sys.stdout, sys.stderr

    def stops() -> None:
        replace()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), logged_output():
        stops()
    assert (sys.stdout, sys.stderr) == before
    assert not sys.stdout.closed


def test_a_block_in_a_block_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    """The inner one."""
    with logged_output():
        with logged_output():
            print("inner")
        print("outer")
    assert said(caplog, "wan2gp.stdout") == ["inner", "outer"]


def test_a_block_ends_what_it_began(caplog: pytest.LogCaptureFixture) -> None:
    """A line without an end is logged with it."""
    with logged_output():
        sys.stdout.write("no end")
    assert said(caplog, "wan2gp.stdout") == ["no end"]


def test_a_bar_is_shown_again_after_a_while(caplog: pytest.LogCaptureFixture, behind: Path) -> None:
    """Every few seconds, by a clock that begins anywhere."""
    times = iter([0.0, 1.0, 5.5, 6.0, 10.6])
    with behind.open("w") as file:
        stream = LineLog("stderr", file, clock=lambda: next(times))
        stream.write("1%\r2%\r3%\r4%\r5%\r")
    assert said(caplog) == ["1%", "3%", "5%"]


def swallowing(exc: BaseException, say: Callable[[], object]) -> None:
    """Swallow an exception, and say a word of it."""
    try:
        raise exc  # noqa: TRY301 - as an engine does
    except BaseException:  # noqa: BLE001 - so
        say()


def test_an_exception_in_hand_where_a_line_is_printed_is_taken(recording: Recording) -> None:
    """Whatever the line says of it: it is swallowed there."""
    with recording.generating(), logged_output():
        swallowing(KeyError("a tensor"), lambda: print("that did not work"))
    [error] = recording.bodies(Kind.ERROR)
    assert (error.type, error.stage, error.handled) == ("KeyError", "generate", True)


@pytest.mark.parametrize("exc", [TaskCancelled("by the test"), KeyboardInterrupt(), SystemExit(0)])
def test_what_is_no_failure_is_not_taken(recording: Recording, exc: BaseException) -> None:
    """Our own cancel, and what ends a process."""
    with recording.generating(), logged_output():
        swallowing(exc, lambda: print("stopped"))
    assert recording.bodies(Kind.ERROR) == []


def test_what_was_in_hand_before_is_not_taken(recording: Recording) -> None:
    """It is none of the engine's."""

    def prints() -> None:
        with logged_output():
            print("a second try")

    with recording.generating():
        swallowing(MemoryError("the first try"), prints)
    assert recording.bodies(Kind.ERROR) == []


def test_who_wants_to_hear_lines_hears_them() -> None:
    """Each that is logged, with the frame that wrote it; those of both streams."""
    heard: list[tuple[str, str]] = []
    with logged_output(lambda line, frame: heard.append((line, frame.f_code.co_name))):
        printing()
        sys.stderr.write("0%\r1%\r")
    assert heard == [("here", "printing"), ("0%", "test_who_wants_to_hear_lines_hears_them")]
