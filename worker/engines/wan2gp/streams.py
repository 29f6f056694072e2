"""What an engine prints, line by line into the log: in order, with the stage, naming its line.

Who swallows an exception mostly prints a word of it while it is in hand: it is taken from there.
"""

import contextvars
import io
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TextIO

from opentelemetry import trace

import telemetry
from worker.errors import TaskCancelled

LOGGER: Final = "wan2gp"
_BAR_EVERY_S: Final = 5.0  # a progress bar is written ten times a second
_LONGEST_LINE: Final = 65_536  # characters; what never ends its line is cut
_END: Final = re.compile("\\r?\\n|\\r")
Hear = Callable[[str, FrameType], None]
# Whether this thread is logging a line, and what handlers of the engine's write is that line again.
_LOGGING: Final = threading.local()


class LineLog(io.TextIOBase):
    """A stream that logs each line that is written to it; the record names the line that wrote it.

    Of a progress bar, which goes back to its line's beginning, it logs what it shows every few
    seconds, and its last. Lines of several threads stay whole: each thread has its own.

    Args:
        name: "stdout" or "stderr".
        behind: The stream that it stands for, which has the descriptor.
        clock: Says when a bar is due again.
        hear: Is called with each line that is logged, and the frame that wrote it.
    """

    def __init__(
        self,
        name: str,
        behind: TextIO,
        *,
        clock: Callable[[], float] = time.monotonic,
        hear: Hear | None = None,
    ) -> None:
        self._behind = behind
        self._clock = clock
        self._hear = hear
        self._log = logging.getLogger(f"{LOGGER}.{name}")
        # Not held while a line is logged: who logs holds the locks of handlers that write here.
        self._lock = threading.Lock()
        self._unfinished: dict[int, str] = {}
        self._bar = ""
        self._bar_at = -_BAR_EVERY_S
        # In hand already where this is made, so none of the engine's.
        self._around = sys.exc_info()[1]
        self._context = contextvars.copy_context()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, an attribute there
        """As the stream behind has it."""
        return self._behind.encoding

    @property
    def buffer(self) -> Any:
        """Takes bytes, past the log, to the descriptor, of which the supervisor reads."""
        return self._behind.buffer

    def fileno(self) -> int:
        """The descriptor, for what is not Python."""
        return self._behind.fileno()

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """It is no terminal."""
        return False

    def reconfigure(self, **_: Any) -> None:
        """Do nothing: whatever a line is to be encoded in, it is logged."""

    def write(self, text: str) -> int:
        """Log the lines that are complete."""
        if getattr(_LOGGING, "now", False):  # a handler of the engine's own writes here
            return self._behind.write(text)
        self._look_in_hand()
        with self._lock:
            lines = self._complete(text)
        _LOGGING.now = True
        try:
            for line in lines:
                self._in_task(self._log.info, "%s", line, stacklevel=2)  # who wrote
                if self._hear is not None:
                    self._hear(line, sys._getframe(1))  # noqa: SLF001 - the same
        finally:
            _LOGGING.now = False
        return len(text)

    def flush(self) -> None:
        """Do nothing: a line is complete when it ends."""

    def finish(self) -> None:
        """Log what has no end yet."""
        with self._lock:
            texts = [text.strip() for text in self._unfinished.values()]
            rest = [text for text in texts if text] or [self._bar]
            self._unfinished.clear()
            self._bar = ""
        for text in filter(None, rest):
            self._log.info("%s", text)

    def _in_task(self, log: Callable[..., None], *said: Any, stacklevel: int) -> None:
        """Log as the task does, also from a thread of the engine's own, which is in no span."""
        if trace.get_current_span().get_span_context().is_valid:
            log(*said, stacklevel=stacklevel + 1)
        else:
            self._context.copy().run(log, *said, stacklevel=stacklevel + 1)

    def _look_in_hand(self) -> None:
        """Write down the exception that is being handled where this is printed, if one is."""
        exc = sys.exc_info()[1]
        ours = exc is self._around or isinstance(exc, TaskCancelled)
        if isinstance(exc, Exception) and not ours:
            telemetry.swallowed(exc)

    def _complete(self, text: str) -> list[str]:
        """Take what this thread writes; return what of it is to be logged now."""
        thread = threading.get_ident()
        before = self._unfinished.pop(thread, "")
        known, lines, at = before + text, list[str](), 0
        for end in _END.finditer(known, len(before)):
            line = known[at : end.start()].rstrip()
            lines += self._shown(line) if end[0] == "\r" else self._ended(line)
            at = end.end()
        rest = known[at:]
        while len(rest) > _LONGEST_LINE:
            lines.append(rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
        if rest:
            self._unfinished[thread] = rest
        return lines

    def _ended(self, line: str) -> list[str]:
        line, self._bar = line or self._bar, ""
        return [line] if line else []

    def _shown(self, bar: str) -> list[str]:
        self._bar = bar or self._bar
        now = self._clock()
        if not bar or now - self._bar_at < _BAR_EVERY_S:
            return []
        self._bar_at, self._bar = now, ""
        return [bar]


@contextmanager
def logged_output(hear: Hear | None = None) -> Iterator[None]:
    """Log what is printed in the block, by whatever thread, instead of passing it on.

    `hear` is called with each line, and the frame that wrote it.
    """
    before = sys.stdout, sys.stderr
    ours = (
        LineLog("stdout", sys.__stdout__ or before[0], hear=hear),
        LineLog("stderr", sys.__stderr__ or before[1], hear=hear),
    )
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        # Not what it may have put there since: that ends with the call.
        sys.stdout, sys.stderr = before
        for stream in ours:
            stream.finish()
