"""How tasks end: failed or cancelled with their families, or complete with their orchestrator."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from telemetry import cascade
from worker.errors import InvalidTask
from worker.store.contexts import trace_id_of
from worker.store.rows import count_of, id_of, lenient_json_text, object_of, text_of
from worker.store.transaction import Transaction
from worker.task import STITCH, Failure, TaskStatus

_NOWHERE: Mapping[str, Any] = {"file": "", "line": 0, "function": "", "trace_id": ""}
_BADLY = (TaskStatus.FAILED, TaskStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a task fails or is cancelled, and what its relatives are told.

    Attributes:
        status: Failed or Cancelled.
        sentence: For people; "" for a cancellation without a reason.
        error: The task's own `error`.
        cause: Type, message, place and trace id: the relatives' `root_cause`, but for the task id.
    """

    status: TaskStatus
    sentence: str
    error: Mapping[str, Any] | None
    cause: Mapping[str, Any]


def failed(failure: Failure, process_context: str | None) -> Ending:
    """Make the ending of a task that failed; the attempt's trace stands in for a missing one."""
    return Ending(
        status=TaskStatus.FAILED,
        sentence=failure.sentence,
        error=asdict(failure),
        cause={
            "type": failure.type,
            "message": failure.message,
            "file": failure.file,
            "line": failure.line,
            "function": failure.function,
            "trace_id": failure.trace_id or trace_id_of(process_context) or "",
        },
    )


def cancelled(reason: str, process_context: str | None, trace_context: str | None) -> Ending:
    """Make the ending of a task that was cancelled."""
    return Ending(
        status=TaskStatus.CANCELLED,
        sentence=reason,
        error=None,
        cause={
            "type": "Cancelled",
            "message": reason,
            **_NOWHERE,
            "trace_id": trace_id_of(process_context) or trace_id_of(trace_context) or "",
        },
    )


def end(
    transaction: Transaction,
    task_id: str,
    ending: Ending,
    facts: Mapping[str, Any],
    *,
    deaths: int = 0,
) -> list[str]:
    """Fail or cancel a task and its family; return the ids of all, the task's own first.

    `facts` go into the event; `deaths` are added to the count.
    """
    _set_ended(transaction, task_id, ending, ending.sentence or None, ending.error, deaths)
    transaction.record(task_id, ending.status.lower(), facts)
    return [task_id, *_end_family(transaction, task_id, task_id, ending)]


def _end_family(
    transaction: Transaction, member_id: str, root_id: str, ending: Ending
) -> list[str]:
    """End the family of `member_id` because of what happened to `root_id`."""
    message = cascade.sentence(ending.status, root_id, ending.sentence)
    root_cause = {"task_id": root_id, **ending.cause}
    error = {
        "kind": "cascade",
        "type": ending.cause["type"],
        "message": message,
        "root_cause": root_cause,
    }
    relatives = transaction.run("select_family", id=member_id).fetchall()
    for relative in relatives:
        _set_ended(transaction, relative["id"], ending, message, error, 0)
        transaction.record(
            relative["id"],
            "cascaded",
            {
                "status": ending.status,
                "root_cause": root_cause,
                "worker_id": relative["worker_id"],
            },
        )
    return [relative["id"] for relative in relatives]


def _set_ended(
    transaction: Transaction,
    task_id: str,
    ending: Ending,
    message: str | None,
    error: Mapping[str, Any] | None,
    deaths: int,
) -> None:
    transaction.run(
        "end_task",
        id=task_id,
        status=ending.status.value,
        error_message=message,
        error=None if error is None else lenient_json_text(error),
        deaths=deaths,
    )


def complete(
    transaction: Transaction,
    task: sqlite3.Row,
    *,
    output_location: str,
    result: str | None,
    facts: Mapping[str, Any],
) -> None:
    """Complete a task (its `id` and `parent_id`), and its orchestrator when it was the last."""
    transaction.run(
        "complete_task", id=task["id"], output_location=output_location, result_data=result
    )
    transaction.record(task["id"], "completed", {"output_location": output_location, **facts})
    if task["parent_id"] is not None:
        _complete_waiting(transaction, task["parent_id"], last_child=task["id"])


def refuse_incomplete_children(transaction: Transaction, task_id: str) -> None:
    """Refuse to complete an orchestrator over children that are not Complete.

    A task of another type waits for nobody, whoever names it as a parent. Raises `InvalidTask`.
    """
    child = transaction.one("select_incomplete_child", id=task_id)
    if child is not None:
        raise InvalidTask(
            "children",
            child["id"],
            f"is {child['status']}: an orchestrator is Complete when all of its children are, and "
            "waits for them when it spawns",
        )


def settle_waiting(transaction: Transaction, orchestrator_id: str) -> None:
    """End an orchestrator that has just begun to wait, if its children have ended already."""
    child = transaction.one("select_ended_child", id=orchestrator_id)
    if child is None:
        _complete_waiting(transaction, orchestrator_id, last_child=None)
    else:
        _end_family(transaction, child["id"], *_told(transaction, child))


def _complete_waiting(
    transaction: Transaction, orchestrator_id: str, *, last_child: str | None
) -> None:
    waiting = transaction.one("select_finished_orchestrator", id=orchestrator_id)
    if waiting is None:
        return
    complete(
        transaction,
        waiting,
        output_location=_output_of_children(transaction, orchestrator_id),
        result=waiting["result_data"],
        facts={"last_child": last_child},
    )


def _output_of_children(transaction: Transaction, orchestrator_id: str) -> str:
    children = transaction.run("select_outputs_of_children", id=orchestrator_id).fetchall()
    stitched = [row["output_location"] for row in children if row["task_type"] == STITCH]
    if stitched:
        return str(stitched[-1] or "")
    return json.dumps([row["output_location"] for row in children], ensure_ascii=False)


def _told(transaction: Transaction, ended: sqlite3.Row) -> tuple[str, Ending]:
    """Return which task failed or was cancelled first, and how, as an ended task's row has it."""
    root = _first_of(transaction, ended)
    error = object_of(root["error"]) or {}
    message = root["error_message"] or ""
    return root["id"], Ending(
        status=TaskStatus(root["status"]),
        sentence=message,
        error=None,
        cause={
            "type": text_of(error.get("type")) or root["status"],
            "message": text_of(error.get("message")) or message,
            "file": text_of(error.get("file")),
            "line": count_of(error.get("line")),
            "function": text_of(error.get("function")),
            "trace_id": text_of(error.get("trace_id")),
        },
    )


def _first_of(transaction: Transaction, ended: sqlite3.Row) -> sqlite3.Row:
    """Follow root causes to the task that ended first; other applications may name any task."""
    seen = {ended["id"]}
    while (root := _named_root(transaction, ended)) is not None and root["id"] not in seen:
        seen.add(root["id"])
        ended = root
    return ended


def _named_root(transaction: Transaction, ended: sqlite3.Row) -> sqlite3.Row | None:
    """Return the row that a task's `root_cause` names, where it is one that ended badly, too."""
    named = (object_of(ended["error"]) or {}).get("root_cause")
    root_id = id_of(named.get("task_id")) if isinstance(named, dict) else None
    root = None if root_id is None else transaction.one("select_task", id=str(root_id))
    return root if root is not None and root["status"] in _BADLY else None
