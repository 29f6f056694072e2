"""Recovery: what a supervisor that died left behind is settled by the next one, at its start."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from opentelemetry.trace import get_current_span

from telemetry import death
from telemetry.journal import is_alive, process_directories
from telemetry.propagation import remote_context
from worker.errors import QueueUnavailable
from worker.failure import with_record
from worker.messages import outcome_of
from worker.supervisor import note
from worker.supervisor.drain import drained, record_attributes
from worker.supervisor.postmortem import Postmortems
from worker.supervisor.settling import Settled, Settler
from worker.task import Failure, TaskStatus

DYING_S = 5.0
_log = logging.getLogger(__name__)


def recover(
    spool: Path,
    settler: Settler,
    postmortems: Postmortems,
    *,
    on_failed: Callable[[UUID], None] = lambda _task_id: None,
) -> int:
    """Settle the claims of dead supervisors of this home; return how many.

    What the dead one knew and could not tell the queue is told now; else its death is one of the
    task's. Without this their tasks would wait for the lease to run out, and nobody would write
    down how far they had come. `on_failed` is told of each task that has failed.
    """
    return sum(
        _recover_one(directory, settler, postmortems, on_failed)
        for directory in process_directories(spool)
        if (directory / note.NOTE_FILE).exists() and not is_alive(directory)
    )


def _recover_one(
    directory: Path, settler: Settler, postmortems: Postmortems, on_failed: Callable[[UUID], None]
) -> bool:
    left = note.read(directory)
    if left is None:
        return False
    task_id = left.claim.task.id
    journal = Path(left.journal) if left.journal else None
    if journal is not None and not _died(journal):
        _log.warning("the task process of %s is still alive; its lease will run out", task_id)
        return False
    try:
        settled = _settle(left, _bury(directory, journal, left, postmortems), settler)
    except QueueUnavailable as trouble:
        _log.warning("task %s is left to the next start: %s", task_id, trouble)
        return False
    _log.warning("task %s, left by a dead supervisor: %s", task_id, settled)
    note.remove(directory)
    if settled.status == TaskStatus.FAILED:
        on_failed(task_id)
    return True


def _bury(
    directory: Path, journal: Path | None, left: note.Note, postmortems: Postmortems
) -> Failure:
    """Close both journals; the death is told once, where the task's own journal knows of it.

    Of a task that was over by then it is none: the task process had another in hand, or nothing.
    """
    task = left.claim.task
    was_over = left.finished is not None or bool(left.release)
    failure = postmortems.bury(journal, death.lost())
    in_hand = bool(failure.trace_id)
    record = drained(journal, task) if journal else {}
    span = get_current_span(remote_context(task.process_context)).get_span_context()
    updates = {span.span_id.to_bytes(8, "big"): record_attributes(record)}
    own = postmortems.bury(directory, death.lost(), updates=updates, told=in_hand or was_over)
    return replace(failure if in_hand else own, record=record)


def _settle(left: note.Note, failure: Failure, settler: Settler) -> Settled:
    if left.release:
        return settler.release(left.claim, left.release)
    if left.finished is not None:
        outcome = with_record(outcome_of(left.finished), failure.record)
        return settler.settle(left.claim, outcome, left.facts)
    return settler.settle_death(left.claim, failure)


def _died(journal: Path) -> bool:
    """Whether a process is dead; one that is dying with its supervisor is waited for, shortly."""
    deadline = time.monotonic() + DYING_S
    while is_alive(journal):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
