"""What a replay has shown of a task: kept, so that the next investigation of it knows."""

import contextlib
import os
import re
import tempfile
from pathlib import Path

import msgspec

from telemetry.reports.findings import ReplayFound

FOLDER = "replays"
_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST_BYTES = 65_536


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    found: ReplayFound


def remember(home: Path, task_id: str, found: ReplayFound, *, fingerprint: str = "") -> None:
    """Keep what a replay of a task has shown, in place of what an earlier one has.

    `fingerprint` is that of the failure which was replayed. Raises `OSError`.
    """
    path = _path(home, task_id)
    if path is None:
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".kept-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(_Kept(fingerprint=fingerprint, found=found)))
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def recall(home: Path, task_id: str, *, fingerprint: str = "") -> ReplayFound | None:
    """Return what the last replay of a task has shown; None where there was none that is readable.

    With a `fingerprint`, also None for a replay of another failure that the task has had.
    """
    path = _path(home, task_id)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            kept = msgspec.json.decode(file.read(_MOST_BYTES), type=_Kept)
    except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return kept.found if fingerprint in {"", kept.fingerprint} else None


def _path(home: Path, task_id: str) -> Path | None:
    """Return where it is kept; None for what is no task's id, which may lead anywhere."""
    known = task_id.lower()
    return home / FOLDER / f"{known}.json" if _TASK_ID.fullmatch(known) else None
