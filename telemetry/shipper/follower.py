"""Follows one journal for one backend: what is to be sent, what was acknowledged."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from telemetry.journal import JournalReader, JournalRecord, ProcessFacts
from telemetry.journal.files import replace_file
from telemetry.shipper.delivery import Answer
from telemetry.spans import Folder, Span

SHIPPED: Final = "shipped.json"
_RECORDS_PER_LOOK: Final = 256  # at the clock, while reading


Select: TypeAlias = Callable[[JournalRecord, Sequence[Span], Folder], Sequence[Any]]
"""Called with each record of a journal, in order, with the spans that it ended and the state after
it; returns the items that it gives to send, in a fixed order."""


class Stream(Protocol):
    """One kind of telemetry on its way to one backend.

    Attributes:
        optional: Whether backends are known that have no place for it, and answer with 404.
        batch_size: How many items are sent at once.
        most_waiting: How many items are held in memory while the backend is down: the disk holds
            them already.
    """

    name: str
    optional: bool
    batch_size: int
    most_waiting: int

    def selection(self) -> Select:
        """Return what picks the items out of one journal, from its beginning."""
        ...

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Send items of one process, waiting for the answer.

        Raises `Unencodable` for an item that is at fault itself; what else is raised is not.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Mark(NamedTuple):
    """How far a backend has acknowledged a journal: item `item` of the record that ends there."""

    file: int = 0
    offset: int = 0
    item: int = 0


class Shipped(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What `shipped.json` in a journal's directory holds.

    Attributes:
        marks: By stream, the newest acknowledged item.
        settled: By stream, the size of the journal of a dead process when all of it had been
            acknowledged: while the size is this, there is nothing to read.
    """

    marks: dict[str, Mark] = {}
    settled: dict[str, int] = {}


def read_shipped(directory: Path) -> Shipped:
    """Read what was acknowledged; nothing, where there is no note or it is damaged."""
    try:
        return msgspec.json.decode((directory / SHIPPED).read_bytes(), type=Shipped)
    except (OSError, msgspec.MsgspecError):
        return Shipped()


def write_shipped(directory: Path, shipped: Shipped) -> None:
    """Replace the note of what was acknowledged, whole or not at all."""
    replace_file(directory / SHIPPED, msgspec.json.encode(shipped))


def journal_bytes(directory: Path) -> int:
    """Return the size of a journal's files."""
    with os.scandir(directory) as entries:
        return sum(one.stat().st_size for one in entries if one.name.endswith(".journal"))


class Follower:
    """Reads a journal from its beginning and holds what its backend has not acknowledged.

    Attributes:
        complete: Whether all has been read that there will ever be, but for an end that its
            supervisor may still write.
    """

    def __init__(self, directory: Path, stream: Stream, mark: Mark) -> None:
        self.stream = stream
        self._select = stream.selection()
        self.mark = mark
        self.complete = False
        self._reader = JournalReader(directory)
        self._folder = Folder(keep_logs=False)
        self._waiting: deque[tuple[Mark, Any, int]] = deque()

    @property
    def role(self) -> str:
        """The role of the process whose journal it is."""
        return self._reader.facts.role

    @property
    def waiting(self) -> int:
        """How many items have been read and not been acknowledged."""
        return len(self._waiting)

    @property
    def oldest_ns(self) -> int:
        """When the oldest of them was recorded, in nanoseconds since the epoch; 0 without one.

        Any thread may ask.
        """
        try:
            return self._waiting[0][2]
        except IndexError:
            return 0

    @property
    def ended(self) -> bool:
        """Whether the end of the process has been read."""
        return self._folder.end is not None

    @property
    def needed_from(self) -> int:
        """Number of the oldest file that has something to send, or that is yet to be read."""
        return self._waiting[0][0].file if self._waiting else self._reader.position.file

    def pull(self, remaining: Callable[[], float], *, dead: bool) -> bool:
        """Read on; False when it stopped because enough is waiting, or there is no time.

        Args:
            remaining: Seconds left to read in.
            dead: Whether the process was dead before: then what is read now is all.
        """
        if self.complete and self.ended:
            return True
        everything = self._read_on(remaining)
        self.complete = everything and dead
        return everything

    def _read_on(self, remaining: Callable[[], float]) -> bool:
        if len(self._waiting) >= self.stream.most_waiting:
            return False
        for count, record in enumerate(self._reader.read(), start=1):
            finished = self._folder.feed(record)
            selected = self._select(record, finished, self._folder)
            for number, item in enumerate(selected, start=1):
                mark = Mark(*record.end, number)
                if mark > self.mark:
                    self._waiting.append((mark, item, _recorded_ns(record)))
            no_time = count % _RECORDS_PER_LOOK == 0 and remaining() <= 0
            if no_time or len(self._waiting) >= self.stream.most_waiting:
                return False
        return True

    def send(self, count: int, timeout_s: float) -> Answer:
        """Send the `count` oldest items and return the answer."""
        batch = [item for _mark, item, _at_ns in islice(self._waiting, count)]
        return self.stream.send(self._reader.facts, batch, timeout_s)

    def acknowledge(self, count: int) -> None:
        """Pass over the `count` oldest items: they are with the backend, or refused for good."""
        for _ in range(count):
            self.mark, _item, _at_ns = self._waiting.popleft()


def _recorded_ns(record: JournalRecord) -> int:
    """Return the moment of a record that gives something to send: an end, a log line, an error."""
    at_ns: int = getattr(record.body, "end_ns", 0) or getattr(record.body, "at_ns", 0)
    return at_ns
