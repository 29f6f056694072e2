"""What the functions of the database return, in Python's types; see `worker.store.rows`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from worker.store import rows
from worker.store.base import Event, FailedAttempt
from worker.store.depth import Depth
from worker.store.diagnosis import KINDS, Counted, Diagnosis
from worker.store.rows import UNSAID, cut, object_of, time_of
from worker.task import Claim, Task


def claim_of(answer: Mapping[str, Any], token: UUID) -> Claim:
    """Read what a claim answers."""
    parent = answer["parent_params"]
    return Claim(
        token=token,
        task=task_of(answer["task"]),
        dependencies=tuple(rows.dependency_of(each, cut) for each in answer["dependencies"]),
        parent_params=None if parent is None else object_of(parent, cut) or {},
        previous_context=answer["previous_context"],
    )


def depth_of(row: Mapping[str, Any]) -> Depth:
    """Read how deep the queue is of one type."""
    return Depth(
        task_type=row["task_type"],
        ready=row["ready"],
        held=row["held"],
        oldest_s=max(0.0, row["oldest_s"]),
    )


def task_of(row: Mapping[str, Any]) -> Task:
    """Read a task."""
    return rows.task_of(row, cut)


def event_of(row: Mapping[str, Any]) -> Event:
    """Read a line of a task's history."""
    return rows.event_of(row, cut)


def failed_attempt_of(row: Mapping[str, Any]) -> FailedAttempt:
    """Read an event that tells of a failure, with what its task is."""
    return rows.failed_attempt_of(row, cut)


def diagnosis_of(answer: Mapping[str, Any]) -> Diagnosis:
    """Read what the queue says of itself."""
    parts = ("tables", "policies", "indexes", "triggers", "functions")
    return Diagnosis(
        now=time_of(answer["now"]) or UNSAID,
        server=f"PostgreSQL {answer['server']}",
        schema_version=answer["schema_version"],
        statuses=answer["statuses"],
        tasks={
            kind: Counted(count=answer[kind]["count"], ids=tuple(answer[kind]["ids"]))
            for kind in KINDS
        },
        oldest_queued=time_of(answer["oldest_queued"]),
        workers=answer["workers"],
        database={part: answer[part] for part in parts},
    )
