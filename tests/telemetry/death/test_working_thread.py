"""Deaths of a process whose engine works in a thread of its own, or in an operator's checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

from telemetry import death, stacks
from telemetry.journal import process_directories
from telemetry.records import Error, ProcessEnd

from .test_closing import DEATHS, LAST_LINE, WORK, die, in_the_last_span

THREADED = """
import threading, time
from telemetry import names, stacks
at_work = threading.Event()
def engine():
    {first}
    at_work.set()
    time.sleep(100)
def wait():
    thread = threading.Thread(target=engine, daemon=True)
    thread.start()
    at_work.wait()
    {named}
    {last}
wait()
"""
NAMED = (
    "call.set({names.WORKING_THREAD: f'{thread.ident:#018x}'});"
    "threading.Thread(target=time.sleep, args=(100,), daemon=True).start()"
)
ASKED = f"os.kill(os.getpid(), {int(stacks.ASK)}); os.kill(os.getpid(), 9)"
HUNG = ProcessEnd(at_ns=1, kind=death.HANG, signal="SIGKILL", message="no progress for 9 s")


def in_threads(last: str, *, named: str = NAMED, first: str = "pass") -> str:
    """Return what works in a thread of its own, and ends by the main one."""
    code = THREADED.format(last=last, named=named, first=first)
    return in_the_last_span(code)


@pytest.mark.parametrize("kind", ["sigterm", "hang"])
def test_the_place_is_that_of_the_thread_that_the_engine_works_in(spool: Path, kind: str) -> None:
    """The main thread waits for it; of the others it is told where they stand."""
    code = in_threads(ASKED if kind == "hang" else DEATHS[kind])
    seen = death.from_returncode(die(spool, code, leaving_stacks=True))
    (journal,) = process_directories(spool)
    error = death.Closing(journal, HUNG if kind == "hang" else seen).error
    assert (error.type, error.place, error.function) == (kind, "stopped at", "engine")
    assert error.line == LAST_LINE + THREADED.splitlines().index("    time.sleep(100)") - 1
    assert error.stage == "generate"
    others = sorted(stack[-1].rpartition(" in ")[2] for stack in error.context["threads"].values())
    assert others == ["run", "wait"]


def test_without_its_name_the_main_thread_is_the_place(spool: Path) -> None:
    """As of an engine that works there."""
    code = in_threads(DEATHS["sigterm"], named="pass")
    end = death.from_returncode(die(spool, code, leaving_stacks=True))
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.place, error.function) == ("stopped at", "wait")


@pytest.mark.parametrize("kind", ["segfault", "abort", "exit"])
def test_a_crash_in_another_thread_is_where_it_crashed(spool: Path, kind: str) -> None:
    """Wherever the engine was at work at that moment."""
    end = death.from_returncode(die(spool, in_threads(DEATHS[kind]), leaving_stacks=True))
    error = death.Closing(process_directories(spool)[0], end).error
    assert (error.type, error.place, error.function) == (kind, "stopped at", "wait")


def test_a_thread_that_is_gone_is_not_the_place(spool: Path) -> None:
    """Then it is the main thread again."""
    gone = "call.set({names.WORKING_THREAD: '0x00000000000000ff'})"
    end = death.from_returncode(
        die(spool, in_threads(DEATHS["sigterm"], named=gone), leaving_stacks=True)
    )
    error = death.Closing(process_directories(spool)[0], end).error
    assert error.function == "wait"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout of two modules that end the process."""
    models = tmp_path / "checkout/models"
    models.mkdir(parents=True)
    for name in ("generate", "decode"):
        (models / f"{name}.py").write_text("import os\ndef work():\n    os.kill(os.getpid(), 15)\n")
    return models.parent


def ended_in(checkout: Path, name: str, spool: Path) -> Error:
    """Die in a module of the checkout."""
    last = f"sys.path.insert(0, {str(checkout)!r}); import models.{name} as m; m.work()"
    opened = f'role="task", own_code=[{str(checkout)!r}]'
    program = WORK.replace("{last}", last).replace('role="task"', opened)
    command = [sys.executable, "-c", program, str(spool), "stacks"]
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    end = death.from_returncode(ended.returncode)
    return death.Closing(process_directories(spool)[0], end).error


def test_a_stack_in_a_folder_of_our_own_is_our_own(spool: Path, checkout: Path) -> None:
    """As it would be of an exception there: with its module, and the death is known by it."""
    one, other = (ended_in(checkout, name, spool / name) for name in ("decode", "generate"))
    frames = [(frame.module, frame.in_app) for frame in one.chain[0].frames]
    assert frames == [("", False), ("models.decode", True)]
    assert one.fingerprint != other.fingerprint


def test_a_death_in_a_library_names_the_line_of_our_own_that_called_it(
    spool: Path, checkout: Path
) -> None:
    """Beside the one that it stopped at."""
    library = checkout / "venv/lib/python3.11/site-packages"
    library.mkdir(parents=True)
    (library / "helper.py").write_text("import os\ndef call():\n    os.kill(os.getpid(), 15)\n")
    calls = f"import sys\nsys.path.insert(0, {str(library)!r})\nimport helper\n"
    (checkout / "models/vae.py").write_text(f"{calls}def work():\n    helper.call()\n")
    error = ended_in(checkout, "vae", spool)
    assert (error.file, error.line) == (str(library / "helper.py"), 3)
    assert (error.own_file, error.own_line) == (str(checkout / "models/vae.py"), 5)
    assert error.own_function == "work"
