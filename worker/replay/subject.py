"""What is replayed: a recorded attempt at a task, and how it ended then."""

from dataclasses import dataclass
from typing import Any

from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.fault import failure
from telemetry.reports.findings import FailureFound
from worker.replay.claims import NothingToReplay
from worker.replay.snapshot import Snapshot, snapshot_of
from worker.task import TaskStatus

_CASCADE = "cascade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A recorded attempt at a task.

    Attributes:
        row: The task.
        asked: The id that was asked for: another than the task's where what it fell of is this.
        attempt: What was recorded; None where nothing is.
        failure: What it failed with; None where it did not.
        engine: The name of the engine that did it; "" where that is not recorded.
        snapshot: The model's defaults as recorded; None where none were read.
    """

    row: TaskRow
    asked: str
    attempt: Attempt | None
    failure: FailureFound | None
    engine: str
    snapshot: Snapshot | None


def subject_of(case: Case) -> Subject:
    """Take what is to be replayed out of a case.

    Raises `NothingToReplay` for a task that never ran, or runs now.
    """
    row = case.task
    attempt = Attempt.of(case.model, row)
    _check_over(row, attempt)
    return Subject(
        row=row,
        asked=case.asked,
        attempt=attempt,
        failure=_failure(row, attempt),
        engine=_engine(attempt),
        snapshot=snapshot_of(attempt) if attempt else None,
    )


def _check_over(row: TaskRow, attempt: Attempt | None) -> None:
    begun = attempt is not None and attempt.begin is not None
    if not begun and row.status != TaskStatus.COMPLETE and not _own_error(row):
        why = f": {row.error_message}" if row.error_message else ""
        ran = f"left no record of attempt {row.attempt}" if row.attempt > 1 else "never ran"
        raise NothingToReplay(
            f"task {row.id} ({row.status}) {ran}, so there is nothing to replay{why}"
        )
    if attempt is not None and row.status == TaskStatus.IN_PROGRESS and _runs(attempt):
        raise NothingToReplay(
            f"task {row.id} runs at this moment: replay it when it has ended; "
            f"`loop26 trace {row.id}` shows how far it is"
        )


def _runs(attempt: Attempt) -> bool:
    return any(
        begun == attempt.begin and end is None and part.alive
        for part in attempt.parts
        for begun, end in part.tasks
    )


def _own_error(row: TaskRow) -> dict[str, Any]:
    return {} if row.error.get("kind") == _CASCADE else row.error


def _failure(row: TaskRow, attempt: Attempt | None) -> FailureFound | None:
    if row.status == TaskStatus.COMPLETE:  # an attempt before the last one may have failed
        return None
    error = attempt.error if attempt else None
    return None if error is None and not _own_error(row) else failure(error, row)


def _engine(attempt: Attempt | None) -> str:
    """Return the engine of the task process that the attempt was made in."""
    parts = attempt.parts if attempt else []
    named = [str(part.facts.facts.get("engine") or "") for part in parts]
    return next((name for name in reversed(named) if name), "")
