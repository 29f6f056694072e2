"""Where outputs are kept: written under a name of the attempt, published when it is settled."""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

from worker.errors import OutputError
from worker.output.bucket import StorageRefused

# A killed worker's folder may be another worker's that lives: only age tells, and a day is long.
STALE_S = 24 * 3600.0
BLACK_BOX = "failure.blackbox"
_NAME_DIGITS = 32


def black_box_of(outputs_dir: Path, task_id: UUID) -> Path:
    """Return where the black box of a task that failed is kept: beside its outputs."""
    return outputs_dir / str(task_id) / BLACK_BOX


def black_box_name(claim: str) -> str:
    """Return what the black box of an attempt is called in a bucket.

    Who knows a task's id alone must not find it there: a bucket may be public. What was drawn at
    random for the attempt's claim stands in the task's history, for those who may read that.
    """
    digest = hashlib.sha256(f"black box of {claim}".encode()).hexdigest()
    return f"failure-{digest[:_NAME_DIGITS]}.blackbox"


def hold_nothing() -> None:
    """Hold no claim: for who publishes without one."""


class Storage(Protocol):
    """Keeps the files that tasks make, where others find them.

    Raises `OutputError`, in one line with the way out; `retryable` where trying again may help.
    """

    @property
    def is_remote(self) -> bool:
        """Whether publishing takes as long as a network does: the GPU is not to wait for it."""
        ...

    def check(self) -> list[str]:
        """Prove that outputs can be kept; return what an operator should know all the same."""
        ...

    def attempt_dir(self, task_id: UUID, token: UUID) -> Path:
        """Make the attempt's own folder on this machine, empty."""
        ...

    def publish(
        self,
        task_id: UUID,
        token: UUID,
        files: Sequence[Path],
        hold: Callable[[], None] = hold_nothing,
    ) -> tuple[str, ...]:
        """Publish the attempt's files under the task; return where they are, in order.

        The first file, the task's output, comes last: where it is, the others are. May be
        repeated, after an answer that was lost or a death in between.

        `hold` extends the claim. It is called as long as files are on their way, from another
        thread too, and once more before any of them is visible; what it raises ends the call.
        """
        ...

    def keep(self, task_id: UUID, file: Path, name: str) -> None:
        """Put a file that this machine keeps of a task beside its outputs, under a name."""
        ...

    def readable(self, task_id: UUID, location: str) -> str:
        """Return a location of a task's output as it can be read now by who knows it alone."""
        ...

    def discard(self, task_id: UUID, token: UUID) -> None:
        """Remove what the attempt left; nothing to do when there is nothing."""
        ...

    def sweep_stale(
        self,
        *,
        live: Collection[UUID] = (),
        older_than_s: float = STALE_S,
        now: float | None = None,
    ) -> list[Path]:
        """Remove what attempts left that nobody works on any more; return the folders of here."""
        ...

    def close(self) -> None:
        """Let go of connections; the storage cannot be used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """Keeps outputs in folders of this machine: `<outputs>/<task id>/<file>`.

    An attempt writes into `<outputs>/<task id>/.<token>`, on the same file system, so that
    publishing is a rename. A worker that was superseded writes beside its successor and publishes
    nothing.
    """

    outputs_dir: Path
    shared_queue: bool = False  # whether others than this machine are told where outputs are

    @property
    def is_remote(self) -> bool:
        """A rename takes no time."""
        return False

    def check(self) -> list[str]:
        """Write a small file and remove it."""
        path = self.outputs_dir / f".check-{uuid4()}"
        try:
            with _disk_errors(self.outputs_dir):
                self.outputs_dir.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"loop26")
                path.unlink()
        except OutputError as error:
            raise StorageRefused(str(error)) from error
        return [self._unseen()] if self.shared_queue else []

    def attempt_dir(self, task_id: UUID, token: UUID) -> Path:
        """Make the attempt's own folder, empty. Raises `OutputError` when it cannot be made."""
        folder = self.folder(task_id, token)
        with _disk_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
        return folder

    def publish(
        self,
        task_id: UUID,
        token: UUID,
        files: Sequence[Path],
        hold: Callable[[], None] = hold_nothing,
    ) -> tuple[str, ...]:
        """Move the attempt's files to the task's folder; return where they are, in order.

        Each is on disk before it gets its name and replaces what had that name, at once. The first
        file, the task's output, comes last: where it is, the others are. May be repeated: a file
        that was moved already is left where it is.

        Raises:
            OutputError: A file is not the attempt's or is missing, or the disk refuses.
        """
        del hold  # a rename takes no time in which a claim could be lost
        home = self.outputs_dir / str(task_id)
        attempt = self.folder(task_id, token)
        targets = tuple(home / name_in(attempt, file) for file in files)
        with _disk_errors(home):
            for source, target in reversed(list(zip(files, targets, strict=True))):
                _move(source, target)
            _sync(home)
        return tuple(map(str, targets))

    def keep(self, task_id: UUID, file: Path, name: str) -> None:
        """Leave the file where it is: beside the outputs."""

    def readable(self, task_id: UUID, location: str) -> str:  # noqa: ARG002 - a path is one anyway
        """Return the location as it is."""
        return location

    def close(self) -> None:
        """Hold nothing open."""

    def discard(self, task_id: UUID, token: UUID) -> None:
        """Remove what the attempt left; nothing to do when there is nothing."""
        shutil.rmtree(self.folder(task_id, token), ignore_errors=True)
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

    def _unseen(self) -> str:
        return (
            f"outputs stay in {str(self.outputs_dir)!r} on this machine, where neither apps nor "
            "other workers can read them: a worker token cannot upload; set LOOP26_STORAGE to "
            "s3://bucket with a key limited to it, or to supabase://bucket with SUPABASE_SECRET_KEY"
        )

    def folder(self, task_id: UUID, token: UUID) -> Path:
        """Return the attempt's own folder, which need not be there."""
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


def name_in(attempt: Path, file: Path) -> str:
    """Return the name of an attempt's file. Raises `OutputError` for any other file."""
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
