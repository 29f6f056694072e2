"""Opening a journal's files: the first, which nobody sees before it is locked, and the next."""

import contextlib
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
    `OSError`, leaves nothing open then, and may be called again.
    """
    directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = directory.with_name(f"{UNFINISHED}{directory.name}")
    unfinished.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as undo:
        alive = lock_alive(unfinished)
        undo.callback(os.close, alive)
        file = open_file(unfinished, 1, facts)
        undo.callback(_give_up, file.descriptor, journal_file(unfinished, 1))
        unfinished.rename(directory)
        undo.pop_all()
    return alive, file


def open_file(directory: Path, number: int, facts: ProcessFacts) -> OpenFile:
    """Begin the file with this number. Raises `OSError`, and leaves nothing then."""
    header = pack_header(facts)
    path = journal_file(directory, number)
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        written = os.write(descriptor, header)
        while written < len(header):
            # A nearly full disk takes a part; the rest fails, as a rule, with its reason.
            written += os.write(descriptor, header[written:])
    except BaseException:
        _give_up(descriptor, path)
        raise
    return OpenFile(descriptor, written)


def _give_up(descriptor: int, path: Path) -> None:
    os.close(descriptor)
    path.unlink()
