"""Deaths of workers: counted on the task, which is tried again up to a limit."""

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from worker.store import endings
from worker.store.contexts import span_id_of, trace_id_of
from worker.store.ownership import Attempt
from worker.store.rows import object_of, task_of, text_of
from worker.store.transaction import Transaction
from worker.task import Failure, Task, TaskStatus


def record(
    transaction: Transaction, attempt: Attempt, failure: Failure, *, max_deaths: int
) -> TaskStatus:
    """Record that the process of an attempt died; return the status that its task has now."""
    task = attempt.task
    status = _verdict(task, max_deaths)
    facts = {"failure": asdict(failure), **attempt.facts}
    count = {"deaths": task["deaths"] + 1, "status": status}
    transaction.record(task["id"], "died", {**facts, **count})
    _count(transaction, task, failure, status, facts)
    return status


def recorded(attempt: Attempt) -> TaskStatus:
    """Return the status that a death gave to its task: where that is not told, the present one."""
    told = (attempt.settled or {}).get("status")
    return TaskStatus(told if told in list(TaskStatus) else attempt.task["status"])


def sweep(transaction: Transaction, *, max_deaths: int, by_type: Mapping[str, int]) -> list[Task]:
    """Treat every claim that expired as a death; return the tasks as they were before."""
    expired = transaction.run("select_expired").fetchall()
    for row in expired:
        _lose(transaction, row, max_deaths=by_type.get(row["task_type"], max_deaths))
    return [task_of(row) for row in expired]


def _lose(transaction: Transaction, row: sqlite3.Row, *, max_deaths: int) -> None:
    failure = _worker_lost(row)
    facts = {"failure": asdict(failure), **Attempt(task=row).facts}
    where = {
        "lease_expires_at": row["lease_expires_at"],
        "process_context": row["process_context"],
        "progress": object_of(row["progress"]),
        "deaths": row["deaths"] + 1,
    }
    transaction.record(row["id"], "worker_lost", {**facts, **where})
    now = transaction.one("select_task", id=row["id"])
    if now is None or now["claim_token"] is None:
        # Another expired task of this sweep has taken this one with it.
        return
    _count(transaction, row, failure, _verdict(row, max_deaths), facts)


def _verdict(task: sqlite3.Row, max_deaths: int) -> TaskStatus:
    """Return the status of a task after one more death."""
    return TaskStatus.FAILED if task["deaths"] + 1 >= max_deaths else TaskStatus.QUEUED


def _count(
    transaction: Transaction,
    task: sqlite3.Row,
    failure: Failure,
    status: TaskStatus,
    facts: Mapping[str, Any],
) -> None:
    """Count a death: the task is Queued again, or Failed with its family."""
    if status is TaskStatus.FAILED:
        ending = endings.failed(failure, task["process_context"])
        endings.end(transaction, task["id"], ending, facts, deaths=1)
    else:
        transaction.run("requeue_task", id=task["id"], given_back=0, deaths=1, run_after=None)


def _worker_lost(row: sqlite3.Row) -> Failure:
    return Failure(
        kind="death",
        type="WorkerLost",
        message=(
            f"worker {row['worker_id']} fell silent: its lease ran out at "
            f"{row['lease_expires_at']} and was not extended"
        ),
        sentence="The worker that ran this task was lost.",
        stage=text_of((object_of(row["progress"]) or {}).get("stage")),
        trace_id=trace_id_of(row["process_context"]) or "",
        span_id=span_id_of(row["process_context"]) or "",
    )
