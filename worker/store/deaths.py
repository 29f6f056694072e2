"""Deaths of workers: counted on the task, which is tried again up to a limit."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from worker.store import endings
from worker.store.contexts import span_id_of, trace_id_of
from worker.store.ownership import settle
from worker.store.rows import task_of
from worker.store.transaction import Transaction
from worker.task import Failure, Task, TaskStatus


def count(
    transaction: Transaction,
    task: sqlite3.Row,
    failure: Failure,
    *,
    max_deaths: int,
    facts: Mapping[str, Any],
) -> TaskStatus:
    """Count a death on a task that is In Progress; return the status that it has now.

    Queued again, or Failed with its family at the limit. `facts` go into the `failed` event.
    """
    if task["deaths"] + 1 >= max_deaths:
        ending = endings.failed(failure, task["process_context"])
        endings.end(transaction, task["id"], ending, facts, deaths=1)
        return TaskStatus.FAILED
    transaction.run("requeue_task", id=task["id"], given_back=0, deaths=1, run_after=None)
    return TaskStatus.QUEUED


def sweep(transaction: Transaction, *, max_deaths: int) -> list[Task]:
    """Treat every claim that expired as a death; return the tasks as they were before."""
    expired = transaction.run("select_expired").fetchall()
    for row in expired:
        _lose(transaction, row, max_deaths=max_deaths)
    return [task_of(row) for row in expired]


def _lose(transaction: Transaction, row: sqlite3.Row, *, max_deaths: int) -> None:
    failure = _worker_lost(row)
    facts = {
        "failure": asdict(failure),
        "worker_id": row["worker_id"],
        "attempt": row["attempts"],
        "token": row["claim_token"],
    }
    where = {
        "lease_expires_at": row["lease_expires_at"],
        "process_context": row["process_context"],
        "progress": json.loads(row["progress"] or "null"),
        "deaths": row["deaths"] + 1,
    }
    transaction.record(row["id"], "worker_lost", {**facts, **where})
    now = transaction.one("select_task", id=row["id"])
    if now is None or now["claim_token"] is None:
        # Another expired task of this sweep has taken this one with it.
        return
    status = count(transaction, row, failure, max_deaths=max_deaths, facts=facts)
    told = f"its lease expired at {row['lease_expires_at']} and the task was taken back"
    settle(transaction, row["claim_token"], "swept", status, told)


def _worker_lost(row: sqlite3.Row) -> Failure:
    return Failure(
        kind="death",
        type="WorkerLost",
        message=(
            f"worker {row['worker_id']} fell silent: its lease ran out at "
            f"{row['lease_expires_at']} and was not extended"
        ),
        sentence="The worker that ran this task was lost.",
        stage=_stage(row["progress"]),
        trace_id=trace_id_of(row["process_context"]) or "",
        span_id=span_id_of(row["process_context"]) or "",
    )


def _stage(progress: str | None) -> str:
    stage = json.loads(progress or "{}").get("stage", "")
    return stage if isinstance(stage, str) else ""
