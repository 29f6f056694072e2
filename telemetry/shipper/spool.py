"""The spool as a whole: which journals have ended, who ships which, which are to go."""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, Self

from telemetry import death
from telemetry.errors import JournalBusy, JournalTooNew
from telemetry.journal import (
    JournalReader,
    Position,
    is_alive,
    process_directories,
    read_index,
)
from telemetry.journal.directory import DOOMED, is_marked_ended, journal_files, mark_ended
from telemetry.records import Kind
from telemetry.shipper.follower import journal_bytes, read_shipped

LOCK: Final = "shipping"
_log = logging.getLogger(__name__)


class ShippingLock:
    """The right to ship one journal: two workers on one spool must not both send it."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def take(cls, directory: Path) -> Self | None:
        """Take the lock, or return None: another worker ships this journal."""
        file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return cls(file)

    def release(self) -> None:
        """Let another worker ship it."""
        os.close(self._file)


def has_ended(directory: Path) -> bool:
    """Whether a journal has the record of its process's end.

    The mark beside it says so. Where there is none, because the process was killed before it was
    made or for an older loop26, the newest file is read, and the mark made for the next to ask.
    """
    if is_marked_ended(directory):
        return True
    if not (numbers := journal_files(directory)):
        return False
    # It comes after the newest task: a spool of gigabytes is not read for it.
    start = Position(max(numbers), 0)
    if entries := read_index(directory):
        start = max(start, entries[-1].last or entries[-1].first)
    records = JournalReader(directory).read(start=start)
    ended = any(record.kind is Kind.PROCESS_END for record in records)
    if ended:
        mark_ended(directory)
    return ended


def leftovers(spool: Path) -> list[Path]:
    """Return the journals of processes that are gone and whose end nobody has written."""
    found = []
    for directory in process_directories(spool):
        # Gone meanwhile, or of a newer version: then it is not for this one to close.
        with contextlib.suppress(FileNotFoundError, PermissionError, JournalTooNew):
            if is_marked_ended(directory) or is_alive(directory) or has_ended(directory):
                continue
            if journal_files(directory):
                found.append(directory)
    return found


class Closed(NamedTuple):
    """What became of journals that were to be closed."""

    closed: list[Path]
    failed: list[Path]


def close_lost(directories: Iterable[Path]) -> Closed:
    """Write the end of processes that nobody saw die.

    Where it cannot be written, as on a full disk, the journal has failed and stays a leftover.
    """
    outcome = Closed([], [])
    for directory in directories:
        # Busy: another worker is writing this very record.
        with contextlib.suppress(JournalBusy, JournalTooNew, FileNotFoundError):
            try:
                death.close_dead(directory, death.lost())
            except FileNotFoundError:
                raise
            except OSError as error:
                outcome.failed.append(directory)
                _log.warning("the end of %s cannot be written: %s", directory.name, error)
            else:
                outcome.closed.append(directory)
    return outcome


def delete(directory: Path, *, ours: bool = False) -> bool:
    """Delete a journal; False when it is not ours to delete.

    Args:
        directory: The journal's; renamed first, so that nobody meets half of it.
        ours: Whether it is this very worker that ships it; what another ships stays.
    """
    with contextlib.suppress(OSError):  # gone already, or another user's
        lock = None if ours else ShippingLock.take(directory)
        if ours or lock is not None:
            try:
                doomed = directory.rename(directory.with_name(f"{DOOMED}{directory.name}"))
            finally:
                if lock is not None:
                    lock.release()
            shutil.rmtree(doomed, ignore_errors=True)
            return True
    return False


def written_s(directory: Path) -> float:
    """Return when a journal was written to last, in seconds since the epoch; 0 for one without."""
    return max((file.stat().st_mtime for file in journal_files(directory).values()), default=0.0)


def is_shipped(directory: Path, streams: Iterable[str]) -> bool:
    """Whether every stream has acknowledged the whole of a dead process's journal."""
    wanted = tuple(streams)
    if not wanted:
        return True
    settled = read_shipped(directory).settled
    size = journal_bytes(directory)
    return all(settled.get(stream) == size for stream in wanted)
