"""Where outputs are kept: written under a name of the attempt, published when it is settled."""

import contextlib
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from worker.errors import OutputError

# A killed worker's folder may be another worker's that lives: only age tells, and a day is long.
STALE_S = 24 * 3600.0
BLACK_BOX = "failure.blackbox"


def black_box_of(outputs_dir: Path, task_id: UUID) -> Path:
    """Return where the black box of a task that failed is kept: beside its outputs."""
    return outputs_dir / str(task_id) / BLACK_BOX


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """Keeps outputs in folders of this machine: `<outputs>/<task id>/<file>`.

    An attempt writes into `<outputs>/<task id>/.<token>`, on the same file system, so that
    publishing is a rename. A worker that was superseded writes beside its successor and publishes
    nothing.
    """

    outputs_dir: Path

    def attempt_dir(self, task_id: UUID, token: UUID) -> Path:
        """Make the attempt's own folder, empty. Raises `OutputError` when it cannot be made."""
        folder = self._folder(task_id, token)
        with _disk_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
        return folder

    def publish(self, task_id: UUID, token: UUID, files: Sequence[Path]) -> tuple[Path, ...]:
        """Move the attempt's files to the task's folder; return where they are, in order.

        Each is on disk before it gets its name and replaces what had that name, at once. The first
        file, the task's output, comes last: where it is, the others are. May be repeated: a file
        that was moved already is left where it is.

        Raises:
            OutputError: A file is not the attempt's or is missing, or the disk refuses.
        """
        home = self.outputs_dir / str(task_id)
        attempt = self._folder(task_id, token)
        targets = tuple(home / _inside(attempt, file) for file in files)
        with _disk_errors(home):
            for source, target in reversed(list(zip(files, targets, strict=True))):
                _move(source, target)
            _sync(home)
        return targets

    def discard(self, task_id: UUID, token: UUID) -> None:
        """Remove what the attempt left; nothing to do when there is nothing."""
        shutil.rmtree(self._folder(task_id, token), ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: it holds what was published
            (self.outputs_dir / str(task_id)).rmdir()

    def sweep_stale(
        self,
        *,
        live: Collection[UUID] = (),
        older_than_s: float = STALE_S,
        now: float | None = None,
    ) -> list[Path]:
        """Remove folders of attempts that nobody works on any more; return them.

        Args:
            live: Tokens of claims that are held; theirs stay.
            older_than_s: A folder with a change younger than this stays: another worker that
                shares these outputs may be at work in it.
            now: Seconds since the epoch; the present time by default.
        """
        kept = {f".{token}" for token in live}
        oldest = (time.time() if now is None else now) - older_than_s
        stale = [
            folder
            for folder in self.outputs_dir.glob("*/.*")
            if _is_token(folder.name[1:])
            and folder.name not in kept
            and _last_change(folder) < oldest
        ]
        for folder in stale:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # not empty: it holds what was published
                folder.parent.rmdir()
        return stale

    def _folder(self, task_id: UUID, token: UUID) -> Path:
        return self.outputs_dir / str(task_id) / f".{token}"


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"outputs cannot be kept in {str(path)!r}: {error.strerror or error}; "
            "free space, or choose another home folder"
        ) from error


def _inside(attempt: Path, file: Path) -> str:
    if file.parent != attempt or file.name.startswith("."):
        raise OutputError(f"{str(file)!r} is no file of the attempt's folder {str(attempt)!r}")
    return file.name


def _move(source: Path, target: Path) -> None:
    if not source.exists():
        if target.exists():
            return  # published before: the supervisor died, or the store was away, in between
        raise OutputError(f"output {str(source)!r} is not there to be published")
    _sync(source)
    source.replace(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_token(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _last_change(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return 0.0 if not folder.exists() else time.time()
