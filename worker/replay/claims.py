"""The task as its handler is to get it again: from the queue, whole, or from what was recorded."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from telemetry.records import TaskBegin
from telemetry.reports.case import Case, TaskRow
from worker.errors import TaskNotFound, WorkerError
from worker.replay.lost import lost_values
from worker.store.base import TaskStore
from worker.store.contexts import context_of
from worker.task import Claim, Dependency, Task, TaskStatus

_REF = "orchestrator_task_id_ref"
_DETAILS = "orchestrator_details"
_UNKNOWN = datetime.fromtimestamp(0, UTC)


class NothingToReplay(WorkerError):
    """Raised for a task that never ran, that runs now, or of which too little is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A task as it is to be done again.

    Attributes:
        claim: What the handler gets, in a trace of its own.
        source: Where its parameters come from, for people.
        missing: What the handler was given then and nobody knows now, a sentence each.
        altered: What is not what it was, a sentence each.
    """

    claim: Claim
    source: str
    missing: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()


def claimed_of_queue(store: TaskStore, task_id: UUID) -> Claimed:
    """Read a task, its orchestrator and what it depends on from the queue; it is only read."""
    task = store.get(task_id)
    named = str(task.parent_id or task.params.get(_REF) or "")
    parent = _found(store, named) if named else None
    needed = {each: _found(store, str(each)) for each in task.dependant_on}
    missing = [*_lacking_parent(named, task.params, there=parent is not None)]
    missing += [_lacking(each) for each, one in needed.items() if one is None]
    claim = _claim(
        task,
        parent_params=parent.params if parent else None,
        dependencies=[
            Dependency(
                id=one.id,
                task_type=one.task_type,
                params=one.params,
                output_location=one.output_location,
            )
            for one in needed.values()
            if one is not None
        ],
    )
    return Claimed(claim=claim, source="the queue", missing=tuple(missing))


def claimed_of_record(case: Case, begin: TaskBegin | None) -> Claimed:
    """Put a task together from its record, where secrets and, if so set, prompts are hidden.

    Raises `NothingToReplay` where it has no parameters.
    """
    row = case.task
    params = row.params or (dict(begin.params) if begin else {})
    if not params:
        raise NothingToReplay(
            f"the parameters of task {row.id} are not in {case.source}: they were too large to be "
            "recorded, or that part of it is lost; replay the task where its queue is"
        )
    rows = {one.id: one for one in case.relatives}
    named = str(row.parent_id or params.get(_REF) or "")
    parent = rows.get(named.lower())
    there = [rows[each] for each in row.depends_on if each in rows]
    told = parent is not None and bool(parent.params)
    missing = [*_lacking_parent(named, params, there=told)]
    missing += [_lacking(each) for each in row.depends_on if each not in rows]
    altered = lost_values(params)
    altered += lost_values(parent.params, "its orchestrator's params") if parent else []
    try:
        claim = _claim(
            _task(row, params),
            parent_params=parent.params if parent else None,
            dependencies=[
                Dependency(
                    id=UUID(one.id),
                    task_type=one.type,
                    params=one.params,
                    output_location=one.output or None,
                )
                for one in there
            ],
        )
    except ValueError as error:
        raise NothingToReplay(f"the record of task {row.id!r} names no ids: {error}") from error
    return Claimed(claim=claim, source=case.source, missing=tuple(missing), altered=tuple(altered))


def _claim(
    task: Task, *, parent_params: dict[str, Any] | None, dependencies: Iterable[Dependency]
) -> Claim:
    context = context_of(secrets.token_hex(16), secrets.token_hex(8))
    return Claim(
        token=uuid4(),
        task=replace(task, status=TaskStatus.IN_PROGRESS, process_context=context),
        dependencies=tuple(dependencies),
        parent_params=parent_params,
    )


def _task(row: TaskRow, params: dict[str, Any]) -> Task:
    """Make a task of a recorded row; what no handler looks at is left empty."""
    return Task(
        id=UUID(row.id),
        task_type=row.type,
        params=params,
        status=TaskStatus.IN_PROGRESS,
        dependant_on=tuple(map(UUID, row.depends_on)),
        parent_id=UUID(row.parent_id) if row.parent_id else None,
        project_id=None,
        idempotency_key=None,
        trace_context=None,
        process_context=None,
        attempts=row.attempt,
        deaths=0,
        worker_id=None,
        output_location=None,
        error_message=None,
        error=None,
        result_data=None,
        progress=None,
        created_at=_UNKNOWN,
        updated_at=_UNKNOWN,
        generation_started_at=None,
        generation_processed_at=None,
    )


def _found(store: TaskStore, task_id: str) -> Task | None:
    try:
        return store.get(UUID(task_id))
    except (ValueError, TaskNotFound):
        return None


def _lacking_parent(named: str, params: Mapping[str, Any], *, there: bool) -> Iterable[str]:
    if named and not there and params.get(_DETAILS) is None:
        yield f"what the orchestrator {named} says of it is not there any more"


def _lacking(task_id: object) -> str:
    return f"the task {task_id} that it depends on is not there any more"
