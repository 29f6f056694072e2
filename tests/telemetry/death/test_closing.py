"""Deaths, of real processes."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from telemetry import death, names, stacks
from telemetry.errors import JournalBusy
from telemetry.journal import JournalReader, process_directories
from telemetry.oom import OomWatch
from telemetry.records import Error, Kind, ProcessEnd
from telemetry.spans import Folder, Span
from telemetry.testing import wait_until

WORK = """
import os, signal, sys
from pathlib import Path
from telemetry.recorder import Recorder
from telemetry import stacks
recorder = Recorder.open(Path(sys.argv[1]), role="task")
if len(sys.argv) > 2:
    stacks.write_to(recorder.writer.directory)
with recorder.task(task_id="t1", attempt=1, task_type="travel_segment", trace_id=b"t" * 16,
                   worker_id="w"), recorder.span("process travel_segment", trace_id=b"t" * 16):
    for index in (1, 2):
        with recorder.iteration(index, 32, {}):
            pass
    engine_call = recorder.engine_call("generate", engine="e", model="m")
    with recorder.stage("generate"), engine_call as call:
        print("ready", flush=True)
        {last}
"""
DEATHS = {
    "sigkill": "os.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "os.kill(os.getpid(), signal.SIGSEGV)",
    "abort": "os.abort()",
    "sigterm": "os.kill(os.getpid(), signal.SIGTERM)",
    "signal": "os.kill(os.getpid(), signal.SIGUSR1)",
    "exit": "os._exit(3)",
}


LAST_LINE = WORK.splitlines().index("        {last}") + 1
# Lines of what Python writes to stderr when it gives up, without the empty ones.
FATAL_WORDS = [
    "loading",
    "Fatal Python error: it is over",
    "Python runtime state: initialized",
    "Thread 0x00000001 (most recent call first):",
    '  File "/lib/threading.py", line 1002 in _bootstrap',
    "Current thread 0x00000002 (most recent call first):",
    '  File "/app/engine.py", line 26 in decode',
]


def die(spool: Path, last: str, *, leaving_stacks: bool = False) -> int:
    """Run a task process to its death; return its return code."""
    command = [sys.executable, "-c", WORK.replace("{last}", last), str(spool)]
    command += ["stacks"] * leaving_stacks
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode


@pytest.mark.parametrize("kind", DEATHS)
def test_each_death_is_named_for_what_it_was(spool: Path, kind: str) -> None:
    """By what the kernel says of a real process."""
    assert death.from_returncode(die(spool, DEATHS[kind])).kind == kind


def test_an_exit_code_and_a_signal_are_facts_and_words() -> None:
    """For machines and for people."""
    exited, killed = death.from_returncode(3), death.from_returncode(-signal.SIGKILL)
    assert (exited.exit_code, exited.message) == (3, "the process ended with exit code 3")
    assert (killed.signal, killed.exit_code) == ("SIGKILL", None)
    assert "SIGKILL" in killed.message


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_not_said_to_come_from_outside(number: int) -> None:
    """A process can send it to itself, as a worker's own drill does."""
    message = death.from_returncode(-number).message
    assert message.startswith(f"the process died of {signal.Signals(number).name}: ")
    assert "outside" not in message


@pytest.mark.parametrize(
    ("counted", "says"),
    [
        (None, "who sent it is not known"),
        (
            False,
            "who sent it is not known; the kernel counted no kill for memory in its control group",
        ),
        (True, "the kernel counted a kill for memory in its control group"),
    ],
)
def test_a_sigkill_says_whether_a_kill_for_memory_was_counted(
    says: str, *, counted: bool | None
) -> None:
    """Where nothing counts, nothing is said of it."""
    end = death.from_returncode(-signal.SIGKILL, out_of_memory=counted)
    assert end.message == f"the process died of SIGKILL: {says}"


def test_an_unknown_signal_is_told_by_its_number() -> None:
    """Real-time signals have no names."""
    assert "signal 60" in death.from_returncode(-60).message


