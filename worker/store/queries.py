"""What a queue is asked: a task, lists of tasks, their histories, and what has failed."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from worker.errors import TaskNotFound
from worker.store.base import Event, FailedAttempt
from worker.store.depth import MOST_COUNTED, Depth, of_each
from worker.store.diagnosis import KINDS, Counted, Diagnosis
from worker.store.rows import event_of, failed_attempt_of, task_of, time_of, time_text
from worker.store.transaction import Transaction
from worker.task import Task, TaskStatus

# Opens a transaction that changes nothing.
Read: TypeAlias = Callable[[], AbstractContextManager[Transaction]]

_LONG_AGO_S = 120.0
_SHOWN = 20
_AFTER_ALL = "\U0010ffff"  # times are ISO 8601 and sort as text; what is none is before it, too


def get(read: Read, task_id: UUID) -> Task:
    """Read one task; see `TaskStore.get`."""
    row = _row(read, "select_task", id=str(task_id))
    if row is None:
        raise TaskNotFound(task_id)
    return task_of(row)


def find(read: Read, prefix: str) -> list[Task]:
    """Find the tasks whose id begins with `prefix`; see `TaskStore.find`."""
    first = prefix.lower()
    # "g" comes after every hex digit and after the dash.
    return _tasks(read, "find_tasks", first=first, after=f"{first}g")


def of_key(read: Read, idempotency_key: str) -> Task | None:
    """Read the task that was inserted with this key; see `TaskStore.of_key`."""
    with read() as transaction:
        key = transaction.one("select_task_of_key", idempotency_key=idempotency_key)
        row = None if key is None else transaction.one("select_task", id=key["id"])
    return None if row is None else task_of(row)


def list_tasks(
    read: Read, *, statuses: Sequence[TaskStatus], parent_id: UUID | None, limit: int
) -> list[Task]:
    """List tasks, or the children of one; see `TaskStore.list_tasks`."""
    asked: dict[str, Any] = {
        "statuses": json.dumps([status.value for status in statuses]),
        "limit": limit,
    }
    if parent_id is None:
        return _tasks(read, "list_tasks", **asked)
    return _tasks(read, "list_children", parent_id=str(parent_id), **asked)


def has_open(read: Read, task_types: Sequence[str]) -> bool:
    """Whether a task of one of these types is queued or running; see `TaskStore.has_open`."""
    return _row(read, "select_open_task", task_types=json.dumps(list(task_types))) is not None


def depths(read: Read, task_types: Sequence[str]) -> list[Depth]:
    """Count what is queued of each type; see `TellsDepth.depths`."""
    with read() as transaction:
        asked = {"task_types": json.dumps(list(task_types)), "most": MOST_COUNTED}
        found = transaction.run("count_queued", **asked).fetchall()
    return of_each(task_types, (_depth(row, transaction.at_s) for row in found))


def events(read: Read, task_id: UUID) -> list[Event]:
    """Read a task's history, oldest first."""
    return list(map(event_of, _rows(read, "list_events", task_id=str(task_id), since=1)))


def failures(
    read: Read,
    *,
    fingerprint: str,
    since: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[FailedAttempt]:
    """List attempts that failed by themselves; see `TaskStore.failures`."""
    asked: dict[str, Any] = {
        "since": "" if since is None else time_text(since.timestamp()),
        "before": _until(before),
        "limit": limit,
    }
    if fingerprint:
        rows = _rows(read, "list_failures_alike", fingerprint=fingerprint, **asked)
    else:
        rows = _rows(read, "list_failures", **asked)
    return list(map(failed_attempt_of, rows))


def untold_failures(read: Read, *, limit: int) -> list[Task]:
    """List tasks that another application set to Failed; see `TaskStore.untold_failures`."""
    return _tasks(read, "list_untold_failures", limit=limit)


def dead_letters(read: Read, *, limit: int) -> list[Task]:
    """List tasks that failed for good and were not retried; see `TaskStore.dead_letters`."""
    return _tasks(read, "list_dead_letters", limit=limit)


def last_complete(
    read: Read, task_type: str, model: str, *, before: datetime | None
) -> Task | None:
    """Find the newest Complete task of a type and a model; see `TaskStore.last_complete`."""
    row = _row(
        read,
        "select_last_complete",
        task_type=task_type,
        model=model or None,
        before=_until(before),
    )
    return None if row is None else task_of(row)


def diagnose(read: Read) -> Diagnosis:
    """Say what stands in the queue that should not; see `TaskStore.diagnose`."""
    with read() as transaction:
        long_ago = transaction.later(-_LONG_AGO_S)
        found = transaction.run("diagnose_tasks", long_ago=long_ago).fetchall()
        counts = transaction.run("count_statuses").fetchall()
        workers = transaction.one("count_workers", long_ago=long_ago)
        oldest = transaction.one("select_oldest_ready")
        version = transaction.one("select_version")
    ids: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for row in found:
        ids[row["kind"]].append(row["id"])
    return Diagnosis(
        now=datetime.fromtimestamp(transaction.at_s, UTC),
        server=f"SQLite {version['server']}" if version else "SQLite",
        schema_version=version["version"] if version else 0,
        statuses={row["status"]: row["count"] for row in counts},
        tasks={
            kind: Counted(count=len(each), ids=tuple(each[:_SHOWN])) for kind, each in ids.items()
        },
        oldest_queued=None if oldest is None else time_of(oldest["created_at"]),
        workers=workers["count"] if workers else 0,
    )


def _tasks(read: Read, operation: str, **values: Any) -> list[Task]:
    return list(map(task_of, _rows(read, operation, **values)))


def _rows(read: Read, operation: str, **values: Any) -> list[sqlite3.Row]:
    # What is made of the rows is made outside: other threads wait for the transaction.
    with read() as transaction:
        return transaction.run(operation, **values).fetchall()


def _row(read: Read, operation: str, **values: Any) -> sqlite3.Row | None:
    with read() as transaction:
        return transaction.one(operation, **values)


def _until(before: datetime | None) -> str:
    return _AFTER_ALL if before is None else time_text(before.timestamp())


def _depth(row: sqlite3.Row, now_s: float) -> Depth:
    since = time_of(row["since"])
    return Depth(
        task_type=row["task_type"],
        ready=row["ready"],
        held=row["held"],
        oldest_s=0.0 if since is None else max(0.0, now_s - since.timestamp()),
    )
