"""The replay's own folder: there while it runs, gone whatever happens."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import HomeError
from worker.replay.remembered import FOLDER

_RUNNING = ".run-"
_KEPT = "kept-"


@contextmanager
def own_folder(home: Path, *, keep: bool) -> Iterator[Path]:
    """Give an empty folder, for the owner alone, and remove it at the end unless it is to be kept.

    What a replay left that was killed is removed by the next one: its lock is gone. A folder that
    is kept gets another name in the end, and is yielded's neighbour: see `kept`.

    Raises `HomeError` where it cannot be made.
    """
    parent = home / FOLDER
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder, lock = _made(parent)
    except OSError as error:
        problem = f"no folder can be made for a replay: {error.strerror or error}"
        raise HomeError(home, problem) from error
    try:
        yield folder
    finally:
        if keep:
            folder.rename(kept(folder))
        else:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def kept(folder: Path) -> Path:
    """Return where a folder is at the end that is kept."""
    return folder.with_name(f"{_KEPT}{folder.name.removeprefix(_RUNNING)}")


def _made(parent: Path) -> tuple[Path, int]:
    """Make a folder; return it and its lock.

    One replay after another: a folder that has no lock yet looks like one that a killed one left.
    """
    ours = _locked(parent)
    try:
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=_RUNNING, dir=parent))
        return folder, _locked(folder)
    finally:
        os.close(ours)


def _locked(folder: Path) -> int:
    """Lock a folder for as long as this process lives; a child does not inherit it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_RUNNING}*"):
        with contextlib.suppress(OSError):  # another one removes it at this moment
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
