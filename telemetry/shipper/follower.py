"""Follows one journal for one backend: what is to be sent, what was acknowledged."""

import os
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from telemetry.journal import JournalReader, JournalRecord, ProcessFacts
from telemetry.shipper.delivery import Answer
from telemetry.spans import Folder, Span

SHIPPED: Final = "shipped.json"
# A backend that is down must not make the supervisor hold what the disk holds already.
MOST_WAITING: Final = 4096


class Stream(Protocol):
    """One kind of telemetry on its way to one backend."""

    name: str
    batch_size: int

    def select(
        self, record: JournalRecord, finished: Sequence[Span], folder: Folder
    ) -> Sequence[Any]:
        """Return the items that a record gives to send, in a fixed order.

        `finished` are the spans that the record ended, `folder` the state after it.
        """
        ...

    def send(self, facts: ProcessFacts, items: Sequence[Any], timeout_s: float) -> Answer:
        """Send items of one process, waiting for the answer."""
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
    temporary = directory / f"{SHIPPED}.new"
    temporary.write_bytes(msgspec.json.encode(shipped))
    temporary.chmod(0o600)
    temporary.replace(directory / SHIPPED)


def journal_bytes(directory: Path) -> int:
    """Return the size of a journal's files."""
    with os.scandir(directory) as entries:
        return sum(one.stat().st_size for one in entries if one.name.endswith(".journal"))


class Follower:
    """Reads a journal from its beginning and holds what its backend has not acknowledged."""

    def __init__(self, directory: Path, stream: Stream, mark: Mark) -> None:
        self.stream = stream
        self.mark = mark
        self._reader = JournalReader(directory)
        self._folder = Folder(keep_logs=False)
        self._waiting: deque[tuple[Mark, Any]] = deque()

    @property
    def role(self) -> str:
        """The role of the process whose journal it is."""
        return self._reader.facts.role

    @property
    def waiting(self) -> int:
        """How many items have been read and not been acknowledged."""
        return len(self._waiting)

    @property
    def ended(self) -> bool:
        """Whether the end of the process has been read."""
        return self._folder.end is not None

    def pull(self) -> bool:
        """Read on; False when it stopped because enough is waiting, not because all is read."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        for record in self._reader.read():
            finished = self._folder.feed(record)
            selected = self.stream.select(record, finished, self._folder)
            for number, item in enumerate(selected, start=1):
                mark = Mark(*record.end, number)
                if mark > self.mark:
                    self._waiting.append((mark, item))
            if len(self._waiting) >= MOST_WAITING:
                return False
        return True

    def send(self, count: int, timeout_s: float) -> Answer:
        """Send the `count` oldest items and return the answer."""
        batch = [item for _mark, item in islice(self._waiting, count)]
        return self.stream.send(self._reader.facts, batch, timeout_s)

    def acknowledge(self, count: int) -> None:
        """Pass over the `count` oldest items: they are with the backend, or refused for good."""
        for _ in range(count):
            self.mark, _item = self._waiting.popleft()
