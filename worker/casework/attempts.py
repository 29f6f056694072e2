"""The attempts at a task, as its history in the queue tells them: earlier ones may have failed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.recorder.redaction import redacted
from telemetry.reports.company import AttemptFound
from worker.casework.queue_facts import moment_text
from worker.store.base import Event
from worker.task import Task, TaskStatus

# What the events that end an attempt say of it. The first of them counts: a death that fails its
# task leaves two.
_ENDED: Final[Mapping[str, str]] = {
    "completed": "went well",
    "failed": "failed",
    "retried": "failed, and the task was queued again",
    "died": "died",
    "worker_lost": "lost its worker",
    "released": "was given back",
    "cancelled": "was cancelled",
    "cascaded": "fell with another task",
}


def attempts_of(task: Task, history: Sequence[Event]) -> list[AttemptFound]:
    """Return every attempt that was claimed, the newest first.

    One that was given back leaves its number to the next.
    """
    claims = [at for at, event in enumerate(history) if event.name == "claimed"]
    found = []
    for begin, after in zip(claims, [*claims[1:], len(history)], strict=False):
        ends = (event for event in history[begin + 1 : after] if event.name in _ENDED)
        found.append(_attempt(task, history[begin], next(ends, None), last=after == len(history)))
    return found[::-1]


def _attempt(task: Task, claim: Event, end: Event | None, *, last: bool) -> AttemptFound:
    number = claim.data.get("attempt")
    worker = claim.data.get("worker_id")
    return AttemptFound(
        attempt=number if type(number) is int else 0,
        when=moment_text((end or claim).at),
        worker=worker if isinstance(worker, str) else "",
        ended="" if end is None else end.name,
        says=_unended(task, last=last) if end is None else _says(end),
    )


def _says(end: Event) -> str:
    """Say how an attempt ended, and why where the event tells it."""
    why = end.data.get("reason")
    failure = end.data.get("failure")
    cause = end.data.get("root_cause")
    if isinstance(failure, Mapping):
        why = _failure(failure)
    elif isinstance(cause, Mapping):
        why = cause.get("task_id")
    said = _ENDED[end.name]
    return f"{said}: {redacted(why)}" if isinstance(why, str) and why else said


def _failure(failure: Mapping[str, Any]) -> str:
    names = ("message",) if failure.get("kind") in ("death", "hang") else ("type", "message")
    told = [failure.get(name) for name in names]
    return ": ".join(one for one in told if isinstance(one, str) and one)


def _unended(task: Task, *, last: bool) -> str:
    if not last:
        return "has no end in the history"
    if task.status in (TaskStatus.IN_PROGRESS, TaskStatus.QUEUED):
        return "is not at its end"
    return f"was set to {task.status.value} by another application"
