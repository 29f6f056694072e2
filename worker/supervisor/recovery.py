"""Recovery: what a supervisor that died left behind is settled by the next one, at its start."""

import logging
import time
from pathlib import Path

from telemetry import death
from telemetry.journal import is_alive, process_directories
from worker.errors import QueueUnavailable
from worker.messages import outcome_of
from worker.supervisor import note
from worker.supervisor.postmortem import bury
from worker.supervisor.settling import Settled, Settler

DYING_S = 5.0
_log = logging.getLogger(__name__)


def recover(spool: Path, settler: Settler) -> int:
    """Settle the claims of dead supervisors of this home; return how many.

    What the dead one knew and could not tell the queue is told now; else its death is one of the
    task's. Without this their tasks would wait for the lease to run out, and nobody would write
    down how far they had come.
    """
    return sum(
        _recover_one(directory, settler)
        for directory in process_directories(spool)
        if (directory / note.NOTE_FILE).exists() and not is_alive(directory)
    )


def _recover_one(directory: Path, settler: Settler) -> bool:
    left = note.read(directory)
    if left is None:
        return False
    task_id = left.claim.task.id
    journal = Path(left.journal) if left.journal else None
    if journal is not None and not _died(journal):
        _log.warning("the task process of %s is still alive; its lease will run out", task_id)
        return False
    try:
        settled = _settle(left, journal, settler)
    except QueueUnavailable as trouble:
        _log.warning("task %s is left to the next start: %s", task_id, trouble)
        return False
    _log.warning("task %s, left by a dead supervisor: %s", task_id, settled)
    bury(directory, death.lost())
    note.remove(directory)
    return True


def _settle(left: note.Note, journal: Path | None, settler: Settler) -> Settled:
    if left.release:
        return settler.release(left.claim, left.release)
    if left.finished is not None:
        return settler.settle(left.claim, outcome_of(left.finished), left.facts)
    return settler.settle_death(left.claim, bury(journal, death.lost()))


def _died(journal: Path) -> bool:
    """Whether a process is dead; one that is dying with its supervisor is waited for, shortly."""
    deadline = time.monotonic() + DYING_S
    while is_alive(journal):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
