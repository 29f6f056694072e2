"""The attempts that have failed on a queue, for the reports that group them by their cause."""

from telemetry.recorder.attributes import plain
from telemetry.recorder.redaction import Redactor, redacted
from telemetry.reports.case import well_formed
from telemetry.reports.company import SameFailureFound
from telemetry.reports.failures import UNTOLD, FailedOnce
from worker.casework.queue_facts import model_of, moment_text, root_cause
from worker.store.base import FailedAttempt, TaskStore
from worker.task import Task


def failed_attempts(store: TaskStore, *, limit: int) -> list[FailedOnce]:
    """List the newest attempts that failed by themselves, and tasks that others set to Failed."""
    redactor = Redactor()
    told = [
        FailedOnce(
            task=str(one.task_id),
            task_type=one.task_type,
            model=one.model,
            attempt=one.attempt,
            worker=one.worker_id,
            when=moment_text(one.at),
            failure=plain(well_formed(one.failure), redactor),
        )
        for one in store.failures(limit=limit)
    ]
    untold = [
        _failed_untold(task) for task in store.untold_failures(limit=limit) if not root_cause(task)
    ]
    return sorted([*told, *untold], key=lambda one: one.when, reverse=True)[:limit]


def same_failure(found: FailedAttempt) -> SameFailureFound:
    """Say of an attempt that failed which it was."""
    return SameFailureFound(
        task=str(found.task_id),
        attempt=found.attempt,
        worker=found.worker_id,
        when=moment_text(found.at),
    )


def _failed_untold(task: Task) -> FailedOnce:
    """Tell of a task that another application set to Failed; what it says of why, where it does."""
    sentence = redacted(task.error_message or "")
    message = "set to Failed by another application"
    return FailedOnce(
        task=str(task.id),
        task_type=task.task_type,
        model=model_of(task),
        attempt=task.attempts,
        worker=task.worker_id or "",
        when=moment_text(task.generation_processed_at or task.updated_at),
        failure={"kind": UNTOLD, "message": message, "sentence": sentence},
    )
