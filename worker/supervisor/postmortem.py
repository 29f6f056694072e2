"""The postmortem of a dead process: its journal gets its end, its task a failure."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from telemetry import death
from telemetry.errors import JournalBusy, JournalTooNew
from telemetry.records import ProcessEnd
from worker.failure import failure_of
from worker.task import Failure

_log = logging.getLogger(__name__)


def bury(
    journal: Path | None,
    end: ProcessEnd,
    *,
    last_words: Iterable[str] = (),
    updates: Mapping[bytes, Mapping[str, Any]] | None = None,
    told: bool = False,
) -> Failure:
    """Close a dead process's journal and say what its death did to the task it had in hand.

    The open spans end there as failed, and the death is added as an error. Doing it twice does no
    harm. `journal` is None when the process died before it had one; the rest is as in
    `telemetry.death.close_dead`.
    """
    words = list(last_words)
    if journal is None:
        return Failure(
            kind="death",
            type=end.kind,
            message=end.message,
            sentence=end.message,
            signal=end.signal,
            exit_code=end.exit_code,
            last_words=tuple(death.bounded(words)),
        )
    try:
        return failure_of(
            death.close_dead(journal, end, last_words=words, updates=updates, told=told)
        )
    except (JournalBusy, JournalTooNew, OSError) as trouble:
        _log.warning("the end of %s is not written: %s", journal.name, trouble)
        return failure_of(death.failure_of(journal, end, last_words=words))
