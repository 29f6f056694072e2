"""Recovery: what a supervisor that died left behind is settled by the next one, at its start."""

import logging
import time
from pathlib import Path

import msgspec

from telemetry import death
from telemetry.journal import is_alive, process_directories
from worker.errors import Fenced, QueueError, TaskNotFound
from worker.output.storage import LocalStorage
from worker.store.base import TaskStore
from worker.supervisor.attempt import CLAIM_FILE, ClaimNote
from worker.supervisor.postmortem import bury

DYING_S = 5.0
_log = logging.getLogger(__name__)


def recover(spool: Path, store: TaskStore, storage: LocalStorage, *, max_deaths: int) -> int:
    """Settle the claims of dead supervisors of this home as deaths; return how many.

    Without this their tasks would wait for the lease to run out, and nobody would write down how
    far they had come. A task process still dying with its supervisor is waited for, shortly.
    """
    return sum(
        _recover_one(directory, store, storage, max_deaths)
        for directory in process_directories(spool)
        if (directory / CLAIM_FILE).exists() and not is_alive(directory)
    )


def _recover_one(directory: Path, store: TaskStore, storage: LocalStorage, max_deaths: int) -> bool:
    note_path = directory / CLAIM_FILE
    try:
        note = msgspec.json.decode(note_path.read_bytes(), type=ClaimNote)
    except (OSError, msgspec.MsgspecError) as exc:
        _log.warning("the note %s cannot be read: %s", note_path, exc)
        return False
    journal = Path(note.journal)
    if is_alive(journal) and not _died(journal):
        _log.warning("the task process of %s is still alive; its lease will run out", note.task_id)
        return False
    failure = bury(journal, death.lost())
    bury(directory, death.lost())
    try:
        status = store.record_death(note.token, failure, max_deaths=max_deaths)
        _log.warning("task %s, left by a dead supervisor, is %s", note.task_id, status)
    except (Fenced, TaskNotFound) as exc:
        _log.info("task %s has been settled meanwhile: %s", note.task_id, exc)
    except QueueError as trouble:
        _log.warning("task %s is left to its lease: %s", note.task_id, trouble)
        return False
    storage.discard(note.task_id, note.token)
    note_path.unlink(missing_ok=True)
    return True


def _died(journal: Path) -> bool:
    deadline = time.monotonic() + DYING_S
    while time.monotonic() < deadline:
        if not is_alive(journal):
            return True
        time.sleep(0.05)
    return False
