"""How long journals are kept, and what is deleted when they are too old or too much."""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from sys import maxsize
from typing import Final, NamedTuple

from telemetry.errors import JournalTooNew
from telemetry.journal import is_alive, read_index
from telemetry.journal.directory import (
    DOOMED,
    SUFFIX,
    UNFINISHED,
    is_marked_ended,
    journal_files,
    process_names,
)
from telemetry.shipper import spool

UNFINISHED_FOR_S: Final = 3600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long journals are kept.

    Attributes:
        keep_bytes: Size of all journals of dead processes together above which the oldest of them
            go. Journals of live processes do not count there; each is bounded by itself: above
            this size its oldest files go, never those of its newest task.
        keep_age_s: Seconds since its last record after which a dead process's journal goes.
    """

    keep_bytes: int = 2 * 10**9
    keep_age_s: float = 14 * 86400.0


class Measure(NamedTuple):
    """Size of everything in a journal's directory, and when its last record was written."""

    bytes: int
    written_s: float


class Needed(NamedTuple):
    """Of a journal that this worker ships, the oldest file that a backend has not got all of.

    Attributes:
        kept_from: Of the backends that are waited for.
        unsent_from: Of all, those too that have no place for what they are sent.
    """

    kept_from: int
    unsent_from: int


class Awaited(NamedTuple):
    """Names of streams.

    Attributes:
        streams: All that are to get everything; none where telemetry stays local.
        kept_for: Those of them whose journals are kept beyond the ordinary limits.
    """

    streams: frozenset[str]
    kept_for: frozenset[str]


class Pruner:
    """Applies retention to a spool, again and again.

    What a stream has not shipped stays, unless the journals have grown to twice their limit: a
    full disk would lose more. A stream whose backend has no place for it (Jaeger has none for
    logs) keeps nothing for longer: its items wait within the ordinary limits. Whatever goes that a
    stream has not shipped is counted.

    Of a live process's journal only whole files go, the oldest first. Every file has the facts of
    its process, so those stay, and the files keep their numbers, so positions stay what they are.
    A span that began in one of them, is still open and belongs to no task in the files that are
    left is unknown to whoever reads the journal from then on: its end is an orphan
    (`Folder.orphans`). The shipper that follows the journal has read its begin, and sends it.

    Attributes:
        deleted: Journals deleted.
        shortened: Files deleted of journals of live processes.
        lost: Of both, those that a backend was still to get.
        measured_bytes: Size of all journals, dead and alive, when they were looked at last.
    """

    def __init__(
        self, root: Path, retention: Retention, needed: Callable[[str], Needed | None]
    ) -> None:
        """Make one.

        Args:
            root: The spool.
            retention: The limits.
            needed: Asked what is needed of a journal by its name; None where this worker does
                not ship it.
        """
        self.deleted = self.shortened = self.lost = 0
        self.measured_bytes = 0
        self._root = root
        self._retention = retention
        self._needed = needed
        # Dead and ended: their measure does not change, so they are looked at once.
        self._known: dict[str, Measure] = {}
        self._living_bytes = 0

    def prune(self, awaited: Awaited, now_s: float) -> None:
        """Delete what is too old or too much; `now_s` is in seconds since the epoch."""
        self._sweep(now_s)
        dead: dict[str, Measure] = {}
        self._living_bytes = 0
        for name in sorted(process_names(self._root)):
            measure = self._known.get(name) or self._measure(name, awaited, now_s)
            if measure is not None:
                dead[name] = measure
        self.measured_bytes = self._living_bytes + sum(one.bytes for one in dead.values())
        self._known = {name: self._known[name] for name in dead if name in self._known}
        self._prune_dead(dead, awaited, now_s)

    def _measure(self, name: str, awaited: Awaited, now_s: float) -> Measure | None:
        """Measure a dead process's journal; a live one's is shortened, and counts for nothing."""
        directory = self._root / name
        try:
            alive = is_alive(directory)
            ended = is_marked_ended(directory)
            measure = _measured(directory, now_s)
            if alive:
                self._living_bytes += measure.bytes
                self._shorten(directory, measure.bytes, awaited)
                return None
        except (OSError, JournalTooNew):
            return None  # gone meanwhile, or not ours to look at
        if ended:
            self._known[name] = measure
        return measure

    def _prune_dead(self, dead: dict[str, Measure], awaited: Awaited, now_s: float) -> None:
        limit = self._retention.keep_bytes
        total = sum(measure.bytes for measure in dead.values())
        for name, measure in dead.items():
            old = now_s - measure.written_s > self._retention.keep_age_s
            if not old and total <= limit:
                continue
            shipped = self._is_shipped(name, awaited.streams)
            may_go = shipped or total > 2 * limit or self._is_shipped(name, awaited.kept_for)
            if may_go and self._delete(name):
                total -= measure.bytes
                self.deleted += 1
                if not shipped:
                    self.lost += 1
                    _log.warning("journal %s is deleted unshipped: beyond the limits", name)

    def _is_shipped(self, name: str, streams: frozenset[str]) -> bool:
        with contextlib.suppress(OSError):
            return spool.is_shipped(self._root / name, streams)
        return False

    def _delete(self, name: str) -> bool:
        ours = self._needed(name) is not None
        return spool.delete(self._root / name, ours=ours)

    def _shorten(self, directory: Path, size: int, awaited: Awaited) -> None:
        limit = self._retention.keep_bytes
        if size <= limit:
            return
        files = journal_files(directory)
        entries = read_index(directory)
        held = min(max(files, default=0), entries[-1].first.file if entries else maxsize)
        # Of a journal that another worker ships, it is the other that knows.
        nothing = Needed(maxsize, maxsize)
        needed = self._needed(directory.name) if awaited.streams else nothing
        if needed is None or not needed.kept_from:
            return
        for number, file in files.items():
            no_room = number < needed.kept_from or size > 2 * limit
            if size <= limit or number >= held or not no_room:
                return
            size -= file.stat().st_size
            file.unlink()
            self.shortened += 1
            self.lost += number >= needed.unsent_from

    def _sweep(self, now_s: float) -> None:
        """Remove what a process left that was killed while it made, or deleted, a journal."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._root) as entries:
            for entry in entries:
                if entry.name.startswith(DOOMED) or _is_abandoned(entry, now_s):
                    shutil.rmtree(entry.path, ignore_errors=True)


def _measured(directory: Path, now_s: float) -> Measure:
    size, written_s = 0, 0.0
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat()
                size += facts.st_size
                if entry.name.endswith(SUFFIX):
                    written_s = max(written_s, facts.st_mtime)
    return Measure(size, written_s or now_s)


def _is_abandoned(entry: os.DirEntry[str], now_s: float) -> bool:
    if not entry.name.startswith(UNFINISHED):
        return False
    with contextlib.suppress(OSError):
        return now_s - entry.stat().st_mtime > UNFINISHED_FOR_S and not is_alive(Path(entry.path))
    return False
