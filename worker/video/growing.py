"""A video that is encoded while its pictures are still being made."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from worker.video.files import Frame
    from worker.video.probing import VideoFacts

    Write: TypeAlias = Callable[[Iterator[Frame]], VideoFacts]

_LOOKED_EVERY_S: Final = 0.1


class GrowingVideo:
    """Encodes pictures in a thread of its own, as they come; it is finished or abandoned.

    Args:
        write: Writes pictures to a file, and says what the file is.
    """

    def __init__(self, write: "Write") -> None:
        self._write = write
        self._waiting: SimpleQueue[Frame | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._facts: VideoFacts | None = None
        self._trouble: BaseException | None = None
        self._abandoned = False
        self._taken = 0
        self.fed = 0

    @property
    def taken(self) -> int:
        """How many pictures the encoder has taken so far."""
        return self._taken

    def feed(self, frames: "Frame") -> None:
        """Take the next pictures, (frames, height, width, 3). Never waits for the encoder."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
            self._thread.start()
        for frame in frames:
            self._waiting.put(frame)
            self.fed += 1

    def finish(self, check: Callable[[], None]) -> "VideoFacts":
        """Wait until the file is written; there were pictures. Raises what writing it has raised.

        Args:
            check: Called again and again meanwhile; what it raises ends the waiting.
        """
        assert self._thread is not None  # noqa: S101 - tells the type checker what was promised
        self._waiting.put(None)
        while self._thread.is_alive():
            self._thread.join(_LOOKED_EVERY_S)
            check()
        if self._trouble is not None:
            raise self._trouble
        assert self._facts is not None  # noqa: S101 - as above
        return self._facts

    def abandon(self) -> None:
        """Write no further, and leave no file that is not finished."""
        self._abandoned = True
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._facts = self._write(self._pictures())
        except _AbandonedError:
            pass
        except BaseException as exc:  # noqa: BLE001 - raised again by `finish`, whatever it is
            self._trouble = exc

    def _pictures(self) -> "Iterator[Frame]":
        while (picture := self._waiting.get()) is not None and not self._abandoned:
            self._taken += 1
            yield picture
        if self._abandoned:
            raise _AbandonedError


class _AbandonedError(Exception):
    """The video is not wanted any more."""
