"""The note of a claim: what the next supervisor needs to know when this one dies over a task."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import msgspec

from telemetry.journal.files import replace_file
from worker.messages import Finished, decode, encode
from worker.task import Claim

NOTE_FILE = "claim.json"
_log = logging.getLogger(__name__)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Kept beside the supervisor's journal from the claim to the settle.

    Attributes:
        claim: The claim.
        journal: That of the task process that has it; "" before it has said so.
        finished: What the task process returned, when the queue could not be told.
        facts: What joins its result then.
        release: Why the task is to be given back, when the queue could not be told; or "".
    """

    claim: Claim
    journal: str
    finished: Finished | None = None
    facts: dict[str, Any] = {}
    release: str = ""


def leave(directory: Path, note: Note) -> None:
    """Write the note. Where that cannot be done, the task's lease must do.

    Without the task's parameters, in which there may be secrets: settling does not ask for them.
    """
    task = dataclasses.replace(note.claim.task, params={})
    claim = dataclasses.replace(note.claim, task=task, parent_params=None, dependencies=())
    bare = msgspec.structs.replace(note, claim=claim)
    try:
        replace_file(directory / NOTE_FILE, encode(bare))
    except (OSError, ValueError) as trouble:
        _log.warning("no note of task %s is left: %s", note.claim.task.id, trouble)


def read(directory: Path) -> Note | None:
    """Read the note of a dead supervisor; None when it left none, or none that can be read."""
    try:
        return decode((directory / NOTE_FILE).read_bytes(), Note)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as trouble:
        _log.warning("the note in %s cannot be read: %s", directory.name, trouble)
        return None


def remove(directory: Path) -> None:
    """Take the note away: the attempt is settled."""
    try:
        (directory / NOTE_FILE).unlink(missing_ok=True)
    except OSError as trouble:
        _log.warning("the note in %s stays: %s", directory.name, trouble)
