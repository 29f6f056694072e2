"""A video that is encoded while its pictures are still being made."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from worker.video import ffmpeg

if TYPE_CHECKING:
    from worker.video.files import Frame
    from worker.video.probing import VideoFacts

    Write: TypeAlias = Callable[[Iterator[Frame]], VideoFacts]

_LOOKED_EVERY_S: Final = 0.1
_ENDED_WITHIN_S: Final = 10.0
# What may wait for an encoder that is slower than the decoder: the engine holds all of it, too.
_MOST_WAITING_BYTES: Final = 256 * 1024 * 1024


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
        self._sizes: set[tuple[int, ...]] = set()
        self._fed = self._fed_bytes = 0
        self._taken = self._taken_bytes = 0

    @property
    def taken(self) -> int:
        """How many pictures the encoder has taken so far."""
        return self._taken

    @property
    def thread_id(self) -> int:
        """The id of the thread that encodes; 0 before there is one."""
        return (self._thread.ident or 0) if self._thread else 0

    def holds(self, shape: tuple[int, ...]) -> bool:
        """Whether all of a video of this shape, (frames, height, width, 3), has been fed."""
        return not self._abandoned and self._fed == shape[0] > 0 and self._sizes == {shape[1:]}

    def feed(self, frames: "Frame") -> None:
        """Take the next pictures, (frames, height, width, 3). Never waits for the encoder.

        Where too much waits for it, it gives up: the whole is then to be encoded afterwards.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
            self._thread.start()
        if self._fed_bytes - self._taken_bytes + frames.nbytes > _MOST_WAITING_BYTES:
            self._give_up()
        for frame in frames:
            self._fed += 1
            self._sizes.add(frame.shape)
            if not self._abandoned and self._trouble is None:
                self._fed_bytes += frame.nbytes
                self._waiting.put(frame)

    def finish(self, check: Callable[[], None]) -> "VideoFacts":
        """Wait until the file is written. Raises what writing it has raised.

        Args:
            check: Called whenever the encoder has taken pictures; what it raises ends the waiting.
        """
        assert self._thread is not None  # noqa: S101 - tells the type checker what was promised
        self._waiting.put(None)
        seen = -1
        while self._thread.is_alive():
            self._thread.join(_LOOKED_EVERY_S)
            if self._taken != seen:
                seen = self._taken
                check()
        if trouble := self.trouble():
            try:
                raise trouble
            finally:
                del trouble  # else its frames hold it, and it them, and all that they hold
        assert self._facts is not None  # noqa: S101 - as above
        return self._facts

    def trouble(self) -> BaseException | None:
        """Return, once, what writing has raised."""
        trouble, self._trouble = self._trouble, None
        return trouble

    def abandon(self) -> None:
        """Write no further, and leave no file that is not finished; its encoder is killed."""
        thread, waited = self._thread, 0.0
        self._give_up()
        while thread is not None and thread.is_alive() and waited < _ENDED_WITHIN_S:
            ffmpeg.kill_of(thread.ident or 0)
            thread.join(_LOOKED_EVERY_S)
            waited += _LOOKED_EVERY_S

    def _give_up(self) -> None:
        self._abandoned = True
        self._waiting.put(None)

    def _run(self) -> None:
        try:
            self._facts = self._write(self._pictures())
        except BaseException as exc:  # noqa: BLE001 - raised again by `finish`, whatever it is
            if not self._abandoned:  # that, or its being killed, is no trouble
                self._trouble = exc
        finally:
            while not self._waiting.empty():
                self._waiting.get()

    def _pictures(self) -> "Iterator[Frame]":
        while (picture := self._waiting.get()) is not None and not self._abandoned:
            self._taken += 1
            self._taken_bytes += picture.nbytes
            yield picture
        if self._abandoned:
            raise _AbandonedError


class _AbandonedError(Exception):
    """The video is not wanted any more."""
