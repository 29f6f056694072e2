"""The spool as a whole: which journals have ended, who ships which, how long they are kept."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
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
from telemetry.records import Kind
from telemetry.shipper.follower import journal_bytes, read_shipped

LOCK: Final = "shipping"


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
    """Whether a journal has the record of its process's end, which is in its last file."""
    numbers = [int(path.stem) for path in directory.glob("*.journal") if path.stem.isdecimal()]
    if not numbers:
        return False
    # It comes after the newest task: a spool of gigabytes is not read for it.
    start = Position(max(numbers), 0)
    if entries := read_index(directory):
        start = max(start, entries[-1].last or entries[-1].first)
    records = JournalReader(directory).read(start=start)
    return any(record.kind is Kind.PROCESS_END for record in records)


def leftovers(spool: Path) -> list[Path]:
    """Return the journals of processes that are gone and whose end nobody has written."""
    dead = [one for one in process_directories(spool) if not is_alive(one)]
    found = []
    for directory in dead:
        # Gone meanwhile, or of a newer version: then it is not for this one to close.
        with contextlib.suppress(FileNotFoundError, JournalTooNew):
            if not has_ended(directory):
                found.append(directory)
    return found


def close_lost(directories: Iterable[Path]) -> list[Path]:
    """Write the end of processes that nobody saw die; return those it was written for."""
    closed = []
    for directory in directories:
        # Busy: another worker is writing this very record.
        with contextlib.suppress(JournalBusy, JournalTooNew, FileNotFoundError):
            death.close_dead(directory, death.lost())
            closed.append(directory)
    return closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long journals of dead processes are kept.

    Attributes:
        keep_bytes: Size of all journals above which the oldest go.
        keep_age_s: Seconds since its last record after which a journal goes.
    """

    keep_bytes: int = 2 * 10**9
    keep_age_s: float = 14 * 86400.0


class Surplus(NamedTuple):
    """A journal that is to be deleted; `shipped` says whether every backend has all of it."""

    directory: Path
    bytes: int
    shipped: bool


def surplus(
    spool: Path, streams: Iterable[str], retention: Retention, now_s: float
) -> list[Surplus]:
    """Return the journals of dead processes, oldest first, that are too old or too much.

    What a stream has not shipped stays, unless the spool has grown to twice its limit.

    Args:
        spool: Where the journals are.
        streams: Names of the streams that ship; none where telemetry stays local.
        retention: The limits.
        now_s: Seconds since the epoch.
    """
    wanted = tuple(streams)
    sizes = {directory: _size(directory) for directory in process_directories(spool)}
    total = sum(sizes.values())
    found = []
    for directory, size in sizes.items():
        old = now_s - _written_s(directory, now_s) > retention.keep_age_s
        if not (old or total > retention.keep_bytes) or is_alive(directory):
            continue
        shipped = is_shipped(directory, wanted)
        if shipped or total > 2 * retention.keep_bytes:
            total -= size
            found.append(Surplus(directory, size, shipped))
    return found


def delete(directory: Path) -> bool:
    """Delete a journal; False when another worker is shipping it."""
    with contextlib.suppress(FileNotFoundError):
        if (lock := ShippingLock.take(directory)) is not None:
            shutil.rmtree(directory, ignore_errors=True)
            lock.release()
            return True
    return False


def is_shipped(directory: Path, streams: Iterable[str]) -> bool:
    """Whether every stream has acknowledged the whole of a dead process's journal."""
    settled = read_shipped(directory).settled
    size = journal_bytes(directory)
    return all(settled.get(stream) == size for stream in streams)


def _size(directory: Path) -> int:
    with os.scandir(directory) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())


def _written_s(directory: Path, default: float) -> float:
    return max((path.stat().st_mtime for path in directory.glob("*.journal")), default=default)
