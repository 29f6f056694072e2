"""What the functions of the database return, in Python's types.

Other applications write rows, too: what makes no sense there counts as not said.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from worker.store.base import Event, FailedAttempt
from worker.store.diagnosis import KINDS, Counted, Diagnosis
from worker.store.rows import UNSAID, count_of, cut, ids_of, text_of
from worker.task import Claim, Dependency, Task, TaskStatus


def claim_of(answer: Mapping[str, Any], token: UUID) -> Claim:
    """Read what a claim answers."""
    parent = answer["parent_params"]
    return Claim(
        token=token,
        task=task_of(answer["task"]),
        dependencies=tuple(map(_dependency_of, answer["dependencies"])),
        parent_params=None if parent is None else _object(parent) or {},
        previous_context=answer["previous_context"],
    )


def task_of(row: Mapping[str, Any]) -> Task:
    """Read a task."""
    return Task(
        id=UUID(row["id"]),
        task_type=row["task_type"],
        params=_object(row["params"]) or {},
        status=TaskStatus(row["status"]),
        dependant_on=ids_of(row["dependant_on"]),
        parent_id=_uuid(row["parent_id"]),
        project_id=_uuid(row["project_id"]),
        idempotency_key=row["idempotency_key"],
        trace_context=row["trace_context"],
        process_context=row["process_context"],
        attempts=row["attempts"] or 0,
        deaths=row["deaths"],
        worker_id=row["worker_id"],
        output_location=row["output_location"],
        error_message=row["error_message"],
        error=_object(row["error"]),
        result_data=_object(row["result_data"]),
        progress=_object(row["progress"]),
        created_at=_time(row["created_at"]) or UNSAID,
        updated_at=_time(row["updated_at"]) or UNSAID,
        generation_started_at=_time(row["generation_started_at"]),
        generation_processed_at=_time(row["generation_processed_at"]),
    )


def event_of(row: Mapping[str, Any]) -> Event:
    """Read a line of a task's history."""
    return Event(
        seq=row["seq"],
        task_id=UUID(row["task_id"]),
        at=_time(row["at"]) or UNSAID,
        name=row["name"],
        data=_object(row["data"]) or {},
    )


def failed_attempt_of(row: Mapping[str, Any]) -> FailedAttempt:
    """Read an event that tells of a failure, with what its task is."""
    data = _object(row["data"]) or {}
    return FailedAttempt(
        task_id=UUID(row["task_id"]),
        task_type=row["task_type"],
        model=str(row["model"] or ""),
        status=TaskStatus(row["status"]),
        at=_time(row["at"]) or UNSAID,
        name=row["name"],
        attempt=count_of(data.get("attempt")),
        worker_id=text_of(data.get("worker_id")),
        failure=_object(data.get("failure")) or {},
    )


def diagnosis_of(answer: Mapping[str, Any]) -> Diagnosis:
    """Read what the queue says of itself."""
    parts = ("tables", "policies", "indexes", "triggers", "functions")
    return Diagnosis(
        now=_time(answer["now"]) or UNSAID,
        server=f"PostgreSQL {answer['server']}",
        schema_version=answer["schema_version"],
        statuses=answer["statuses"],
        tasks={
            kind: Counted(count=answer[kind]["count"], ids=tuple(answer[kind]["ids"]))
            for kind in KINDS
        },
        oldest_queued=_time(answer["oldest_queued"]),
        workers=answer["workers"],
        database={part: answer[part] for part in parts},
    )


def _dependency_of(row: Mapping[str, Any]) -> Dependency:
    return Dependency(
        id=UUID(row["id"]),
        task_type=row["task_type"],
        params=_object(row["params"]) or {},
        output_location=row["output_location"],
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _time(text: str | None) -> datetime | None:
    """Read a moment; one before 1970, after 9999 or at infinity counts as not said."""
    try:
        found = datetime.fromisoformat(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found >= UNSAID else None


def _object(value: Any) -> dict[str, Any] | None:
    found = cut(value)
    return found if isinstance(found, dict) else None
