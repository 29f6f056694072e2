"""What stands in a row of the queue, in Python's types and back."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from worker.store.base import Event, FailedAttempt
from worker.task import Dependency, Task, TaskStatus

# Made once: `json.dumps` with options makes one a call.
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def time_text(at_s: float) -> str:
    """Write seconds since the epoch as the queue does: UTC, microseconds, of constant width."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")


def json_text(value: Any) -> str:
    """Write a value as JSON.

    Raises:
        ValueError: NaN, an infinity, or text that is no Unicode.
        TypeError: A value that JSON does not have.
        RecursionError: Too deep.
    """
    text = _ENCODER.encode(value)
    if not text.isascii():
        text.encode()
    return text


def lenient_json_text(value: Mapping[str, Any]) -> str:
    """Write facts about a task as JSON, whatever they hold: they must not stop a settle."""
    try:
        return json_text(value)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({key: repr(each) for key, each in value.items()})


def task_of(row: sqlite3.Row) -> Task:
    """Read a row of `tasks`."""
    return Task(
        id=UUID(row["id"]),
        task_type=row["task_type"],
        params=json.loads(row["params"]),
        status=TaskStatus(row["status"]),
        dependant_on=tuple(map(UUID, json.loads(row["dependant_on"]))),
        parent_id=_uuid(row["parent_id"]),
        project_id=_uuid(row["project_id"]),
        idempotency_key=row["idempotency_key"],
        trace_context=row["trace_context"],
        process_context=row["process_context"],
        attempts=row["attempts"],
        deaths=row["deaths"],
        worker_id=row["worker_id"],
        output_location=row["output_location"],
        error_message=row["error_message"],
        error=_object(row["error"]),
        result_data=_object(row["result_data"]),
        progress=_object(row["progress"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        generation_started_at=_time(row["generation_started_at"]),
        generation_processed_at=_time(row["generation_processed_at"]),
    )


def dependency_of(row: sqlite3.Row) -> Dependency:
    """Read what a task needs to know of one that it depends on."""
    return Dependency(
        id=UUID(row["id"]),
        task_type=row["task_type"],
        params=json.loads(row["params"]),
        output_location=row["output_location"],
    )


def event_of(row: sqlite3.Row) -> Event:
    """Read a row of `events`."""
    return Event(
        seq=row["seq"],
        task_id=UUID(row["task_id"]),
        at=datetime.fromisoformat(row["at"]),
        name=row["name"],
        data=json.loads(row["data"]),
    )


def failed_attempt_of(row: sqlite3.Row) -> FailedAttempt:
    """Read an event that tells of a failure, with what its task is."""
    data = json.loads(row["data"])
    return FailedAttempt(
        task_id=UUID(row["task_id"]),
        task_type=row["task_type"],
        model=str(row["model"] or ""),
        status=TaskStatus(row["status"]),
        at=datetime.fromisoformat(row["at"]),
        name=row["name"],
        attempt=int(data.get("attempt") or 0),
        worker_id=str(data.get("worker_id") or ""),
        failure=dict(data["failure"]),
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _object(text: str | None) -> dict[str, Any] | None:
    """Read a JSON object; what another application may have put in its place counts as none."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
