"""The slate of a journal: room for a few words that is there also when the disk is full.

It is the content of the file that says whether the journal's process is alive: written once when
that is made, and from then on only in its place, which takes no more of the disk.
"""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

_HEAD: Final = struct.Struct(">IH")  # crc32 and length of what follows
_NUMBER: Final = struct.Struct(">Q")


class Slot(NamedTuple):
    """A part of the slate, in bytes."""

    start: int
    size: int


LOST: Final = Slot(0, 64)  # the number of the last record that could not be written
DEATH: Final = Slot(64, 448)  # how the process died, until its journal has been told
_SIZE: Final = DEATH.start + DEATH.size


def prepare(file: int) -> None:
    """Take the room, in a file that is open for writing; a disk that has none leaves no slate."""
    with suppress(OSError):
        if os.fstat(file).st_size < _SIZE:
            os.pwrite(file, bytes(_SIZE), 0)


def write(file: int, slot: Slot, words: bytes) -> bool:
    """Write on the slate in place of what stood in the slot; False where it cannot be done."""
    if len(words) > slot.size - _HEAD.size:
        return False
    try:
        os.pwrite(file, _HEAD.pack(crc32(words), len(words)) + words, slot.start)
    except OSError:
        return False
    return True


def read(path: Path, slot: Slot) -> bytes:
    """Return what stands in a slot of a file; b"" where that is nothing, or damaged."""
    try:
        with path.open("rb") as file:
            file.seek(slot.start)
            content = file.read(slot.size)
    except OSError:
        return b""
    if len(content) < _HEAD.size:
        return b""
    checksum, length = _HEAD.unpack_from(content)
    words = content[_HEAD.size : _HEAD.size + length]
    return words if crc32(words) == checksum else b""


def write_lost(file: int, seq: int) -> None:
    """Note that the record with this number, and perhaps others before it, was not written."""
    write(file, LOST, _NUMBER.pack(seq))


def read_lost(path: Path) -> int:
    """Return the number of the last record that was not written; 0 where none is known."""
    words = read(path, LOST)
    return _NUMBER.unpack(words)[0] if len(words) == _NUMBER.size else 0
