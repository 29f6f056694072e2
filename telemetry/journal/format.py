"""The bytes of a journal file: a header, then frames.

```
header   magic 8 | version u16 | length u32 | crc32 u32 | facts (MessagePack map)
frame    sync 4  | length u32  | crc32 u32  | kind u8 | seq u64 | body (MessagePack)
```

Numbers are big-endian. A length counts the facts or the body alone. The header's crc covers
version, length and facts, the frame's covers kind, seq and body. The layout of the header's first
18 bytes is the same in every version, so that a reader can always tell what it does not know.
"""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple
from zlib import crc32

import msgspec

from telemetry.records import Kind

MAGIC: Final = b"\x89LOOP26\n"
VERSION: Final = 1
SYNC: Final = b"\xf5\x26\xc3\x9a"
# Above anything written (an error with all its locals is under 1 MiB): a damaged length must not
# make a reader wait for gigabytes.
MAX_BODY_BYTES: Final = 16 * 2**20

_HEADER: Final = struct.Struct(">8sHII")
_HEADER_CHECKED: Final = struct.Struct(">HI")
_PREFIX: Final = struct.Struct(">4sII")
_CHECKED: Final = struct.Struct(">BQ")
_FRAME: Final = struct.Struct(">4sIIBQ")
# Looked up once: a frame is packed for every record.
_pack_head: Final = _FRAME.pack
_pack_checked: Final = _CHECKED.pack
FRAME_BYTES: Final = _FRAME.size
_CHECKED_FROM: Final = _PREFIX.size
_READ_BYTES: Final = 256 * 1024


class Position(NamedTuple):
    """The end of a record: number of the file in its directory, offset in it. Ordered."""

    file: int
    offset: int


class JournalRecord(NamedTuple):
    """A record as it was read; `body` is of the type that `telemetry.records` gives its kind."""

    seq: int
    kind: Kind
    body: Any
    end: Position


class ProcessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote a journal: `role` is "task", "supervisor" or "cli", `id` its directory's name."""

    id: str
    role: str
    pid: int
    started_ns: int
    host: str = ""
    version: str = ""
    facts: dict[str, Any] = {}


class Frame(NamedTuple):
    """One undamaged frame; `start` and `end` are offsets in the file."""

    kind: int
    seq: int
    body: bytes
    start: int
    end: int


class Damage(NamedTuple):
    """Bytes that are no frame, with an undamaged frame after them."""

    start: int
    end: int


class Header(NamedTuple):
    """A file's header; `facts` is None when it is damaged or of another version."""

    version: int
    facts: ProcessFacts | None
    size: int


_FACTS_DECODER: Final = msgspec.msgpack.Decoder(ProcessFacts)


def pack_header(facts: ProcessFacts) -> bytes:
    """Return the header of a file."""
    body = msgspec.msgpack.encode(facts)
    crc = crc32(_HEADER_CHECKED.pack(VERSION, len(body)) + body)
    return _HEADER.pack(MAGIC, VERSION, len(body), crc) + body


def pack_frame(kind: int, seq: int, body: bytes) -> bytes:
    """Return the frame around an encoded body."""
    crc = crc32(body, crc32(_pack_checked(kind, seq)))
    return _pack_head(SYNC, len(body), crc, kind, seq) + body


def read_header(file: BinaryIO) -> Header:
    """Read the header of a file.

    A damaged or unfinished header has size 0: what follows it is found by its sync markers.
    """
    file.seek(0)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return Header(VERSION, None, 0)
    magic, version, length, crc = _HEADER.unpack(head)
    if magic != MAGIC or length > MAX_BODY_BYTES:
        return Header(VERSION, None, 0)
    body = file.read(length)
    if crc32(_HEADER_CHECKED.pack(version, length) + body) != crc:
        return Header(VERSION, None, 0)
    if version > VERSION:
        return Header(version, None, _HEADER.size + length)
    try:
        facts = _FACTS_DECODER.decode(body)
    except msgspec.MsgspecError:
        return Header(VERSION, None, _HEADER.size + length)
    return Header(version, facts, _HEADER.size + length)


def scan(file: BinaryIO, offset: int) -> Iterator[Frame | Damage]:
    """Yield what lies between `offset` and the last undamaged frame of a file that may grow.

    Ends where no undamaged frame follows: the rest is a torn tail, or a record being written.
    """
    window = _Window(file, offset)
    while True:
        frame = window.frame_at(0)
        if frame is None:
            distance = window.distance_to_next()
            if distance is None:
                return
            yield Damage(window.offset, window.offset + distance)
            window.skip(distance)
            continue
        yield frame
        window.skip(frame.end - frame.start)


class _Window:
    """The part of a file from `offset` on, read as far as it is needed."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        self._file = file
        self._data = b""
        self._at = 0
        self.offset = offset

    def skip(self, size: int) -> None:
        self._at += size
        self.offset += size

    def frame_at(self, distance: int) -> Frame | None:
        """Return the frame that starts `distance` bytes on, or None: none, damaged, unfinished."""
        if not self._has(distance + FRAME_BYTES):
            return None
        sync, length, crc, kind, seq = _FRAME.unpack_from(self._data, self._at + distance)
        if sync != SYNC or length > MAX_BODY_BYTES:
            return None
        size = FRAME_BYTES + length
        if not self._has(distance + size):
            return None
        start = self._at + distance
        checked = self._data[start + _CHECKED_FROM : start + size]
        if crc32(checked) != crc:
            return None
        at = self.offset + distance
        return Frame(kind, seq, checked[_CHECKED.size :], at, at + size)

    def distance_to_next(self) -> int | None:
        """Return how far on the next undamaged frame starts, or None when there is none yet."""
        distance = 1
        while True:
            found = self._data.find(SYNC, self._at + distance)
            if found >= 0:
                distance = found - self._at
                if self.frame_at(distance) is not None:
                    return distance
                distance += 1
                continue
            # The marker may lie across the end of what has been read.
            distance = max(distance, len(self._data) - self._at - len(SYNC) + 1)
            if not self._has(len(self._data) - self._at + 1):
                return None

    def _has(self, size: int) -> bool:
        missing = size - (len(self._data) - self._at)
        while missing > 0:
            more = self._file.read(max(missing, _READ_BYTES))
            if not more:
                return False
            self._data = self._data[self._at :] + more
            self._at = 0
            missing = size - len(self._data)
        return True