def test_a_sigkill_is_an_oom_when_the_group_counted_one(tmp_path: Path) -> None:
    """The kernel counts in memory.events, and nowhere says whom."""
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 1\noom_kill 1\n")
    watch = OomWatch(events)
    assert not watch.struck()
    events.write_text("low 0\noom 2\noom_kill 2\n")
    end = death.from_returncode(-signal.SIGKILL, out_of_memory=watch.struck())
    assert (end.kind, end.signal) == ("oom", "SIGKILL")


def test_the_line_that_opened_the_innermost_span_is_the_place(spool: Path) -> None:
    """SIGKILL leaves no stack; the journal names the line."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.kind, error.type, error.place) == ("death", "sigkill", "opened at")
    assert (error.file, error.line) == ("<string>", LAST_LINE - 2)
    assert error.stage == "generate"
    assert error.task_id == "t1"


@pytest.mark.parametrize("kind", ["segfault", "abort", "sigterm", "exit"])
def test_the_innermost_line_of_a_stack_is_the_place(spool: Path, kind: str) -> None:
    """Where the process could leave its stack, the line at which it stopped is known."""
    end = death.from_returncode(die(spool, DEATHS[kind], leaving_stacks=True))
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.type, error.place) == (kind, "stopped at")
    assert (error.file, error.line, error.function) == ("<string>", LAST_LINE, "<module>")
    (facts,) = error.chain
    assert (facts.type, facts.message) == (kind, end.message)
    assert facts.frames[-1].line == LAST_LINE
    assert error.stage == "generate"


RAISED = """
try:
    with recorder.span("step"):
        raise KeyError("gone")
"""
GOES_ON = {
    "work goes on": RAISED
    + "except KeyError:\n    with recorder.span('next'):\n        os.abort()",
    "a span around it ends well": f"""
with recorder.span("around"):
{indent(RAISED + "except KeyError: pass", "    ")}
os.abort()
""",
    "it is a library's own": """
from opentelemetry.context import Context
try:
    with recorder.span("theirs", context=Context()):
        raise KeyError("gone")
