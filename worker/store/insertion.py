"""Insertion of tasks: idempotent by key, whole or nothing, refused when they could never end."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any
from uuid import UUID

from worker.errors import InvalidTask
from worker.store.rows import json_text
from worker.store.transaction import Transaction
from worker.task import SEGMENT, STITCH, NewTask, TaskStatus

# An individual_travel_segment names the orchestrator of the journey it was taken from, which may
# have ended long ago; it is no child of it.
CHILD_TYPES = (SEGMENT, STITCH)


def insert_tasks(transaction: Transaction, tasks: Sequence[NewTask]) -> list[UUID]:
    """Insert the tasks that are not there yet; return the ids of all, in order.

    Where a task is already there, what other tasks of the same call say of it (as a dependency,
    as a parent) goes for the one that is there.

    Raises:
        InvalidTask: A task that JSON cannot hold, an id that is taken, a dependency that is not
            there or has ended without success, a parent that is not there or has ended, or tasks
            that would wait for each other.
    """
    known, first = _known(transaction, tasks)
    fresh = [_renamed(task, known) for task in first]
    own = {task.id for task in fresh}
    for task in fresh:
        _check_dependencies(transaction, task, own)
        _check_parent(transaction, task, own)
    _check_order(transaction, fresh)
    for task in fresh:
        _check_id(transaction, task)
        transaction.run("insert_task", **_values(task))
    return [known[task.id] for task in tasks]


def parent_of(task: NewTask) -> UUID | None:
    """Return the orchestrator of a task: named as its parent, or by a child's params alone."""
    if task.parent_id is not None or task.task_type not in CHILD_TYPES:
        return task.parent_id
    try:
        return UUID(task.params.get("orchestrator_task_id_ref"))
    except (TypeError, ValueError, AttributeError):
        return None


def _known(
    transaction: Transaction, tasks: Sequence[NewTask]
) -> tuple[dict[UUID, UUID], list[NewTask]]:
    """Map each task's id to its id in the queue; list the tasks that are not there yet."""
    known: dict[UUID, UUID] = {}
    of_key: dict[str, UUID] = {}
    first: list[NewTask] = []
    for task in tasks:
        key = task.idempotency_key
        if key is not None and key not in of_key:
            row = transaction.one("select_task_of_key", idempotency_key=key)
            if row is not None:
                _check_family(task, row)
                of_key[key] = UUID(row["id"])
        if key is None or key not in of_key:
            first.append(task)
        known[task.id] = task.id if key is None else of_key.setdefault(key, task.id)
    return known, first


def _check_family(task: NewTask, there: sqlite3.Row) -> None:
    # The orchestrator would wait for children that are not its own, and complete without them.
    if task.parent_id is not None and there["parent_id"] != str(task.parent_id):
        raise InvalidTask(
            "idempotency_key",
            task.idempotency_key,
            f"belongs to task {there['id']}, which is no child of {task.parent_id} but another's; "
            "make the orchestrator's id part of its children's keys",
        )


def _renamed(task: NewTask, known: Mapping[UUID, UUID]) -> NewTask:
    parent = parent_of(task)
    return replace(
        task,
        dependant_on=tuple(known.get(each, each) for each in task.dependant_on),
        parent_id=None if parent is None else known.get(parent, parent),
    )


def _check_id(transaction: Transaction, task: NewTask) -> None:
    if transaction.one("select_task", id=str(task.id)) is not None:
        raise InvalidTask(
            "id",
            str(task.id),
            "is the id of a task that is already in the queue; leave the id out, or give an "
            "idempotency_key to repeat an insertion",
        )


def _check_dependencies(transaction: Transaction, task: NewTask, own: set[UUID]) -> None:
    for needed in task.dependant_on:
        if needed in own:
            continue
        row = transaction.one("select_task", id=str(needed))
        if row is None:
            raise InvalidTask(
                "dependant_on", str(needed), "is no task of this queue; insert it before or with"
            )
        if row["status"] in (TaskStatus.FAILED, TaskStatus.CANCELLED):
            raise InvalidTask(
                "dependant_on",
                str(needed),
                f"is {row['status']} and will never be Complete; depend on another attempt at it",
            )


def _check_parent(transaction: Transaction, task: NewTask, own: set[UUID]) -> None:
    if task.parent_id is None or task.parent_id in own:
        return
    row = transaction.one("select_task", id=str(task.parent_id))
    if row is not None and TaskStatus(row["status"]).terminal:
        raise InvalidTask(
            "parent_id",
            str(task.parent_id),
            f"is {row['status']}: its journey is over and takes no further children; to make one "
            "segment again, insert an individual_travel_segment",
        )
    # A reference in the params alone may name an orchestrator of another queue.
    if row is None and "orchestrator_task_id_ref" not in task.params:
        raise InvalidTask(
            "parent_id", str(task.parent_id), "is no task of this queue; insert it before or with"
        )


def _check_order(transaction: Transaction, fresh: Sequence[NewTask]) -> None:
    """Refuse tasks that wait for each other: for a dependency, or as a parent for its children."""
    order: TopologicalSorter[str] = TopologicalSorter()
    own = {task.id for task in fresh}
    outside: set[str] = set()
    for task in fresh:
        order.add(str(task.id), *map(str, task.dependant_on))
        outside.update(str(each) for each in task.dependant_on if each not in own)
        if task.parent_id is not None:
            order.add(str(task.parent_id), str(task.id))
    if outside:
        for row in transaction.run("select_needs", ids=json.dumps(sorted(outside))).fetchall():
            order.add(row["waiting"], row["needed"])
    try:
        order.prepare()
    except CycleError as error:
        _, cycle = error.args
        raise InvalidTask(
            "dependant_on",
            " → ".join(reversed(cycle)),
            "these tasks would wait for each other for ever (an orchestrator waits for its "
            "children)",
        ) from None


def _values(task: NewTask) -> dict[str, Any]:
    try:
        params = json_text(task.params)
    except (TypeError, ValueError) as error:
        raise InvalidTask("params", task.params, f"cannot be written as JSON: {error}") from error
    except RecursionError as error:
        # Too deep to be shown as well.
        raise InvalidTask("params", "…", "cannot be written as JSON: nested too deeply") from error
    return {
        "id": str(task.id),
        "task_type": task.task_type,
        "params": params,
        "dependant_on": json.dumps([str(each) for each in task.dependant_on]),
        "parent_id": _text(task.parent_id),
        "project_id": _text(task.project_id),
        "idempotency_key": task.idempotency_key,
        "trace_context": task.trace_context,
        "model": next(_models(task.params), None),
    }


def _models(params: Mapping[str, Any]) -> Iterator[str]:
    details = params.get("orchestrator_details")
    for layer in (params, details if isinstance(details, Mapping) else {}):
        model = layer.get("model_name")
        if isinstance(model, str):
            yield model


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
