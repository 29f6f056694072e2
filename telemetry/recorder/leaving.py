"""Exceptions on their way out of spans: which are taken down there, and what is kept of them."""

import sys
from types import FrameType
from typing import Final

import msgspec

from telemetry.recorder.exceptions import chain, frames_of, raising
from telemetry.recorder.marks import Mark, mark_of
from telemetry.recorder.plumbing import is_plumbing
from telemetry.records import Error, ExceptionFacts, Frame

MOST: Final = 32  # a task
MOST_OF_A_KIND: Final = 4
MOST_SECONDS: Final = 1.0
_CONTROL_FLOW: Final = (StopIteration, StopAsyncIteration, GeneratorExit)
# Of asyncio, of concurrent.futures, of trio, of the worker: they have no other base in common.
_CANCELLED: Final = ("Cancelled", "CancelledError")
_OPTIMISED: Final = 0x0001  # CO_OPTIMIZED: the frame of a function, not of a class or module body
# The frame's own, the variable's here, and the argument's.
_OUR_REFERENCES: Final = 3


class Allowance:
    """What may be taken down of exceptions that leave spans, until it is renewed with each task.

    Each costs a snapshot, and a task may raise and handle thousands: the first of a kind, which is
    a type and a line, are taken down, up to a number and a time in all.

    Attributes:
        left_out: How many were not.
    """

    def __init__(self) -> None:
        self._times: dict[tuple[str, str, int], int] = {}
        self._seconds = 0.0
        self.left_out = 0

    def admits(self, exc: BaseException, mark: Mark) -> bool:
        """Whether an exception is to be taken down; one that is not is counted."""
        if is_control_flow(exc, mark):
            return False
        last = raising(exc)
        file = last.tb_frame.f_code.co_filename if last else ""
        kind = (mark.type, file, (last.tb_lineno or 0) if last else 0)
        times = self._times.get(kind, 0)
        full = sum(self._times.values()) >= MOST or self._seconds > MOST_SECONDS
        if full or times >= MOST_OF_A_KIND:
            self.left_out += 1
            return False
        self._times[kind] = times + 1
        return True

    def spend(self, seconds: float) -> None:
        """Count the time that it took to take one down."""
        self._seconds += seconds


def is_control_flow(exc: BaseException, mark: Mark) -> bool:
    """Whether an exception is the end of an iteration or a cancellation, and nobody's failure."""
    return issubclass(type(exc), _CONTROL_FLOW) or mark.type.endswith(_CANCELLED)


def as_first_taken(error: Error, exc: BaseException, journal: str) -> Error:
    """Give an error the time and its frames the values of when they were first taken down.

    A `finally` block has run since, and its variables are no longer what they were.
    """
    marks = [mark_of(link.exception, journal) for link in chain(exc)]
    found = [_as_taken(facts, mark) for facts, mark in zip(error.chain, marks, strict=False)]
    taken = marks[0].taken if marks and marks[0] is not None else None
    at_ns = error.at_ns if taken is None else taken.at_ns
    return msgspec.structs.replace(error, chain=found, at_ns=at_ns)


def inside_of_span(error: Error) -> Error:
    """Leave out the frames of what opened the span in the name of a line further in."""
    first, *others = error.chain
    frames = first.frames
    while len(frames) > 1 and is_plumbing(frames[0].file):
        frames = frames[1:]
    first = msgspec.structs.replace(first, frames=frames)
    return msgspec.structs.replace(error, chain=[first, *others])


def _as_taken(facts: ExceptionFacts, mark: Mark | None) -> ExceptionFacts:
    if mark is None or mark.taken is None:
        return facts
    now, before = facts.frames, mark.taken.chain[0].frames
    same = 0
    # A traceback grows at its outer end; what was taken before is the inner part of it.
    for one, other in zip(reversed(now), reversed(before), strict=False):
        if _line(one) != _line(other):
            break
        same += 1
    frames = now[: len(now) - same] + before[len(before) - same :]
    return msgspec.structs.replace(facts, frames=frames)


def _line(frame: Frame) -> tuple[str, int, str]:
    return frame.file, frame.line, frame.function


def let_go(exc: BaseException) -> None:
    """Have the frames of an exception hold no more than they did before their locals were read.

    Up to Python 3.12 a frame keeps what was read of it, with a reference to each value, for as long
    as its function runs: a tensor that this deletes, to try again with less, would stay.
    """
    for link in chain(exc):
        for frame, _ in frames_of(link.exception)[0]:
            _let_go(frame)


def _let_go(frame: FrameType) -> None:
    if not frame.f_code.co_flags & _OPTIMISED:
        return
    read = frame.f_locals
    # Who called `locals()` there has this very dictionary.
    if type(read) is dict and sys.getrefcount(read) <= _OUR_REFERENCES:
        read.clear()
