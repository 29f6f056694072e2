"""The postmortem of a dead process: its journal gets its end, its task a failure."""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from telemetry import death
from telemetry.errors import JournalBusy, JournalTooNew
from telemetry.journal import JournalWriter
from telemetry.records import Error, Kind, ProcessEnd
from telemetry.spool import has_ended
from worker.failure import failure_of
from worker.task import Failure

_log = logging.getLogger(__name__)


def bury(
    journal: Path | None, end: ProcessEnd, *, last_words: Sequence[str] = (), in_task: bool
) -> Failure:
    """Close a dead process's journal and say what its death did to the task it had in hand.

    The open spans end there as failed, and the death is added as an error, if it hit a task.
    `journal` is None when the process died before it had one. Doing it twice does no harm.
    """
    if last_words:
        end = msgspec.structs.replace(
            end, attributes={**end.attributes, "last_words": list(last_words)}
        )
    if journal is None:
        return _nameless(end)
    error = death.failure_of(journal, end)
    if has_ended(journal):
        return failure_of(error)
    with contextlib.suppress(JournalTooNew):  # its own version will close it
        _close(journal, error if in_task else None, end)
    return failure_of(error)


def _close(journal: Path, error: Error | None, end: ProcessEnd) -> None:
    try:
        writer = JournalWriter.reopen(journal)
    except JournalBusy:
        _log.warning("the journal %s is still held; its end is written later", journal)
        return
    if error is not None:
        writer.append(Kind.ERROR, error)
    writer.append(Kind.PROCESS_END, end)
    writer.close()


def _nameless(end: ProcessEnd) -> Failure:
    return Failure(kind="death", type=end.kind, message=end.message, sentence=end.message)