except KeyError: pass
os.abort()
""",
    "it is told of": RAISED
    + "except KeyError as error:\n    recorder.error(error, handled=True)\nos.abort()",
}


def in_the_last_span(code: str) -> str:
    """Indent lines for the place of `{last}`."""
    return indent(code, " " * 8).strip()


def test_what_was_raised_right_before_a_death_is_its_cause(spool: Path) -> None:
    """It has left its span, and cleaning up after it ends the process: nobody else tells of it."""
    code = in_the_last_span(f"{RAISED}finally:\n    os.abort()")
    end = death.from_returncode(die(spool, code, leaving_stacks=True))
    (journal,) = process_directories(spool)
    error = death.close_dead(journal, end)
    assert (error.type, error.line) == ("abort", LAST_LINE + 4)
    cause = error.context["caused_by"]
    assert (cause["type"], cause["message"]) == ("KeyError", "'gone'")
    assert (cause["line"], cause["known_by"]) == (LAST_LINE + 2, "raised right before")
    raised, died = [r.body for r in JournalReader(journal).read() if r.kind is Kind.ERROR]
    assert (raised.event_id, raised.handled, died) == (cause["event_id"], True, error)
    assert raised.chain[0].frames[-1].line == LAST_LINE + 2


@pytest.mark.parametrize("how", GOES_ON)
def test_what_was_dealt_with_is_no_cause_of_a_death(spool: Path, how: str) -> None:
    """Work that goes on after an exception has got over it."""
    end = death.from_returncode(die(spool, in_the_last_span(GOES_ON[how])))
    error = death.close_dead(process_directories(spool)[0], end)
    assert error.type == "abort"
    assert "caused_by" not in error.context


def test_a_stack_that_tells_of_something_else_is_not_the_place(spool: Path) -> None:
    """It was asked for its stacks, went on, and was killed somewhere else."""
    ask = f"os.kill(os.getpid(), {int(stacks.ASK)}); os.kill(os.getpid(), 9)"
    end = death.from_returncode(die(spool, ask, leaving_stacks=True))
    assert death.Closing(process_directories(spool)[0], end).error.place == "opened at"


def test_a_hang_is_at_the_line_that_was_asked_for(spool: Path) -> None:
    """Whoever ends a process for a hang asks it for its stacks, then kills it."""
    ask = f"os.kill(os.getpid(), {int(stacks.ASK)}); os.kill(os.getpid(), 9)"
    die(spool, ask, leaving_stacks=True)
    end = ProcessEnd(at_ns=1, kind=death.HANG, signal="SIGKILL", message="no progress for 9 s")
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.kind, error.place, error.line) == ("hang", "stopped at", LAST_LINE)


def test_a_stack_tells_how_a_process_died_that_nobody_saw(spool: Path) -> None:
    """Its supervisor died at the same moment; the next one knows all the same."""
    die(spool, DEATHS["segfault"], leaving_stacks=True)
    error = death.close_dead(process_directories(spool)[0], death.lost())
    assert (error.type, error.place, error.line) == ("segfault", "stopped at", LAST_LINE)
    end = ends(process_directories(spool)[0])
    assert (end.kind, end.signal) == ("segfault", "SIGSEGV")


def test_a_fatal_error_of_python_is_read_from_its_last_words(spool: Path) -> None:
    """The interpreter tells of it on stderr, and nowhere else."""
    end = death.from_returncode(die(spool, DEATHS["abort"]))
    directory = process_directories(spool)[0]
    error = death.Closing(directory, end, last_words=FATAL_WORDS).error
    assert (error.file, error.line) == ("/app/engine.py", 26)
    assert error.context["threads"] == {"0x00000001": ["/lib/threading.py:1002 in _bootstrap"]}
    assert death.Closing(directory, end).error.place == "opened at"


def test_the_last_words_are_in_the_error_and_the_end(spool: Path) -> None:
    """What native code had to say was said there and nowhere else."""
    end = death.from_returncode(die(spool, DEATHS["abort"]))
    directory = process_directories(spool)[0]
    error = death.close_dead(directory, end, last_words=["free(): invalid pointer"])
    assert error.context["last_words"] == ["free(): invalid pointer"]
    assert ends(directory).attributes["last_words"] == ["free(): invalid pointer"]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], []),
        ([str(n) for n in range(25)], [str(n) for n in range(5, 25)]),
        (["first", "ä" * 3000], [f"…{'ä' * 2048}"]),
        (["x" * 4000, "y" * 92, "last"], ["x" * 4000, "y" * 92, "last"]),
        (["x" * 5000, "last"], [f"…{'x' * 4092}", "last"]),
        (FATAL_WORDS, FATAL_WORDS[:3]),
    ],
    ids=["none", "many lines", "a long last line", "just enough", "a long line before", "a stack"],
)
def test_the_last_words_are_bounded(words: list[str], kept: list[str]) -> None:
    """Twenty lines, four kilobytes: the end of what was said."""
    assert death.bounded(words) == kept


def test_the_loop_position_is_that_of_the_newest_iteration(spool: Path) -> None:
    """Two of 32 were done: a reader sees how far the task was."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.loop_index, error.loop_count) == (2, 32)


def test_two_deaths_at_one_place_have_one_fingerprint(tmp_path: Path) -> None:
    """So that they are shown as one failure."""
    found = set()
    for name in ("one", "two"):
        end = death.from_returncode(die(tmp_path / name, DEATHS["sigkill"]))
        directory = process_directories(tmp_path / name)[0]
        found.add(death.Closing(directory, end).error.fingerprint)
    assert len(found) == 1


