"""Real processes: what dies in a thread, a coroutine, a destructor, or at the very top."""

import subprocess
import sys
from pathlib import Path

import pytest

import telemetry
from telemetry.journal import JournalReader
from telemetry.records import Error, Kind, ProcessEnd, SpanBegin

ROOT = Path(telemetry.__file__).parents[1]

_PROGRAM = """
import asyncio, gc, logging, sys, threading, warnings
from pathlib import Path
import telemetry
from opentelemetry import context
from telemetry.propagation import remote_context
from telemetry.recorder import Recorder

recorder = Recorder.open(Path(sys.argv[1]), role="task")
recorder.install()

def fail(entry):
    return entry["inner"].get("x")

def work(entry={"inner": None}):
    fail(entry)

class Dropped:
    def __del__(self):
        work()

async def forgotten():
    work()

async def forgetting():
    asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()

def thread():
    one = threading.Thread(target=work, name="denoiser")
    one.start()
    one.join()

def destructor():
    Dropped()
    gc.collect()

def loop():
    asyncio.run(forgetting())

def warning():
    try:
        work()
    except AttributeError as exc:
        warnings.warn(f"goes on without: {exc}")

def callback():
    try:
        work()
    except AttributeError as exc:
        telemetry.swallowed(str(exc))

def printed():
    import traceback
    try:
        work()
    except AttributeError:
        traceback.print_exc()

def top():
    work()

def logged():
    try:
        work()
    except AttributeError as exc:
        logging.getLogger("engine").error("failed")

def faulty():
    global fail
    recorder.writer.append = None
    for each in (thread, destructor, loop, warning, callback, printed, logged):
        each()
    del recorder.writer.append
    print("done", recorder.faults)

context.attach(remote_context("00-" + "74" * 16 + "-" + "73" * 8 + "-01"))
with recorder.task(task_id="e040ae48", attempt=1, task_type="t2v", trace_id=b"t"*16,
                   worker_id="w"):
    with telemetry.stage("generate"):
        globals()[sys.argv[2]]()
recorder.close()
"""


def run(way: str, spool: Path) -> tuple[subprocess.CompletedProcess[bytes], list[Error]]:
    """Run the program; return how it ended, and the errors it has written."""
    command = [sys.executable, "-c", _PROGRAM, str(spool), way]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return told, [r.body for r in records(spool) if r.kind is Kind.ERROR]


def records(spool: Path) -> list[telemetry.journal.JournalRecord]:
    """Return the records of the one journal."""
    (directory,) = spool.iterdir()
    return list(JournalReader(directory).read())


@pytest.mark.parametrize(
    ("way", "found", "said"),
    [
        ("thread", "thread", b"Exception in thread denoiser"),
        ("destructor", "unraisable", b"Exception ignored in: <function Dropped.__del__"),
        ("loop", "log", b""),  # asyncio logs, and the journal is what listens
        ("warning", "warning", b"UserWarning: goes on without: 'NoneType'"),
        ("callback", "callback", b""),
        ("printed", "traceback", b"Traceback (most recent call last):"),
        ("logged", "log", b""),
    ],
)
def test_what_does_not_end_the_task_is_written(
    tmp_path: Path, way: str, found: str, said: bytes
) -> None:
    """Once, with the task's ids, also from a thread without any; stderr has what it had."""
    told, [error] = run(way, tmp_path)
    begun = next(r.body for r in records(tmp_path) if r.kind is Kind.SPAN_BEGIN)

    assert (told.returncode, told.stdout) == (0, b"")
    assert told.stderr.startswith(said) if way != "warning" else said in told.stderr
    assert (error.handled, error.context["found"]) == (True, found)
    assert (error.type, error.function) == ("AttributeError", "fail")
    assert error.chain[0].frames[-1].locals == {"entry": {"inner": None}}
    assert (error.task_id, error.trace_id, error.stage) == ("e040ae48", b"t" * 16, "generate")
    assert isinstance(begun, SpanBegin)
    thread = error.context["thread"], error.span_id
    assert thread == (("denoiser", b"s" * 8) if way == "thread" else ("MainThread", begun.span_id))


def test_what_ends_the_process_is_written_as_a_failure(tmp_path: Path) -> None:
    """By the hook of the interpreter, before it prints; it had left the stage's span."""
    told, [error] = run("top", tmp_path)
    [begun] = [r.body for r in records(tmp_path) if r.kind is Kind.SPAN_BEGIN]

    assert told.returncode == 1
    assert b"AttributeError: 'NoneType' object has no attribute 'get'" in told.stderr
    assert (error.handled, error.function, error.stage) == (False, "fail", "generate")
    assert error.span_id == begun.span_id


def test_a_fault_of_telemetry_in_a_hook_is_contained(tmp_path: Path) -> None:
    """In each of them; it is counted, and what they wrap is done."""
    told, errors = run("faulty", tmp_path)
    [end] = [r.body for r in records(tmp_path) if r.kind is Kind.PROCESS_END]

    assert (told.returncode, errors) == (0, [])
    done, faults = told.stdout.split()
    assert (done, int(faults) >= 7) == (b"done", True)
    assert isinstance(end, ProcessEnd)
    assert end.attributes == {"loop26.telemetry.faults": int(faults)}
    for said in (b"Exception in thread denoiser", b"Exception ignored in", b"UserWarning"):
        assert said in told.stderr
