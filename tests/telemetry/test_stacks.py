"""The stacks that real processes leave, and what is read of them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import stacks
from telemetry.recorder.own_code import OUR_PACKAGES
from telemetry.stacks import Dump, Thread, reading

PROGRAM = """
import ctypes, os, signal, sys, threading, time
from pathlib import Path
from telemetry import stacks
stacks.write_to(Path(sys.argv[1]))
libc = ctypes.CDLL(None)
entered = threading.Event()
def idle():
    entered.set()
    time.sleep(100)
threading.Thread(target=idle, daemon=True).start()
entered.wait()
def last():
    {last}
def outer():
    last()
outer()
"""
LAST_LINE = PROGRAM.splitlines().index("    {last}") + 1
FPE = f"Floating{'-' if sys.version_info >= (3, 13) else ' '}point exception"
ENDS = {
    "libc.memset(0, 1, 1)": ("Segmentation fault", -signal.SIGSEGV),
    "libc.abort()": ("Aborted", -signal.SIGABRT),
    "signal.raise_signal(signal.SIGFPE)": (FPE, -signal.SIGFPE),
    "signal.raise_signal(signal.SIGBUS)": ("Bus error", -signal.SIGBUS),
    "signal.raise_signal(signal.SIGILL)": ("Illegal instruction", -signal.SIGILL),
    "os._exit(259)": ("os._exit(3)", 3),
    "signal.raise_signal(signal.SIGTERM)": ("", -signal.SIGTERM),
    "signal.raise_signal(signal.SIGINT)": ("", -signal.SIGINT),
    "signal.raise_signal(signal.SIGTRAP)": ("", -signal.SIGTRAP),
    "signal.raise_signal(signal.SIGSYS)": ("", -signal.SIGSYS),
}
NATIVE_THREAD = (
    "thread = ctypes.c_ulong();"
    "libc.pthread_create(ctypes.byref(thread), None, libc.abort, None); time.sleep(100)"
)
FATAL = """Fatal Python error: Segmentation fault

Thread 0x00007f4a187426c0 (most recent call first):
  File "/lib/threading.py", line 982 in run

Current thread 0x00007f4a191e1b80 (most recent call first):
  File "/app/inner.py", line 7 in inner
  File "/app/outer.py", line 26 in <module>

Extension modules: numpy.core._multiarray_umath, torch._C (total: 2)
"""
ASKED = """Thread 0x00007f4a187426c0 (most recent call first):
  File "/lib/threading.py", line 982 in run

Current thread 0x00007f4a191e1b80 (most recent call first):
  File "/app/outer.py", line 25 in <module>
"""


def run(folder: Path, last: str) -> int:
    """Run a program to its end; return its return code."""
    command = [sys.executable, "-c", PROGRAM.replace("{last}", last), str(folder)]
    return subprocess.run(command, check=False, timeout=60, stderr=subprocess.DEVNULL).returncode


def places(thread: Thread | None) -> list[str]:
    """Return a stack's functions, the innermost last."""
    assert thread is not None
    return [frame.function for frame in thread.frames]


@pytest.fixture
def heeding() -> Iterator[None]:
    """Let children heed SIGINT, which whatever a shell starts in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding")
@pytest.mark.parametrize("last", ENDS)
def test_a_process_that_ends_leaves_its_stack(tmp_path: Path, last: str) -> None:
    """Of the thread that ended it, and what ended it."""
    cause, returncode = ENDS[last]
    assert run(tmp_path, last) == returncode
    (dump,) = stacks.read(tmp_path)
    assert dump.cause == cause
    assert dump.returncode == (returncode if cause else None)
    assert places(dump.stopped) == ["<module>", "outer", "last"]
    assert dump.stopped is not None
    assert dump.stopped.frames[-1].line == LAST_LINE


def test_a_native_thread_is_told_by_the_main_thread(tmp_path: Path) -> None:
    """It has no Python stack; the main thread waits for it where the task is."""
    assert run(tmp_path, NATIVE_THREAD) == -signal.SIGABRT
    (dump,) = stacks.read(tmp_path)
    assert not any(thread.current for thread in dump.threads)
    assert places(dump.stopped) == ["<module>", "outer", "last"]


def test_a_process_that_was_asked_goes_on(tmp_path: Path) -> None:
    """Twice, then it is killed: two dumps, and nothing of the third."""
    ask = f"signal.raise_signal({int(stacks.ASK)})"
    assert run(tmp_path, f"{ask}; {ask}; os.kill(os.getpid(), 9)") == -signal.SIGKILL
    first, second = stacks.read(tmp_path)
    assert first == second
    assert len(first.threads) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_ends_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """As nohup has it, and a shell that starts something in the background."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert run(tmp_path, f"signal.raise_signal({int(number)}); os._exit(3)") == 3
    finally:
        signal.signal(number, before)


def test_the_end_of_a_forked_child_is_not_its_parents(tmp_path: Path) -> None:
    """A library's helper leaves by os._exit and says nothing here."""
    assert run(tmp_path, "os.waitpid(os.fork() or os._exit(5), 0); os.kill(os.getpid(), 9)") == -9
    assert stacks.read(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, stacks.ASK])
