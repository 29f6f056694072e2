"""Real processes: what they began is in the journal, however they die; faults stay inside."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import telemetry
from telemetry.journal import JournalReader, JournalWriter, is_alive
from telemetry.records import Kind, ProcessEnd
from telemetry.spans import Folder

ROOT = Path(telemetry.__file__).parents[1]

# Opens spans for ever, and says of each that it has begun, from inside of it.
_WRITER = """
import itertools, os, sys
from pathlib import Path
import telemetry
from telemetry.recorder import Recorder

recorder = Recorder.open(Path(sys.argv[1]), role="task")
recorder.install()
with telemetry.stage("parameters"):
    for number in itertools.count(1):
        with telemetry.iteration(number, 32, {"loop26.param.key": "k"}) as span:
            os.write(1, b"%d\\n" % number)
            span.set(later=number)
"""


def start(code: str, spool: Path) -> subprocess.Popen[bytes]:
    """Start a process with the program's code and its spool."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(spool)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def killed(tmp_path: Path) -> tuple[int, Path]:
    """Kill a process that writes spans; return the last span it told of, and its journal."""
    process = start(_WRITER, tmp_path)
    assert process.stdout is not None
    try:
        for _ in range(300):
            last = process.stdout.readline()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate()[0]
    (directory,) = tmp_path.iterdir()
    told = int((last + rest).rpartition(b"\n")[0].rpartition(b"\n")[2])
    return told, directory


def test_every_span_that_began_before_a_kill_is_in_the_journal(killed: tuple[int, Path]) -> None:
    """Not one of hundreds is missing, the open ones among them."""
    told, directory = killed
    reader = JournalReader(directory)
    begun = [r.body for r in reader.read() if r.kind is Kind.SPAN_BEGIN]
    numbers = [body.attributes.get("loop26.loop.index") for body in begun]

    assert numbers[:1] == [None]
    assert numbers[1 : told + 1] == list(range(1, told + 1))
    assert told >= 300
    assert (reader.gaps, reader.damaged_bytes) == ([], 0)


def test_a_killed_process_is_no_longer_alive(killed: tuple[int, Path]) -> None:
    """The kernel gave its lock back."""
    assert not is_alive(killed[1])


def test_the_open_spans_are_closed_by_whoever_finds_the_dead(killed: tuple[int, Path]) -> None:
    """In the journal of the dead, after its last record."""
    _, directory = killed
    writer = JournalWriter.reopen(directory)
    writer.append(Kind.PROCESS_END, ProcessEnd(at_ns=2**62, kind="signal", signal="SIGKILL"))
    writer.close()

    folder = Folder()
    spans = [span for record in JournalReader(directory).read() for span in folder.feed(record)]
    stage = next(span for span in spans if span.name == "stage parameters")
    assert stage.closed_by == "death"
    assert folder.open_spans == ()


# Breaks the recorder's own writer, as a fault of telemetry would, and goes on.
_FAULTY = """
import logging, sys
from pathlib import Path
import telemetry
from telemetry.recorder import Recorder

recorder = Recorder.open(Path(sys.argv[1]), role="task")
recorder.install()
append = recorder.writer.append
recorder.writer.append = None
with telemetry.stage("model"), telemetry.span("load") as span:
    span.set(a=1)
    span.add_event("read")
    logging.getLogger("x").warning("hello")
    with recorder.task(task_id="t", attempt=1, task_type="t2v", trace_id=b"t"*16, worker_id="w"):
        print(recorder.error(ValueError("why")).type)
recorder.writer.append = append
print(recorder.faults, recorder.guard.last)
recorder.close()
"""


def test_a_fault_of_telemetry_never_reaches_the_program(tmp_path: Path) -> None:
    """It is counted, and the count is in the journal; under pytest it would be raised."""
    process = start(_FAULTY, tmp_path)
    out, err = process.communicate()

    assert (process.returncode, err) == (0, b"")
    kind, _, told = out.decode().partition("\n")
    assert kind == "ValueError"
    assert told.startswith("6 TypeError at ")
    (directory,) = tmp_path.iterdir()
    (end,) = [r.body for r in JournalReader(directory).read() if r.kind is Kind.PROCESS_END]
    assert end.attributes == {"loop26.telemetry.faults": 6}


# Fails inside of a span, and dies of its clean-up, before anybody has the exception in hand.
_CLEANING = """
import os, sys
from pathlib import Path
from opentelemetry import trace
import telemetry
from telemetry.recorder import Recorder

recorder = Recorder.open(Path(sys.argv[1]), role="task")
recorder.install()
tracer = trace.get_tracer("library")
opened = {
    "ours": lambda: telemetry.span("denoise step"),
    "theirs": lambda: tracer.start_as_current_span("denoise step"),
    "used": lambda: trace.use_span(tracer.start_span("denoise step")),
}

def engine():
    try:
        with opened[sys.argv[2]]():
            entry = {"inner": None}
            entry["inner"].get("frames")
    finally:
        os.abort()

with recorder.task(task_id="t", attempt=1, task_type="t2v", trace_id=b"t" * 16, worker_id="w"):
    engine()
"""


@pytest.mark.parametrize("way", ["ours", "theirs", "used"])
def test_an_exception_is_on_record_before_its_clean_up_kills(tmp_path: Path, way: str) -> None:
    """With its place and its values."""
    command = [sys.executable, "-c", _CLEANING, str(tmp_path), way]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    (directory,) = tmp_path.iterdir()
    records = list(JournalReader(directory).read())
    (raised,) = [record.body.error for record in records if record.kind is Kind.RAISED]

    assert done.returncode == -signal.SIGABRT
    assert not [record for record in records if record.kind is Kind.ERROR]
    assert (raised.type, raised.function, raised.task_id) == ("AttributeError", "engine", "t")
    assert raised.chain[0].frames[-1].locals == {"entry": {"inner": None}}


# Drops objects in cycles that log as they go, wherever the collection of garbage finds them.
_LITTERING = """
import gc, logging, sys
from pathlib import Path
import telemetry
from telemetry.recorder import Recorder

recorder = Recorder.open(Path(sys.argv[1]), role="task")
recorder.install()
gone = 0

class Session:
    def __init__(self):
        self.itself = self

    def __del__(self):
        global gone
        gone += 1
        logging.getLogger("library").warning("Unclosed client session")

for number in range(300):
    gc.disable()
    for _ in range(5):
        Session()
    gc.set_threshold(gc.get_count()[0] + 1 + number % 60)  # a little later each time
    gc.enable()
    facts = dict(task_id=f"t{number}", attempt=1, task_type="t2v")
    with recorder.task(**facts, trace_id=b"t" * 16, worker_id="w"):
        with telemetry.span("step", {"number": number}):
            pass
gc.collect()
print(gone)
recorder.close()
"""


def test_what_garbage_logs_is_written_wherever_it_is_collected(tmp_path: Path) -> None:
    """Also inside of the journal's writer; nothing waits for ever, and nothing is lost."""
    process = start(_LITTERING, tmp_path)
    out, err = process.communicate(timeout=60)
    (directory,) = tmp_path.iterdir()
    reader = JournalReader(directory)
    records = list(reader.read())

    assert (process.returncode, err) == (0, b"")
    assert int(out) == 1500
    assert [record.kind for record in records].count(Kind.LOG) == int(out)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert [record.kind for record in records].count(Kind.SPAN_END) == 300
