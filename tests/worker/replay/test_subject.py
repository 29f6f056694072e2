"""What is replayed is a task that has ended, and the failure that it had."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from telemetry import Recorder, names
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.findings import LinksFound
from telemetry.reports.trace import read_trace
from worker.replay.claims import NothingToReplay
from worker.replay.subject import Subject, subject_of
from worker.replay.watch import limit_told
from worker.supervisor.stall import Stall

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
FAILED = {"kind": "exception", "type": "KeyError", "fingerprint": "592c49f2bd5b84cf"}


def subject(spool: Path | None = None, *, status: str = "Failed", **row: Any) -> Subject:
    """Take the subject out of a case."""
    return subject_of(
        Case(
            asked=TASK,
            task=TaskRow(id=TASK, type="t2v", status=status, **row),
            model=None if spool is None else read_trace(spool, TASK),
            source="here",
            links=LinksFound(trace_id="", sentry_event_id=""),
        )
    )


def recorded(spool: Path, *, end: bool = True) -> Recorder:
    """Record an attempt that fails; without its end it goes on, and so does its process."""
    recorder = Recorder.open(spool, role="task", facts={"engine": "drill"})
    about = {names.TASK_ID: TASK, names.TASK_ATTEMPT: 1}
    task = recorder.task(task_id=TASK, attempt=1, task_type="t2v", trace_id=TRACE, worker_id="w")
    task.__enter__()
    with recorder.span(names.process("t2v"), about, trace_id=TRACE):
        recorder.error(LookupError("there is no such thing"))
    if end:
        task.__exit__(None, None, None)
        recorder.close()
    return recorder


@pytest.mark.parametrize("error", [{}, {"kind": "cascade", "root_cause": {"task_id": "1"}}])
def test_a_task_that_never_ran_is_refused(error: dict[str, Any]) -> None:
    """Nor did one run that only fell with another."""
    with pytest.raises(NothingToReplay, match="never ran, so there is nothing to replay: why"):
        subject(error=error, error_message="why")


def test_a_task_that_runs_is_refused(tmp_path: Path) -> None:
    """It has not ended yet."""
    recorder = recorded(tmp_path, end=False)
    try:
        with pytest.raises(NothingToReplay, match="runs at this moment"):
            subject(tmp_path, status="In Progress")
    finally:
        recorder.close()


def test_the_engine_is_the_recorded_one(tmp_path: Path) -> None:
    """Whatever the settings say by now."""
    recorded(tmp_path)
    assert subject(tmp_path).engine == "drill"


def test_the_failure_is_that_of_the_record(tmp_path: Path) -> None:
    """With its place and its frames."""
    recorded(tmp_path)
    found = subject(tmp_path).failure
    assert found is not None
    assert found.type == "LookupError"


def test_of_another_attempt_than_the_rows_nothing_is_taken(tmp_path: Path) -> None:
    """The attempt before may have failed in another way: then the row alone tells."""
    recorded(tmp_path)
    found = subject(tmp_path, attempt=2, error=FAILED)
    assert found.attempt is None
    assert found.failure is not None
    assert found.failure.type == "KeyError"


def test_the_failure_is_the_one_that_the_row_names(tmp_path: Path) -> None:
    """Another error of the record is not told in its place."""
    recorded(tmp_path)
    found = subject(tmp_path, attempt=1, error={**FAILED, "event_id": "2" * 32}).failure
    assert found is not None
    assert (found.type, found.fingerprint) == ("KeyError", "592c49f2bd5b84cf")


def test_a_newer_attempt_without_a_record_is_refused(tmp_path: Path) -> None:
    """There is nothing of it to do again."""
    recorded(tmp_path)
    with pytest.raises(NothingToReplay, match="left no record of attempt 2"):
        subject(tmp_path, attempt=2, status="In Progress")


def test_a_task_that_is_complete_has_no_failure(tmp_path: Path) -> None:
    """Though an attempt before its last may have had one."""
    recorded(tmp_path)
    assert subject(tmp_path, status="Complete").failure is None


def test_without_a_record_the_row_tells_the_failure() -> None:
    """Its type and its fingerprint."""
    found = subject(error=FAILED)
    assert found.failure is not None
    assert found.failure.fingerprint == "592c49f2bd5b84cf"
    assert found.snapshot is None


def test_a_recorded_hang_tells_the_limit_that_it_went_by() -> None:
    """In the supervisor's own words."""
    times = iter((0.0, 2.0, 4.0))
    stall = Stall({"inputs": 3.5}, clock=lambda: next(times))
    for _ in range(3):
        stall.look(UUID(TASK), {"at": 1.0})
    found = subject(error={"kind": "hang", "type": "hang", "message": stall.hang}).failure
    assert limit_told(found) == 3.5


@pytest.mark.parametrize("error", [FAILED, {"type": "hang", "message": "it is stuck"}])
def test_what_is_no_hang_of_a_limit_tells_none(error: dict[str, Any]) -> None:
    """Then the settings' limits count."""
    assert limit_told(subject(error=error).failure) is None