def test_a_signal_to_a_forked_child_leaves_nothing(tmp_path: Path, number: int) -> None:
    """A worker of a data loader ends, and its parent's stacks stay the parent's own."""
    fork = "r, w = os.pipe(); child = os.fork() or os.write(w, b'.') and time.sleep(60)"
    end = f"os.read(r, 1); os.kill(child, {int(number)}); status = os.waitpid(child, 0)[1]"
    assert run(tmp_path, f"{fork}; {end}; sys.exit(status & 0x7f)") == number
    assert stacks.read(tmp_path) == []


def test_stacks_move_from_stderr_to_a_directory_that_comes_late(tmp_path: Path) -> None:
    """As that of a journal that begins on a full disk."""
    (tmp_path / "no folder").touch()
    again = "late = Path(sys.argv[1]).parent / 'late'; late.mkdir(); stacks.write_to(late)"
    assert run(tmp_path / "no folder", f"{again}; os._exit(3)") == 3
    (dump,) = stacks.read(tmp_path / "late")
    assert places(dump.stopped) == ["<module>", "outer", "last"]


def test_exit_of_a_status_that_is_none_is_pythons_to_refuse(tmp_path: Path) -> None:
    """As without us."""
    assert run(tmp_path, "os._exit(None)") == 1


def test_a_process_that_has_left_nothing_has_no_stacks(tmp_path: Path) -> None:
    """There may be no file at all."""
    assert stacks.read(tmp_path / "missing") == []


def test_frames_come_from_the_outermost_to_the_innermost() -> None:
    """As in a traceback, of the thread that crashed."""
    (dump,) = stacks.parse(FATAL)
    assert places(dump.stopped) == ["<module>", "inner"]
    assert [thread.current for thread in dump.threads] == [False, True]


def test_dumps_are_told_apart() -> None:
    """With a heading or without; by the thread that they begin with, whatever it is."""
    other = ASKED.replace("187426c0", "00000000")
    dumps = stacks.parse(ASKED + other + FATAL + ASKED)
    assert [dump.cause for dump in dumps] == ["", "", "Segmentation fault", ""]
    assert [len(dump.threads) for dump in dumps] == [2, 2, 2, 2]


def test_a_torn_line_is_passed_over() -> None:
    """The process ended while it was being written: the line before is the last that counts."""
    cut = FATAL[: FATAL.index(" in inner")]
    (dump,) = stacks.parse(cut)
    assert dump.threads[-1].frames == ()
    assert places(dump.stopped) == ["run"]


def test_a_thread_without_python_names_no_place() -> None:
    """Then another may, and if none can, there is none."""
    (dump,) = stacks.parse("Thread 0x00000001 (most recent call first):\n  <no Python frame>\n")
    assert dump.stopped is None


def test_a_stack_that_was_cut_says_so() -> None:
    """A hundred frames are written, the innermost first."""
    (dump,) = stacks.parse(ASKED + "  ...\n")
    assert dump.threads[-1].cut


def test_names_are_unescaped_and_redacted() -> None:
    """Faulthandler writes ASCII; a path may hold a secret."""
    line = r'  File "/\xe4/\u20ac/\U0001f600/token=abcdefgh/w.py", line ??? in f'
    (dump,) = stacks.parse(f"Thread 0x1 (most recent call first):\n{line}\n")
    (frame,) = dump.threads[0].frames
    assert frame.file.startswith("/ä/€/😀/token=")
    assert "abcdefgh" not in frame.file
    assert frame.line == 0


def test_a_frame_is_described_by_what_is_on_disk() -> None:
    """Module, source around the line, and whether it is ours."""
    here = Path(reading.__file__)
    line = next(n for n, text in enumerate(here.read_text().splitlines(), 1) if "def parse" in text)
    text = f'Thread 0x1 (most recent call first):\n  File "{here}", line {line} in parse\n'
    (frame,) = stacks.described(stacks.parse(text)[0].threads[0].frames, OUR_PACKAGES)
    assert (frame.module, frame.in_app) == ("telemetry.stacks.reading", True)
    assert frame.source[line - frame.source_first_line].startswith("def parse")


@pytest.mark.parametrize("file", ["<string>", "???", "/not/there.py", "/" + "a" * 5000])
def test_a_frame_of_no_file_is_described_as_far_as_can_be(file: str) -> None:
    """Nothing is known of it, and nothing is raised."""
    text = f'Thread 0x1 (most recent call first):\n  File "{file}", line 7 in f\n'
    (frame,) = stacks.described(stacks.parse(text)[0].threads[0].frames, OUR_PACKAGES)
    assert (frame.file, frame.line, frame.function) == (file, 7, "f")
    assert (frame.in_app, frame.source) == (False, [])


@given(st.text(), st.integers(0, len(FATAL)), st.integers(0, len(FATAL)))
def test_no_text_breaks_the_reader(noise: str, first: int, second: int) -> None:
    """Whatever was torn out or came in between."""
    dumps = stacks.parse(FATAL[:first] + noise + FATAL[second:] + ASKED)
    assert all(isinstance(dump, Dump) for dump in dumps)
    assert places(dumps[-1].stopped)


def test_of_a_long_file_the_end_is_read(tmp_path: Path) -> None:
    """A process may be asked often."""
    (tmp_path / stacks.STACKS_FILE).write_text(ASKED * 10_000 + FATAL)
    dumps = stacks.read(tmp_path)
    assert dumps[-1].cause == "Segmentation fault"
    assert len(dumps) < 10_000


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """As the journal beside it."""
    run(tmp_path, "pass; os.kill(os.getpid(), 9)")
    assert re.fullmatch("0o100600", oct((tmp_path / stacks.STACKS_FILE).stat().st_mode))