def test_closing_writes_the_error_then_the_end(spool: Path) -> None:
    """What the dead could not write, in the order in which a reader needs it."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    error = death.close_dead(directory, end)
    *_, last_but_one, last = [record.body for record in JournalReader(directory).read()]
    assert (last_but_one, last) == (error, end)


def test_closing_twice_writes_once(spool: Path) -> None:
    """Two supervisors may find the same leftover."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    for _ in range(2):
        death.close_dead(directory, end)
    bodies = [record.body for record in JournalReader(directory).read()]
    assert len([body for body in bodies if isinstance(body, Error | ProcessEnd)]) == 2


def test_closing_twice_tells_of_the_same_error(spool: Path) -> None:
    """The row then names the event that Sentry has."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    first = death.close_dead(directory, end)
    assert death.close_dead(directory, death.lost()) == first


def test_a_death_that_is_told_elsewhere_is_no_second_error(spool: Path) -> None:
    """The supervisor died with its task process, whose journal has it."""
    directory = closed(spool, told=True)
    bodies = [record.body for record in JournalReader(directory).read()]
    assert not any(isinstance(body, Error) for body in bodies)
    assert ends(directory).kind == "sigkill"


def test_an_open_span_is_told_more_before_it_is_closed(spool: Path) -> None:
    """What became of the attempt stands on its span, whose process could not say it."""
    die(spool, DEATHS["sigkill"])
    (process, *_) = left_open(process_directories(spool)[0])
    directory = closed(spool, updates={process.span_id: {names.RECORD_SPANS: 27}})
    (process, *others) = left_open(directory)
    assert process.attributes[names.RECORD_SPANS] == 27
    assert not any(names.RECORD_SPANS in span.attributes for span in others)


def closed(spool: Path, **options: Any) -> Path:
    """Close the journal of a process that was killed."""
    if not process_directories(spool):
        die(spool, DEATHS["sigkill"])
    (directory,) = process_directories(spool)
    death.close_dead(directory, death.from_returncode(-signal.SIGKILL), **options)
    return directory


def ends(directory: Path) -> ProcessEnd:
    """Return the one end that a journal has."""
    bodies = [record.body for record in JournalReader(directory).read()]
    (end,) = [body for body in bodies if isinstance(body, ProcessEnd)]
    return end


def left_open(directory: Path) -> tuple[Span, ...]:
    """Return the spans that a journal has open, or that its process's end has closed."""
    folder = Folder()
    for record in JournalReader(directory).read():
        folder.feed(record)
    return folder.open_spans or folder.left_open


def test_an_idle_process_that_exits_has_no_error(script: Any) -> None:
    """A task process between two tasks may be recycled."""
    script.writer.close()
    death.close_dead(script.directory, death.from_returncode(0))
    bodies = [record.body for record in JournalReader(script.directory).read()]
    assert [type(body) for body in bodies] == [ProcessEnd]


def test_the_journal_of_a_live_process_is_not_closed(script: Any) -> None:
    """Its own process would write on after the end."""
    with pytest.raises(JournalBusy):
        death.close_dead(script.directory, death.lost())


