"""What a checkout does without a word: the exceptions that it swallows, and where it comes back.

Python tells of both where a trace function is set, which costs something on every call: so this is
for a replay, and not for the work itself.
"""

import dis
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import telemetry
from telemetry.recorder.exceptions import chain

# Raised as a matter of course: the ends of loops.
_CONTROL_FLOW: Final = (StopIteration, StopAsyncIteration)
_MOST: Final = 64


class Watch:
    """Watches one call of the entry.

    Args:
        root: The checkout, whose lines are meant.

    Attributes:
        came_back: The line by which the call came back, as "file:line in function": where the entry
            returns what another function gave it, the line by which that did.
    """

    def __init__(self, root: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._seen: deque[Exception] = deque(maxlen=_MOST)
        self._thread = 0
        # By frame, what it was given: at which line of its own, which value, and by which line.
        self._given: dict[int, deque[tuple[int, int, str]]] = {}
        self.came_back = ""

    @contextmanager
    def block(self) -> Iterator[None]:
        """Watch in the block; write down the exceptions of the checkout's lines at its end.

        Those of this thread, and of those that it starts; the last of them; none that leaves the
        block, nor any that is written down already, because somebody spoke of it.
        """
        self._thread = threading.get_ident()
        before, for_threads = sys.gettrace(), threading.gettrace()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
            threading.settrace(for_threads)
            leaving = [link.exception for link in chain(exc)] if (exc := sys.exc_info()[1]) else []
            for one in self._seen:
                if not any(one is other for other in leaving):
                    telemetry.watched(one)
            self._seen.clear()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "call":
            if not frame.f_code.co_filename.startswith(self._root):
                return None
            frame.f_trace_lines = False
        elif event == "exception" and self._is_new(arg[1]):
            self._seen.append(arg[1])
        elif event == "return" and threading.get_ident() == self._thread:
            self._returned(frame, arg)
        return self._trace

    def _is_new(self, exc: object) -> bool:
        """Whether an exception is to be kept: it is told of again in every frame that it leaves."""
        if not isinstance(exc, Exception) or isinstance(exc, _CONTROL_FLOW):
            return False
        return not any(exc is one for one in self._seen)

    def _returned(self, frame: FrameType, value: object) -> None:
        code = frame.f_code
        place = f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"
        given_here = self._given.pop(id(frame), ())
        if not _is_constant(code, frame.f_lasti):
            for line, given, by in reversed(given_here):
                # Handed on in the same line, or kept until then. None is anybody's.
                if line == frame.f_lineno or (value is not None and given == id(value)):
                    place = by
                    break
        caller = frame.f_back
        if caller is not None and caller.f_code.co_filename.startswith(self._root):
            given_there = self._given.setdefault(id(caller), deque(maxlen=_MOST))
            given_there.append((caller.f_lineno, id(value), place))
        else:
            self.came_back = place


@lru_cache(maxsize=4096)
def _is_constant(code: CodeType, at: int) -> bool:
    """Whether the instruction by which a function returns gives back what stands in its source."""
    before = ""
    for instruction in dis.get_instructions(code):
        if instruction.offset == at:
            return before == "LOAD_CONST" or instruction.opname == "RETURN_CONST"
        before = instruction.opname
    return False
