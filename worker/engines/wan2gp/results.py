"""What a generation has come to: judged by the files that appeared, and by nothing that is said."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from worker.engines.base import Generated
from worker.engines.pictures import check_frames
from worker.engines.wan2gp.api import Said
from worker.engines.wan2gp.errors import CheckoutUnusable, EngineReported, NoOutput
from worker.engines.wan2gp.spoken import spoken_at
from worker.engines.wan2gp.writers import Writers
from worker.params.request import GenerationRequest
from worker.video.files import read_frames

VIDEOS: Final = (".mp4", ".mkv", ".mov", ".webm", ".avi")
_KEEP_SIZE: Final = "where its own settings fit a video to its pictures, have them keep the size"
_PREFIX: Final = "run-"
_LOCK: Final = "lock"
_GATE: Final = ".gate"


class OutputFolder:
    """A folder of this process's own, into which the checkout is told to write.

    Those of processes that are gone are removed when one is made. A lock says whether one is:
    a process id may be another's by now.

    Args:
        parent: Where it is made.
        root: The checkout.

    Raises `CheckoutUnusable` where it cannot be.
    """

    def __init__(self, parent: Path, root: Path) -> None:
        self.root = root
        try:
            parent.mkdir(parents=True, exist_ok=True)
            gate = _locked(parent / _GATE)  # so that nobody sweeps what is not locked yet
            try:
                _sweep(parent)
                self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent.resolve()))
                # A descriptor, which nobody collects: it is held as long as this process.
                self._lock = _locked(self.path / _LOCK)
            finally:
                os.close(gate)
        except OSError as error:
            raise CheckoutUnusable(
                root, f"has nowhere to write its videos: {str(parent)!r}: {error.strerror}"
            ) from error

    def empty(self) -> None:
        """Remove what an earlier call has written."""
        for file in self.path.iterdir():
            if file.name == _LOCK:
                continue
            with suppress(OSError):
                shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()

    def videos(self) -> list[Path]:
        """Return the videos in it, oldest first."""
        found = (
            file
            for file in self.path.rglob("*")
            if file.suffix.lower() in VIDEOS and file.is_file()
        )
        return sorted(found, key=lambda file: file.stat().st_mtime_ns)


def generated(
    said: Said,
    folder: OutputFolder,
    request: GenerationRequest,
    *,
    seconds: float,
    writers: Writers,
) -> Generated:
    """Read the video that was made: the last that the engine names, else the last in its folder.

    Args:
        said: What is known of its call.
        folder: Where it was told to write.
        request: What was asked.
        seconds: The time that its steps took.
        writers: Know which line has written a file.

    Raises:
        NoOutput: There is none.
        FrameCountMismatch: It has another number of frames than was asked.
        EngineError: It has another size.
    """
    files = (folder.root / file for file in said.files)  # one that is relative is so to its folder
    named = [path for path in files if path.suffix.lower() in VIDEOS and path.is_file()]
    videos = named or folder.videos()
    if not videos:
        raise _no_output(said, folder)
    frames = read_frames(videos[-1])
    check_frames(frames.shape, request, where=writers.of(videos[-1]), advice=_KEEP_SIZE)
    steps = len(request.schedule.steps)
    return Generated(frames=frames, video=videos[-1], seconds_per_step=seconds / steps)


def _no_output(said: Said, folder: OutputFolder) -> NoOutput:
    """Say what was heard last; of what was printed also where the text stands, if elsewhere."""
    heard = said.listener
    last, (text, place) = (heard.last, heard.printed) if heard is not None else ("", ("", ""))
    printed = repr(text) if text else ""
    stands = spoken_at(folder.root, text) if text else ""
    if stands and not place.startswith(f"{stands} "):
        printed += f", which stands at {stands}"
    if text and place:
        printed += f", at {place}"
    came_back = heard.came_back if heard is not None else ""
    return NoOutput(
        folder.path,
        named=named_files(said.files),
        last=last,
        printed=printed,
        came_back=came_back,
    )


def _locked(file: Path) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def named_files(said: Sequence[str]) -> list[str]:
    """Return the base names of files, for a span."""
    return [os.path.basename(file) for file in said]  # noqa: PTH119 - of whatever system's paths


def raise_what_failed(said: Said, root: Path) -> None:
    """Raise what a generation has failed with: the exception itself, wherever it was caught.

    A text, where there is nothing else, and where in the checkout it stands: that says less than
    the exceptions that are in the record.
    """
    listener = said.listener
    if listener is not None and listener.cancelled is not None:
        raise listener.cancelled
    if said.escaped is not None:
        raise said.escaped
    for report in listener.reported if listener is not None else ():
        if report.exception is not None:
            raise report.exception
        raise EngineReported(report.text, spoken_at=spoken_at(root, report.text))
    if said.failed:
        raise EngineReported(said.failed, stage=said.stage, spoken_at=spoken_at(root, said.failed))
