"""Who owns a task: fencing by token, and how a claim ended, by the task's history."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from worker.errors import Fenced
from worker.store.base import MOST_TAKEN_BACK, Event
from worker.store.rows import count_of, event_of, text_of
from worker.store.transaction import Transaction
from worker.task import Failure

# The calls that settle a claim, by the event that each leaves.
_CALLS: Mapping[str, str] = {
    "completed": "complete",
    "spawned": "spawn",
    "failed": "fail",
    "released": "release",
    "retried": "release",
    "died": "record_death",
}
# Events that end no claim.
_WITHIN = ("started", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A claim that may do what it asks for.

    Attributes:
        task: The row of the task as it is now, as `select_claim` reads it.
        settled: What this very call recorded when it settled the claim before: nothing is left to
            do then. None while the claim owns the task.
    """

    task: sqlite3.Row
    settled: Mapping[str, Any] | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What every event of an attempt says of it."""
        return {
            "worker_id": self.task["worker_id"],
            "attempt": self.task["attempts"],
            "token": self.task["claim_token"],
        }


def owned(
    transaction: Transaction, token: UUID, call: str, failure: Failure | None = None
) -> Attempt:
    """Return the attempt that the token stands for, if it owns its task.

    So too if this very call has settled it before: see `Attempt.settled`. A `failure` that the call
    was to tell of is kept with its refusal.

    Raises:
        Fenced: The token owns no task; the task's history has the refusal.
    """
    row = transaction.one("select_claim", token=str(token))
    if row is None:
        raise Fenced(token, "no task was ever claimed with it")
    if row["owner"]:
        return Attempt(task=row)
    begun, later = _course(transaction, row)
    ended = next((event for event in later if event.name not in _WITHIN), None)
    if ended is not None and _settled_by(ended, token) == call:
        return Attempt(task=row, settled=ended.data)
    reason = _loss(row, token, ended)
    facts: dict[str, Any] = {
        "call": call,
        "token": str(token),
        "reason": reason,
        "worker_id": text_of(begun.data.get("worker_id")),
        "attempt": count_of(begun.data.get("attempt")),
        "ended": None if ended is None else ended.name,
    }
    if failure is not None:
        facts["failure"] = asdict(failure)
    if ended is not None and ended.name == "worker_lost" and not _has_called(later, token):
        facts["death_taken_back"] = _take_back_death(transaction, row["id"])
    transaction.record(row["id"], "refused", facts)
    raise Fenced(token, reason)


def _course(transaction: Transaction, claim: sqlite3.Row) -> tuple[Event, list[Event]]:
    """Return the event that a claim began with, and all of its task that came later."""
    rows = transaction.run("list_events", task_id=claim["id"], since=claim["claimed_seq"])
    begun, *later = map(event_of, rows.fetchall())
    return begun, later


def _has_called(later: Sequence[Event], token: UUID) -> bool:
    """Whether a call of a claim was refused before."""
    return any(event.name == "refused" and event.data.get("token") == str(token) for event in later)


def _take_back_death(transaction: Transaction, task_id: str) -> bool:
    """Take the death of a worker that lives off the count; whether it could be."""
    taken = transaction.run("take_back_death", id=task_id, most=MOST_TAKEN_BACK)
    return taken.rowcount == 1


def _settled_by(ended: Event, token: UUID) -> str | None:
    """Return the call of this very token that ended its claim, if one did."""
    return _CALLS.get(ended.name) if ended.data.get("token") == str(token) else None


def _loss(task: sqlite3.Row, token: UUID, ended: Event | None) -> str:
    if ended is not None:
        if call := _settled_by(ended, token):
            return f"it was settled by {call}"
        if ended.name == "worker_lost":
            at = text_of(ended.data.get("lease_expires_at"))
            expired = f"its lease expired at {at}" if at else "its lease expired"
            return f"{expired} and the task was taken back"
        if ended.name == "cancelled":
            reason = text_of(ended.data.get("reason"))
            return f"the task was cancelled: {reason}" if reason else "the task was cancelled"
        if ended.name == "cascaded":
            return task["error_message"] or "the task ended with a related one"
    return f"the task was set to {task['status']!r} by another application"
