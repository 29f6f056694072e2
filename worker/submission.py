"""Submission: tasks are checked and go into the queue, each journey in a trace of its own."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from telemetry import names
from telemetry.recorder import RecordedSpan, Recorder
from telemetry.recorder.scopes import TaskScope
from worker.engines.wan2gp.model_files import UnseenModels
from worker.errors import TaskNotFound, WorkerError
from worker.handlers.planning import Known
from worker.handlers.validation import validate
from worker.settings import Settings
from worker.settings.limits import input_policy
from worker.settings.models import models_of, unknown_keys_of
from worker.store.base import TaskStore
from worker.task import ORCHESTRATOR, STITCH, NewTask

_UNSEEN = (
    "no model could be looked up here, as the checkout of Wan2GP is not on this machine: the "
    "worker that runs the task looks; where there is one, set wan2gp_checkout "
    "(LOOP26_WAN2GP_CHECKOUT)"
)


def check(
    tasks: Sequence[tuple[str, NewTask]], settings: Settings, store: TaskStore
) -> tuple[str, ...]:
    """Refuse the first task that would fail for what it says; nothing is downloaded for it.

    Returns what could not be checked here, a sentence each.

    Args:
        tasks: Each with the words that say which it is, as in "tasks.json, task 2".
        settings: Say which models there are and what inputs may be.
        store: The queue; a segment may leave to its orchestrator what that says.
    """
    known = known_to(settings, [task for _, task in tasks], lambda: store)
    inputs = input_policy(settings)
    for where, task in tasks:
        try:
            validate(task, known, inputs=inputs)
        except WorkerError as error:
            # The error stays what it is, with its facts and its exit code; it only says where.
            error.args = (f"{where}: {error}",)
            raise
    return unseen_by(known) if any(task.task_type != STITCH for _, task in tasks) else ()


def known_to(
    settings: Settings, tasks: Sequence[NewTask], queue: Callable[[], TaskStore | None]
) -> Known:
    """Say what tasks are planned against: the models, the orchestrators beside them or queued.

    `queue` is called when one is looked for that is not beside them.
    """
    beside = {task.id: task.params for task in tasks if task.task_type == ORCHESTRATOR}

    def parent(task_id: UUID) -> Mapping[str, Any] | None:
        if task_id in beside:
            return beside[task_id]
        store = queue()
        try:
            return None if store is None else store.get(task_id).params
        except TaskNotFound:
            return None

    return Known(models=models_of(settings), parent=parent, unknown=unknown_keys_of(settings))


def unseen_by(known: Known) -> tuple[str, ...]:
    """Say that models could not be looked up, where that is so."""
    return (_UNSEEN,) if isinstance(known.models, UnseenModels) else ()


def submit(tasks: Sequence[NewTask], *, store: TaskStore, recorder: Recorder) -> list[UUID]:
    """Insert the tasks, all or none, under one `send` span for each journey; return their ids.

    Tasks that depend on one another are one journey and share a trace; others share nothing.
    """
    found = journeys(tasks)
    with ExitStack() as scopes:
        sent: dict[UUID, NewTask] = {}
        for journey in found:
            trace_id = secrets.token_bytes(16)
            if len(found) == 1:
                # Where there is one, its record is found by its first task, with the rest of the
                # journey. A journal has one task in hand at a time, so several cannot be.
                scopes.enter_context(_task(recorder, journey[0], trace_id))
            span = scopes.enter_context(_send(recorder, store, journey, trace_id))
            here = span.get_span_context()
            traceparent = f"00-{here.trace_id:032x}-{here.span_id:016x}-01"
            sent |= {task.id: replace(task, trace_context=traceparent) for task in journey}
        ids = store.insert([sent[task.id] for task in tasks])
        span.set_attributes(store.answer)
        return ids


def journeys(tasks: Sequence[NewTask]) -> list[list[NewTask]]:
    """Group tasks that are connected by dependencies, in the order of their first task."""
    group_of: dict[UUID, list[NewTask]] = {task.id: [task] for task in tasks}
    for task in tasks:
        for other in task.dependant_on:
            if other in group_of and group_of[other] is not group_of[task.id]:
                merged = group_of[other] + group_of[task.id]
                group_of |= {member.id: merged for member in merged}
    return list({id(group): group for group in group_of.values()}.values())


def _task(recorder: Recorder, task: NewTask, trace_id: bytes) -> AbstractContextManager[TaskScope]:
    return recorder.task(
        task_id=str(task.id),
        attempt=0,  # nobody has claimed it
        task_type=task.task_type,
        trace_id=trace_id,
        worker_id="",
    )


def _send(
    recorder: Recorder, store: TaskStore, journey: list[NewTask], trace_id: bytes
) -> AbstractContextManager[RecordedSpan]:
    attributes: dict[str, Any] = {
        names.MESSAGING_SYSTEM: store.system,
        names.MESSAGING_DESTINATION: store.queue,
        names.MESSAGING_OPERATION_TYPE: "send",
        names.MESSAGING_BATCH_COUNT: len(journey),
        names.TASK_TYPE: journey[0].task_type,
    }
    if len(journey) == 1:
        attributes[names.MESSAGING_MESSAGE_ID] = str(journey[0].id)
    return recorder.span(
        names.send(store.queue),
        attributes,
        kind=SpanKind.PRODUCER,
        context=Context(),
        trace_id=trace_id,
    )
