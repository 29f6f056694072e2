"""Small files beside a journal, whose whole content is written anew from time to time."""

import contextlib
import errno
import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content, whole or not at all, readable by its owner alone.

    A full disk may have no room for the second file that this takes: then the first is written
    over, padded with spaces to its length, in one call, which a kill does not halve; only who
    reads at that very moment may find a mixture. So `data` is JSON or else minds no spaces at its
    end. Raises `OSError` when neither can be done; the old content stays.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        _write(temporary, os.O_CREAT | os.O_TRUNC, data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()  # what there is of it takes room
        if not path.exists():
            raise
        _overwrite(path, data)


def _overwrite(path: Path, data: bytes) -> None:
    before = path.read_bytes()
    try:
        _write(path, 0, data.ljust(len(before)))
    except OSError:
        _write(path, 0, before)
        os.truncate(path, len(before))
        raise


def _write(path: Path, flags: int, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
    try:
        written = os.write(file, data)
        if written < len(data):  # the disk has no room for all of it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(file)
