"""The record of the second failure is cut where the incident's log was cut, and not elsewhere."""

import logging
from pathlib import Path
from uuid import UUID, uuid4

import pytest

import telemetry
from telemetry import Recorder
from telemetry.journal import process_directories, read_index
from telemetry.reports.trace import TraceModel, read_trace
from telemetry.shipper.follower import Mark, Shipped, journal_bytes, read_shipped, write_shipped
from telemetry.shipper.spool import is_shipped, leftovers
from worker.drill.incident import cut_record
from worker.drill.running import DrillStopped
from worker.output.storage import black_box_of
from worker.settings import Settings
from worker.settings.configuration import load

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
_log = logging.getLogger("worker.params.resolve")


def home(folder: Path) -> Settings:
    """Return the settings of a home."""
    return load({"home": folder}).settings


def record(spool: Path, *, loops: int = 32) -> Path:
    """Record a task as a task process does; return the journal's folder."""
    recorder = Recorder.open(spool, role="task")
    recorder.install()
    logging.getLogger().setLevel("INFO")
    trace_id = bytes.fromhex("5a" * 16)
    with (
        recorder.task(task_id=TASK, attempt=1, task_type="t2v", trace_id=trace_id, worker_id="w"),
        recorder.span("stage parameters", trace_id=trace_id),
    ):
        for index in range(1, loops + 1):
            with telemetry.iteration(index, loops):
                telemetry.info(_log, f"LOOP [{index}/{loops}] a value")
    recorder.close()
    return recorder.writer.directory


def read(spool: Path) -> TraceModel:
    """Read the task's trace."""
    model = read_trace(spool, TASK)
    assert model is not None
    return model


def test_what_loop_26_said_is_the_last_of_it(tmp_path: Path) -> None:
    """The task is still found by the index; its end, and its process's, are gone."""
    directory = record(home(tmp_path).spool_dir)
    cut_record(home(tmp_path), UUID(TASK))
    model = read(home(tmp_path).spool_dir)
    assert model.logs[-1].message.startswith("LOOP [26/32]")
    (part,) = model.processes
    assert (part.end, part.tasks[0][1]) == (None, None)
    assert (model.begun, model.ended, model.missing, model.damaged_bytes) == (27, 25, 0, 0)
    assert [entry.task_id for entry in read_index(directory)] == [TASK]


def test_nobody_closes_or_ships_it_again(tmp_path: Path) -> None:
    """What was acknowledged before stays so: a backend would get its spans twice."""
    directory = record(home(tmp_path).spool_dir)
    size = journal_bytes(directory)
    shipped = Shipped(marks={"traces": Mark(1, size, 1)}, settled={"sentry": size})
    write_shipped(directory, shipped)
    cut_record(home(tmp_path), UUID(TASK))
    assert journal_bytes(directory) < size
    assert is_shipped(directory, ["traces", "sentry"])
    assert read_shipped(directory).marks == shipped.marks
    assert leftovers(home(tmp_path).spool_dir) == []


def test_a_record_without_that_line_is_not_cut(tmp_path: Path) -> None:
    """And one of another task neither."""
    directory = record(home(tmp_path).spool_dir, loops=9)
    size = journal_bytes(directory)
    with pytest.raises(DrillStopped, match="LOOP"):
        cut_record(home(tmp_path), UUID(TASK))
    with pytest.raises(DrillStopped):
        cut_record(home(tmp_path), uuid4())
    assert journal_bytes(process_directories(home(tmp_path).spool_dir)[0]) == size


def test_the_black_box_is_lost_with_it(tmp_path: Path) -> None:
    """Else it would show what the journal has lost; another task's stays."""
    settings = home(tmp_path)
    record(settings.spool_dir)
    boxes = [black_box_of(settings.outputs_dir, one) for one in (UUID(TASK), uuid4())]
    for box in boxes:
        box.parent.mkdir(parents=True)
        box.write_bytes(b"whole")
    cut_record(settings, UUID(TASK))
    assert [box.exists() for box in boxes] == [False, True]
