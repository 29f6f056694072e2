"""What stands in a row of the queue, in Python's types and back.

Other applications write rows, too: what makes no sense there counts as not said.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from worker.store.base import Event, FailedAttempt
from worker.task import Dependency, Task, TaskStatus

UNSAID: Final = datetime(1970, 1, 1, tzinfo=UTC)  # stands for a moment that a row does not tell
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)  # a local time may be a day later
_DEEPEST: Final = 64  # whoever copies or prints a value goes into it, some calls a level
_LARGEST: Final = 2**53  # of a count

Row: TypeAlias = sqlite3.Row | Mapping[str, Any]
Read: TypeAlias = Callable[[Any], Any]
"""Reads what stands in a column of JSON: `read_text` of SQLite's, `cut` of what came as JSON."""

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
    """Write facts about a task as JSON, whatever they hold: they must not stop a settle.

    What JSON does not have is written as Python shows it.
    """
    try:
        return json_text(value)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({key: _writable(each) for key, each in value.items()})


def _writable(value: Any) -> Any:
    try:
        json_text(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
    return value


def read_text(text: str | None) -> Any:
    """Read JSON; None where it is none, and in place of what is nested too deep."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # Brackets within texts count, too: whether it is that deep is seen then.
    is_flat = text.count("{") + text.count("[") <= _DEEPEST
    return found if is_flat else cut(found)


def cut(value: Any, levels: int = _DEEPEST) -> Any:
    """Return a value of JSON with None in place of what is nested too deep."""
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return None
    if isinstance(value, list):
        return [cut(one, levels - 1) for one in value]
    return {name: cut(one, levels - 1) for name, one in value.items()}


def object_of(value: Any, read: Read = read_text) -> dict[str, Any] | None:
    """Read a JSON object; what another application may have put in its place counts as none."""
    found = read(value)
    return found if isinstance(found, dict) else None


def task_of(row: Row, read: Read = read_text) -> Task:
    """Read a row of `tasks`."""
    return Task(
        id=UUID(row["id"]),
        task_type=row["task_type"],
        params=object_of(row["params"], read) or {},
        status=TaskStatus(row["status"]),
        dependant_on=ids_of(read(row["dependant_on"])),
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
        error=object_of(row["error"], read),
        result_data=object_of(row["result_data"], read),
        progress=object_of(row["progress"], read),
        created_at=time_of(row["created_at"]) or UNSAID,
        updated_at=time_of(row["updated_at"]) or UNSAID,
        generation_started_at=time_of(row["generation_started_at"]),
        generation_processed_at=time_of(row["generation_processed_at"]),
    )


def dependency_of(row: Row, read: Read = read_text) -> Dependency:
    """Read what a task needs to know of one that it depends on."""
    return Dependency(
        id=UUID(row["id"]),
        task_type=row["task_type"],
        params=object_of(row["params"], read) or {},
        output_location=row["output_location"],
    )


def event_of(row: Row, read: Read = read_text) -> Event:
    """Read a row of `events`."""
    return Event(
        seq=row["seq"],
        task_id=UUID(row["task_id"]),
        at=time_of(row["at"]) or UNSAID,
        name=row["name"],
        data=object_of(row["data"], read) or {},
    )


def failed_attempt_of(row: Row, read: Read = read_text) -> FailedAttempt:
    """Read an event that tells of a failure, with what its task is."""
    data = object_of(row["data"], read) or {}
    failure = data.get("failure")
    return FailedAttempt(
        task_id=UUID(row["task_id"]),
        task_type=row["task_type"],
        model=str(row["model"] or ""),
        status=TaskStatus(row["status"]),
        at=time_of(row["at"]) or UNSAID,
        name=row["name"],
        attempt=count_of(data.get("attempt")),
        worker_id=text_of(data.get("worker_id")),
        failure=failure if isinstance(failure, dict) else {},
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def ids_of(found: Any) -> tuple[UUID, ...]:
    """Read a list of task ids, without what is none of them."""
    return tuple(filter(None, map(id_of, found))) if isinstance(found, list) else ()


def id_of(value: Any) -> UUID | None:
    """Read the id of a task; None where it is none."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def time_of(text: str | None) -> datetime | None:
    """Read a moment; one that names no zone is UTC."""
    try:
        found = datetime.fromisoformat(text or "")
        at = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if UNSAID <= at < _LATEST else None


def count_of(value: Any) -> int:
    """Read a number of something; 0 where it is none."""
    return value if type(value) is int and 0 <= value < _LARGEST else 0


def text_of(value: Any) -> str:
    """Read a text; "" where it is none, and a mark for what is no Unicode in it."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
