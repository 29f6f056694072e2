"""Every exception that is raised in a checkout, also one that it handles without a word.

Python tells of each where a trace function is set, which costs something on every call: so this is
for a replay, and not for the work itself.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import telemetry
from telemetry.recorder.exceptions import chain

# Raised as a matter of course: the ends of loops.
_CONTROL_FLOW: Final = (StopIteration, StopAsyncIteration)
_MOST: Final = 64


@contextmanager
def every_exception_seen(root: Path) -> Iterator[None]:
    """Write down the exceptions that a line of the checkout has raised in the block, at its end.

    Those of this thread, and of those that it starts; the last of them; none that leaves the block,
    nor any that is written down already, because somebody spoke of it.
    """
    seen: deque[Exception] = deque(maxlen=_MOST)
    trace = _tracer(f"{root}{os.sep}", seen)
    before, for_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
        threading.settrace(for_threads)
        leaving = [link.exception for link in chain(exc)] if (exc := sys.exc_info()[1]) else []
        for one in seen:
            if not any(one is other for other in leaving):
                telemetry.watched(one)


def _tracer(root: str, seen: "deque[Exception]") -> Callable[[FrameType, str, Any], Any]:
    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "call":
            if not frame.f_code.co_filename.startswith(root):
                return None
            frame.f_trace_lines = False
        elif event == "exception" and _is_new(arg[1], seen):
            seen.append(arg[1])
        return trace

    return trace


def _is_new(exc: object, seen: "deque[Exception]") -> bool:
    """Whether an exception is to be kept: it is told of again in every frame that it leaves."""
    if not isinstance(exc, Exception) or isinstance(exc, _CONTROL_FLOW):
        return False
    return not any(exc is one for one in seen)
