"""What a task failed with by itself, though its row says only that it fell with another.

Tasks of one journey run on several workers at once. The first failure that is settled fells the
others; what their own attempts ended with is refused by the queue, which keeps it in the history. A
record says more of it, and may say so before that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec

from telemetry import names
from telemetry.cascade import root_of
from telemetry.records import Error
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.trace import TraceModel
from worker.casework.queue_rows import told
from worker.failure import failure_of
from worker.store.base import Event
from worker.task import TaskStatus

_RAISED: Final = "exception"
_FELL: Final = "cascaded"
_REFUSED: Final = "superseded"
_BADLY: Final = ("Failed", "Retry")
# After these an attempt is over: what fells the task then fells one that waits.
_OVER: Final = (
    "completed",
    "spawned",
    "failed",
    "retried",
    "died",
    "worker_lost",
    "released",
    "cancelled",
)


def has_fallen(row: TaskRow) -> bool:
    """Whether a row says that its task failed because of another."""
    return row.status == TaskStatus.FAILED.value and bool(root_of(row.error, row.error_message))


def own_errors(
    rows: Sequence[TaskRow], model: TraceModel | None, histories: Mapping[str, Sequence[Event]]
) -> dict[str, Error]:
    """Return what tasks that fell failed with by themselves, by their ids.

    Args:
        rows: Of any tasks.
        model: What is recorded of them.
        histories: What the queue has of each, by id.
    """
    fallen = {row.id: row for row in rows if has_fallen(row)}
    found: dict[str, Error] = {}
    for error in model.errors if model and fallen else ():
        row = fallen.get(error.task_id)
        if row is not None and not error.handled and _is_own(error, row, model, histories[row.id]):
            found[row.id] = error
    return found


def refused_failures(
    rows: Sequence[TaskRow], model: TraceModel | None, histories: Mapping[str, Sequence[Event]]
) -> list[str]:
    """Return the ids of tasks that fell, and whose worker had a failure to write that was refused.

    What it was need not be in the record. See `own_errors` for the arguments.
    """
    fallen = {row.id for row in rows if has_fallen(row)}
    parts = model.processes if model and fallen else ()
    spans = (span for part in parts if part.facts.role == "supervisor" for span in part.spans)
    refused = {
        str(told.get(names.MESSAGING_MESSAGE_ID)): span.end_ns or span.start_ns
        for span in spans
        if (told := span.attributes).get(names.TASK_STATUS) == _REFUSED
        and told.get(names.TASK_OUTCOME) in _BADLY
    }
    return [
        task_id
        for task_id, at_ns in refused.items()
        if task_id in fallen and at_ns > _fell_at_ns(histories[task_id])
    ]


def told_failures(
    rows: Sequence[TaskRow], histories: Mapping[str, Sequence[Event]]
) -> dict[str, dict[str, Any]]:
    """Return what tasks that fell failed with by themselves, as the queue was told, by their ids.

    A death is none of it: the supervisor may have ended a task process that went on.
    """
    return {
        row.id: failure
        for row in rows
        if has_fallen(row)
        for event in reversed(histories[row.id])
        if event.name == "refused" and event.data.get("ended") == _FELL
        if event.data.get("call") != "record_death"
        if isinstance(failure := event.data.get("failure"), dict)
    }


def own_failure(
    row: TaskRow, model: TraceModel | None, history: Sequence[Event]
) -> dict[str, Any] | None:
    """Return what a task that fell failed with by itself, as a row has it; None without any."""
    histories = {row.id: history}
    for error in own_errors([row], model, histories).values():
        return asdict(failure_of(error))
    return told_failures([row], histories).get(row.id)


def failed_too(
    rows: Sequence[TaskRow], model: TraceModel | None, histories: Mapping[str, Sequence[Event]]
) -> tuple[dict[str, Error], dict[str, str]]:
    """Return what tasks that fell failed with by themselves, and who else of them did.

    Of those the fingerprints, where the queue was told; "" where not. See `own_errors` for the
    arguments.
    """
    known = set(model.task_ids) if model else set()
    recorded = [row for row in rows if row.id in known]
    refused = dict.fromkeys(refused_failures(recorded, model, histories), "")
    also = {
        task_id: str(failure.get("fingerprint") or "")
        for task_id, failure in told_failures(rows, histories).items()
    }
    return own_errors(recorded, model, histories), refused | also


def told_by_itself(row: TaskRow, failure: Mapping[str, Any]) -> TaskRow:
    """Return a row as its own failure would have made it; whom it fell with stays in it."""
    own = told(failure)
    root_cause = {"root_cause": row.error["root_cause"]} if "root_cause" in row.error else {}
    return msgspec.structs.replace(row, error={**own, **root_cause})


def _is_own(error: Error, row: TaskRow, model: TraceModel | None, history: Sequence[Event]) -> bool:
    """Whether an error ended the attempt that was under way when its task fell.

    A death after the fall is none of its own: its supervisor may have ended a task process that
    went on.
    """
    begin = Attempt(model, row).begin if model else None
    if error.at_ns < begin.at_ns if begin else row.attempt > 1:
        return False
    claims = [at for at, event in enumerate(history) if event.name == "claimed"]
    after = history[claims[-1] :] if claims else ()
    if any(event.name in _OVER for event in after):
        return False
    return error.kind == _RAISED or error.at_ns < _fell_at_ns(after)


def _fell_at_ns(history: Sequence[Event]) -> float:
    """Return when a task fell; 0 where its history does not say."""
    fell = [event.at.timestamp() for event in history if event.name == _FELL]
    return fell[-1] * 1e9 if fell else 0.0
