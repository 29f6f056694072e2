"""A task's row and its history as a case has them: times as text, and without secrets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from telemetry.recorder.attributes import plain
from telemetry.recorder.redaction import Redactor, redacted
from telemetry.reports.case import QueueEvent, TaskRow, well_formed
from worker.casework.queue_facts import moment_text
from worker.store.base import Event
from worker.store.contexts import span_id_of, trace_id_of
from worker.task import Task

_ENDS: Final = (
    "completed",
    "failed",
    "retried",
    "died",
    "worker_lost",
    "released",
    "cancelled",
    "cascaded",
)
_UNTOLD: Final = ("token", "drawn")  # a black box in a bucket is found by the latter


def row_of(task: Task, history: Sequence[Event], redactor: Redactor) -> TaskRow:
    """Return a task's row; the history tells when it was claimed, by whom, and when it ended."""
    claimed = [event for event in history if event.name == "claimed"]
    ended = [event for event in history if event.name in _ENDS]
    claims = claimed[-1].data if claimed else {}
    return TaskRow(
        id=str(task.id),
        type=task.task_type,
        status=task.status.value,
        worker=task.worker_id or str(claims.get("worker_id") or ""),
        attempt=task.attempts,
        parent_id=str(task.parent_id or ""),
        trace_id=trace_id_of(task.process_context) or trace_id_of(task.trace_context) or "",
        span_id=span_id_of(task.process_context) or "",
        created=moment_text(task.created_at),
        claimed=moment_text(claimed[-1].at) if claimed else "",
        returned=moment_text(ended[-1].at) if ended else "",
        error_message=redacted(task.error_message or ""),
        error=told(task.error or {}),
        params=plain(dict(task.params), redactor),
        output=redacted(task.output_location or ""),
        depends_on=[str(needed) for needed in task.dependant_on],
    )


def event_of(event: Event, redactor: Redactor) -> QueueEvent:
    """Return a line of a history, without its token and what its black box is named by."""
    data = told_facts(event)
    if "failure" in data:
        failure = data["failure"]
        data["failure"] = well_formed(failure) if isinstance(failure, Mapping) else None
    return QueueEvent(at_ns=_nanoseconds(event.at), name=event.name, data=plain(data, redactor))


def told_facts(event: Event) -> dict[str, Any]:
    """Return what a line of a history says, but for the claim's token and what was drawn for it."""
    return {name: value for name, value in event.data.items() if name not in _UNTOLD}


def told(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's error without secrets; `TaskRow` takes out what is not of its form."""
    found: dict[str, Any] = plain(dict(failure), Redactor())
    return found


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000
