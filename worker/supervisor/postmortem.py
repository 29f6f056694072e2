"""The postmortem of a dead process: its journal gets its end, its task a failure."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from telemetry import death
from telemetry.errors import JournalBusy, JournalTooNew
from telemetry.records import ProcessEnd
from worker.failure import failure_of
from worker.task import Failure

RETRY_S = 5.0
_log = logging.getLogger(__name__)


class Postmortems:
    """Closes the journals of the dead, and says what each death did to the task in hand.

    What a full disk does not take is kept, and tried again by `retry`: the journal then gets the
    very error, with its event id, that the task was settled with.

    Args:
        clock: Seconds, monotonic.

    Attributes:
        unclosed: The ends that could not be written yet.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._retry_at = 0.0
        self.unclosed: list[death.Closing] = []

    def bury(
        self,
        journal: Path | None,
        end: ProcessEnd,
        *,
        last_words: Iterable[str] = (),
        updates: Mapping[bytes, Mapping[str, Any]] | None = None,
        told: bool = False,
    ) -> Failure:
        """Close a dead process's journal and say what its death did to the task it had in hand.

        The open spans end there as failed, and the death is added as an error. Doing it twice does
        no harm. `journal` is None when the process died before it had one; the rest is as in
        `telemetry.death.Closing`.
        """
        words = list(last_words)
        if journal is None:
            return _bare(end, words)
        try:
            closing = death.Closing(journal, end, last_words=words, updates=updates, told=told)
        except (JournalTooNew, OSError) as trouble:
            _log.warning("the journal of a dead process cannot be read: %s", trouble)
            return _bare(end, words)
        try:
            closing.write()
        except (JournalBusy, OSError) as trouble:
            _log.warning("the end of %s is not written yet: %s", journal.name, trouble)
            self.unclosed.append(closing)
            self._retry_at = self._clock() + RETRY_S
        return failure_of(closing.error)

    def retry(self) -> None:
        """Try again, once in a while, to write what could not be written."""
        if not self.unclosed or self._clock() < self._retry_at:
            return
        self._retry_at = self._clock() + RETRY_S
        self.unclosed = [closing for closing in self.unclosed if not _is_written(closing)]


def _is_written(closing: death.Closing) -> bool:
    """Write the end of a journal; whether nothing of it is left to do."""
    try:
        closing.write()
    except FileNotFoundError:  # deleted meanwhile
        return True
    except (JournalBusy, JournalTooNew, OSError):
        return False
    _log.info("the end of %s is written at last", closing.directory.name)
    return True


def _bare(end: ProcessEnd, words: list[str]) -> Failure:
    """Make a failure of what is known without a journal."""
    return Failure(
        kind=death.HANG if end.kind == death.HANG else "death",
        type=end.kind,
        message=end.message,
        sentence=end.message,
        signal=end.signal,
        exit_code=end.exit_code,
        last_words=tuple(death.bounded(words)),
    )
