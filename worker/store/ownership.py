"""Who owns a task: fencing by token, and how a claim ends."""

import sqlite3
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from worker.errors import Fenced
from worker.store.transaction import Transaction


def owned(
    transaction: Transaction, token: UUID, call: str, *, repeatable: bool = False
) -> sqlite3.Row:
    """Return the claim and the task that the token owns, as `select_claim` reads them.

    With `repeatable`, a claim that this very call has settled is returned too, its `settled` set:
    there is nothing left to do then.

    Raises:
        Fenced: The token owns no task; the task's history has the refusal.
    """
    row = transaction.one("select_claim", token=str(token))
    if row is None:
        raise Fenced(token, "no task was ever claimed with it")
    if row["owner"] or (repeatable and row["settled"] == call):
        return row
    reason = _loss(row)
    transaction.record(
        row["id"],
        "refused",
        {
            "call": call,
            "token": str(token),
            "worker_id": row["claimant"],
            "attempt": row["attempt"],
            "reason": reason,
        },
    )
    raise Fenced(token, reason)


def settle(
    transaction: Transaction, token: str, settled: str, status: str, reason: str | None = None
) -> None:
    """End a claim. `settled` names the call, or swept, cancelled or cascaded.

    `status` is what the task has become, `reason` what the worker is told when it calls again.
    """
    transaction.run("settle_claim", token=token, settled=settled, status=status, reason=reason)


def attempt_facts(row: sqlite3.Row) -> Mapping[str, Any]:
    """Return what every event of an attempt says of it, from a claim's row."""
    return {"worker_id": row["claimant"], "attempt": row["attempt"], "token": row["token"]}


def _loss(row: sqlite3.Row) -> str:
    if row["reason"] is not None:
        return str(row["reason"])
    if row["settled"] is not None:
        return f"it was settled by {row['settled']}"
    return f"the task was set to {row['status']!r} by another application"
