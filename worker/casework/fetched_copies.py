"""The copies that a home keeps of black boxes it has fetched."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from telemetry.errors import TelemetryError
from telemetry.reports.case import Case
from telemetry.reports.sources import blackbox

FOLDER: Final = "black_boxes"
MOST_BYTES: Final = 256 * 2**20


def copy_at(path: Path) -> Case | None:
    """Read a copy; None where there is none that is whole."""
    try:
        return blackbox.read(path)
    except TelemetryError:
        return None


def keep_copy(content: bytes, path: Path, wanted: Callable[[Case], bool]) -> Case:
    """Keep what has come, for its owner alone, once it has proved to be a black box; return it.

    What was there before stays, where it is none, or none that is wanted. The oldest copies make
    room for new ones.

    Raises what `blackbox.read` does, and `OSError`.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unproved = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        file = os.open(unproved, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(content)
        case = blackbox.read(unproved)
        if wanted(case):
            unproved.replace(path)
        else:
            unproved.unlink()
    except BaseException:
        unproved.unlink(missing_ok=True)
        raise
    _make_room(path.parent)
    return case


def _make_room(folder: Path) -> None:
    """Remove the oldest copies until the others are not too much."""
    with contextlib.suppress(OSError):  # another command may remove them too
        found = [(path.stat(), path) for path in folder.iterdir()]
        total = 0
        for status, path in sorted(found, key=lambda one: one[0].st_mtime_ns, reverse=True):
            total += status.st_size
            if total > MOST_BYTES:
                path.unlink(missing_ok=True)
