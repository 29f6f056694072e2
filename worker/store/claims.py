"""How a task is chosen for a worker, and becomes its own."""

import json
import sqlite3
from typing import Any
from uuid import uuid4

from worker.store.base import ClaimRequest
from worker.store.contexts import context_of, trace_id_of
from worker.store.ownership import owned
from worker.store.rows import dependency_of, id_of, object_of, task_of, text_of
from worker.store.transaction import Transaction
from worker.task import Claim, Dependency


def take(transaction: Transaction, request: ClaimRequest) -> Claim | None:
    """Claim the next eligible task, or return the claim that this token already is.

    Raises:
        Fenced: The token owned a task and does not any more.
    """
    task = _next(transaction, request)
    if task is not None:
        return _taken(transaction, request, task)
    if transaction.one("select_claim", token=str(request.token)) is not None:
        return _renewed(transaction, request)
    return None


def _next(transaction: Transaction, request: ClaimRequest) -> sqlite3.Row | None:
    task_types = json.dumps(list(request.task_types))
    oldest = transaction.one("select_next_task", task_types=task_types, token=str(request.token))
    model = request.loaded_model
    if oldest is None or model is None or oldest["model"] == model:
        return oldest
    if oldest["waiting_since"] < transaction.later(-request.affinity_wait_s):
        return oldest
    preferred = transaction.one("select_next_task_of_model", task_types=task_types, model=model)
    return preferred or oldest


def _taken(transaction: Transaction, request: ClaimRequest, task: sqlite3.Row) -> Claim:
    process_context = _process_context(task, request)
    ours = {
        "token": str(request.token),
        "worker_id": request.worker_id,
        "process_context": process_context,
    }
    (row,) = transaction.run(
        "claim_task", id=task["id"], lease_expires_at=transaction.later(request.lease_s), **ours
    ).fetchall()
    facts = {"attempt": row["attempts"], "drawn": str(uuid4()), **ours}
    transaction.record(row["id"], "claimed", facts)
    return _claim(transaction, request, row, task["process_context"])


def _renewed(transaction: Transaction, request: ClaimRequest) -> Claim:
    claim = owned(transaction, request.token, "claim").task
    transaction.run(
        "extend_lease",
        id=claim["id"],
        lease_expires_at=transaction.later(request.lease_s),
        progress=None,
    )
    (row,) = transaction.run("select_task", id=claim["id"]).fetchall()
    before = transaction.one(
        "select_previous_context", task_id=claim["id"], claimed_seq=claim["claimed_seq"]
    )
    previous = None if before is None else text_of(before["process_context"]) or None
    return _claim(transaction, request, row, previous)


def _process_context(task: sqlite3.Row, request: ClaimRequest) -> str:
    # Attempts at a task that came without a trace share the trace of the first.
    trace_id = (
        trace_id_of(task["trace_context"])
        or trace_id_of(task["process_context"])
        or request.trace_id
    )
    return context_of(trace_id, request.span_id)


def _claim(
    transaction: Transaction, request: ClaimRequest, row: sqlite3.Row, previous: str | None
) -> Claim:
    task = task_of(row)
    return Claim(
        token=request.token,
        task=task,
        dependencies=_dependencies(transaction, row),
        parent_params=_parent_params(transaction, row, task.params),
        previous_context=previous,
    )


def _dependencies(transaction: Transaction, row: sqlite3.Row) -> tuple[Dependency, ...]:
    if row["dependant_on"] == "[]":
        return ()
    rows = transaction.run("select_dependencies", dependant_on=row["dependant_on"]).fetchall()
    return tuple(map(dependency_of, rows))


def _parent_params(
    transaction: Transaction, row: sqlite3.Row, params: dict[str, Any]
) -> dict[str, Any] | None:
    parent_id = id_of(row["parent_id"] or params.get("orchestrator_task_id_ref"))
    if parent_id is None:
        return None
    parent = transaction.one("select_task", id=str(parent_id))
    return None if parent is None else object_of(parent["params"]) or {}
