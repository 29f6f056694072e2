"""Opening a journal's files: the first, which nobody sees before it is locked, and the next."""

import errno
import os
from pathlib import Path
from typing import Final, NamedTuple

from telemetry.journal.directory import UNFINISHED, journal_file, lock_alive
from telemetry.journal.format import ProcessFacts, pack_header

# What a disk says that will take more once something has been deleted from it.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class OpenFile(NamedTuple):
    """A file of a journal, open for appending, and its size in bytes."""

    descriptor: int
    size: int


def open_new(directory: Path, facts: ProcessFacts) -> tuple[int, OpenFile]:
    """Make a journal's directory; return its lock, and its first file.

    Nobody may see the directory without its lock, or a live process would look dead. Raises
    `OSError`, and may be called again then.
    """
    directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = directory.with_name(f"{UNFINISHED}{directory.name}")
    unfinished.mkdir(mode=0o700, exist_ok=True)
    alive = lock_alive(unfinished)
    try:
        file = open_file(unfinished, 1, facts)
    except OSError:
        os.close(alive)
        raise
    unfinished.rename(directory)
    return alive, file


def open_file(directory: Path, number: int, facts: ProcessFacts) -> OpenFile:
    """Begin the file with this number. Raises `OSError`, and leaves nothing then."""
    path = journal_file(directory, number)
    descriptor = os.open(path, _FLAGS, 0o600)
    header = pack_header(facts)
    try:
        written = os.write(descriptor, header)
        if written < len(header):  # a nearly full disk takes a part; the rest fails with its reason
            written += os.write(descriptor, header[written:])
    except OSError:
        os.close(descriptor)
        path.unlink()
        raise
    return OpenFile(descriptor, written)