def test_closing_waits_for_whoever_asks_whether_the_process_is_alive(spool: Path) -> None:
    """Asking holds the lock for an instant."""
    program = (
        "import fcntl, sys, time; file = open(sys.argv[1]);"
        "fcntl.flock(file, fcntl.LOCK_SH); print(flush=True); time.sleep(0.2)"
    )
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    command = [sys.executable, "-c", program, str(directory / "alive")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert death.close_dead(directory, end).task_id == "t1"
        wait_until(lambda: holder.poll() is not None)


IN_A_THREAD = """
import threading; from opentelemetry import trace; recorder.install(); opened = threading.Event()
        def library():
            with trace.get_tracer("library").start_as_current_span("GET"):
                opened.set(); threading.Event().wait()
        threading.Thread(target=library, daemon=True).start(); opened.wait()
        os.kill(os.getpid(), signal.SIGKILL)
""".strip()


def test_a_span_of_a_librarys_thread_is_not_where_the_task_was(spool: Path) -> None:
    """Neither its line nor its trace, though it was opened last."""
    end = death.from_returncode(die(spool, IN_A_THREAD))
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.trace_id, error.stage, error.line) == (b"t" * 16, "generate", LAST_LINE - 2)


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (ProcessEnd(at_ns=1, kind=death.HANG, signal="SIGKILL", message="no progress"), []),
        (death.from_returncode(3), ["os._exit(3)"]),
    ],
    ids=["a hang", "os._exit"],
)
def test_stacks_that_went_to_stderr_are_read_there(
    script: Any, end: ProcessEnd, cause: list[str]
) -> None:
    """The directory took no file."""
    own = ['  File "/app/writing.py", line 1 in _exit'] * len(cause)
    words = [*cause, "Current thread 0x00007f (most recent call first):", *own]
    words += ['  File "/app/engine.py", line 26 in decode']
    error = death.Closing(script.directory, end, last_words=words).error
    assert (error.place, error.file, error.line) == ("stopped at", "/app/engine.py", 26)


def test_a_stack_on_stderr_of_another_end_is_not_the_place(script: Any) -> None:
    """A child had crashed, and the process was killed long after."""
    words = ["Fatal Python error: Segmentation fault", *FATAL_WORDS[5:]]
    end = death.from_returncode(-signal.SIGKILL)
    assert death.Closing(script.directory, end, last_words=words).error.place == ""


def test_two_supervisors_bury_a_process_once(spool: Path) -> None:
    """Both had read its journal before either wrote."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    one, other = death.Closing(directory, end), death.Closing(directory, end)
    one.write()
    other.write()
    bodies = [record.body for record in JournalReader(directory).read()]
    assert [body for body in bodies if isinstance(body, Error | ProcessEnd)] == [one.error, end]
    assert other.error == one.error


def test_a_process_that_its_supervisor_stopped_has_no_error(spool: Path) -> None:
    """Its open spans end, and nobody is woken for it."""
    die(spool, DEATHS["sigkill"])
    directory = process_directories(spool)[0]
    end = death.stopped(death.from_returncode(-signal.SIGKILL), "the worker stops")
    death.close_dead(directory, end)
    assert (ends(directory).kind, ends(directory).signal) == ("stopped", "SIGKILL")
    assert not any(isinstance(r.body, Error) for r in JournalReader(directory).read())
    assert left_open(directory)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("next_start", [False, True], ids=["the same", "the next start"])
@pytest.mark.parametrize("room", [512, 600], ids=["for no file", "for a part of the error"])
def test_an_end_that_found_no_room_is_written_later_as_it_was(
    spool: Path, room: int, *, next_start: bool
) -> None:
    """With the event and the signal that the task was settled with, by whoever does it."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    closing = death.Closing(directory, end)
    with no_file_above(room), pytest.raises(OSError, match=r"written|large"):
        closing.write()
    if next_start:
        death.close_dead(directory, death.lost())
    else:
        closing.write()
    bodies = [record.body for record in JournalReader(directory).read()]
    (error,) = [body for body in bodies if isinstance(body, Error)]
    assert (error.event_id, error.type) == (closing.error.event_id, "sigkill")
    assert (ends(directory).kind, ends(directory).signal) == ("sigkill", "SIGKILL")


def test_a_disk_that_stays_full_is_not_filled_by_trying(spool: Path) -> None:
    """Each try begins a file; one without a record is of no use."""
    end = death.from_returncode(die(spool, DEATHS["sigkill"]))
    directory = process_directories(spool)[0]
    closing = death.Closing(directory, end)
    before = sorted(directory.glob("*.journal"))
    for _ in range(3):
        with no_file_above(600), pytest.raises(OSError, match="written"):
            closing.write()
    assert sorted(directory.glob("*.journal")) == before
    closing.write()
    assert ends(directory).kind == "sigkill"
