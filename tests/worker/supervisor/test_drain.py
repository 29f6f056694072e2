"""How complete the record of an attempt is, by real journals."""

import subprocess
import sys
from pathlib import Path

import pytest

from telemetry import death, names
from telemetry.journal import process_directories
from worker.supervisor.drain import drained, record_attributes

from .conftest import Desk

WORK = """
import os, sys
from pathlib import Path
from telemetry.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), role="task")
with recorder.task(task_id=sys.argv[2], attempt=1, task_type="t2v", trace_id=b"t" * 16,
                   worker_id="w"):
    with recorder.stage("parameters"), recorder.iteration(1, 32, {}):
        {last}
"""
TORN = "os.write(recorder.writer._file, b'a part of a record'); os.kill(os.getpid(), 9)"
LOST = "recorder.writer.next_seq += 3; recorder.stage('model').__enter__()"


def record_of(desk: Desk, last: str, *, closed: bool = True) -> dict[str, object]:
    """Have a process record an attempt; return how complete that is."""
    claim = desk.claim()
    arguments = [WORK.replace("{last}", last), str(desk.spool), str(claim.task.id)]
    subprocess.run([sys.executable, "-c", *arguments], check=False)
    journal = process_directories(desk.spool)[-1]
    if closed:
        death.close_dead(journal, death.from_returncode(-9))
    return drained(journal, claim.task)


def test_the_record_of_a_task_that_ended_is_complete(desk: Desk) -> None:
    """It ends with the attempt's own end; nothing after that is waited for."""
    record = record_of(desk, "pass", closed=False)
    assert (record["spans"], record["iterations"]) == (2, 1)
    assert (record["lost"], record["complete"]) == (0, True)


def test_the_record_of_a_killed_process_is_complete_once_it_is_closed(desk: Desk) -> None:
    """All that was begun had been written before the next line of the program ran."""
    record = record_of(desk, "os.kill(os.getpid(), 9)")
    assert (record["spans"], record["lost"], record["complete"]) == (2, 0, True)


def test_a_record_without_an_end_is_not_complete(desk: Desk) -> None:
    """Before the journal is closed nobody knows what there is."""
    assert not record_of(desk, "os.kill(os.getpid(), 9)", closed=False)["complete"]


@pytest.mark.parametrize(("last", "lost"), [(TORN, 1), (LOST, 3)], ids=["torn", "a gap"])
def test_what_is_missing_is_counted(desk: Desk, last: str, lost: int) -> None:
    """A record that the death has torn, and those that a full disk did not take."""
    record = record_of(desk, last)
    assert (record["lost"], record["complete"]) == (lost, False)


def test_a_journal_that_is_not_there_has_nothing(desk: Desk, tmp_path: Path) -> None:
    """It may have been deleted by hand."""
    record = drained(tmp_path / "missing", desk.claim().task)
    assert (record["spans"], record["complete"]) == (0, False)


def test_a_span_says_what_a_row_says() -> None:
    """And nothing where there was no record."""
    record = {"spans": 5, "records": 9, "lost": 0, "complete": True, "steps": 2}
    assert record_attributes(record) == {
        names.RECORD_SPANS: 5,
        names.RECORD_RECORDS: 9,
        names.RECORD_LOST: 0,
        names.RECORD_COMPLETE: True,
    }
    assert record_attributes({}) == {}
