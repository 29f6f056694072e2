"""Submission: tasks are checked and go into the queue, each journey in a trace of its own."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from telemetry import names
from telemetry.recorder import Recorder
from worker.engines.catalog import Catalog
from worker.errors import WorkerError
from worker.handlers.validation import validate
from worker.inputs.policy import InputPolicy
from worker.settings import Settings
from worker.store.base import TaskStore
from worker.task import NewTask

MEGA = 1_000_000


def check(tasks: Sequence[tuple[str, NewTask]], settings: Settings) -> None:
    """Refuse the first task that would fail for what it says; nothing is downloaded for it.

    Args:
        tasks: Each with the words that say which it is, as in "tasks.json, task 2".
        settings: Say which models there are and what inputs may be.
    """
    known_models = Catalog.load(settings.models_dirs).names()
    inputs = input_policy(settings)
    for where, task in tasks:
        try:
            validate(task.task_type, task.params, known_models=known_models, inputs=inputs)
        except WorkerError as error:
            # The error stays what it is, with its facts and its exit code; it only says where.
            error.args = (f"{where}: {error}",)
            raise


def input_policy(settings: Settings) -> InputPolicy:
    """Say where inputs may come from, and how large they may be."""
    return InputPolicy(
        cache_dir=settings.cache_dir,
        allowed_roots=settings.allowed_roots,
        private_addresses=settings.private_addresses,
        max_picture_bytes=int(settings.max_picture_mb * MEGA),
        max_picture_pixels=int(settings.max_picture_megapixels * MEGA),
        max_lora_bytes=int(settings.max_lora_mb * MEGA),
        timeout_s=settings.download_timeout_s,
    )


def submit(tasks: Sequence[NewTask], *, store: TaskStore, recorder: Recorder) -> list[UUID]:
    """Insert the tasks, all or none, under one `send` span for each journey; return their ids.

    Tasks that depend on one another are one journey and share a trace; others share nothing.
    """
    with ExitStack() as spans:
        sent: dict[UUID, NewTask] = {}
        for journey in journeys(tasks):
            traceparent = _open_span(spans, recorder, store, journey)
            sent |= {task.id: replace(task, trace_context=traceparent) for task in journey}
        return store.insert([sent[task.id] for task in tasks])


def journeys(tasks: Sequence[NewTask]) -> list[list[NewTask]]:
    """Group tasks that are connected by dependencies, in the order of their first task."""
    group_of: dict[UUID, list[NewTask]] = {task.id: [task] for task in tasks}
    for task in tasks:
        for other in task.dependant_on:
            if other in group_of and group_of[other] is not group_of[task.id]:
                merged = group_of[other] + group_of[task.id]
                group_of |= {member.id: merged for member in merged}
    return list({id(group): group for group in group_of.values()}.values())


def _open_span(
    spans: ExitStack, recorder: Recorder, store: TaskStore, journey: list[NewTask]
) -> str:
    """Open the journey's `send` span, which ends with the stack; return its traceparent."""
    attributes: dict[str, Any] = {
        names.MESSAGING_SYSTEM: store.system,
        names.MESSAGING_DESTINATION: store.queue,
        names.MESSAGING_OPERATION_TYPE: "send",
        names.MESSAGING_BATCH_COUNT: len(journey),
        names.TASK_TYPE: journey[0].task_type,
    }
    if len(journey) == 1:
        attributes[names.MESSAGING_MESSAGE_ID] = str(journey[0].id)
    span = spans.enter_context(
        recorder.span(
            names.send(store.queue), attributes, kind=SpanKind.PRODUCER, context=Context()
        )
    )
    ids = span.get_span_context()
    return f"00-{ids.trace_id:032x}-{ids.span_id:016x}-01"
