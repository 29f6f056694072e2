"""What the engine tells of a generation by its callback: progress, status, errors."""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from opentelemetry import trace

import telemetry
from telemetry import names
from worker.engines.base import Observer
from worker.engines.wan2gp.hidden import unhidden
from worker.engines.wan2gp.steps import StepSpans
from worker.engines.wan2gp.watching import Watch
from worker.engines.wan2gp.writers import frame_in, place_in
from worker.errors import TaskCancelled

_LONGEST_STATUS: Final = 300
_log = logging.getLogger("wan2gp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A failure that the engine has passed on: its text, and the exception that was in hand."""

    text: str
    exception: BaseException | None


class Listener:
    """Hears what `send_cmd` is called with, in the thread that generates.

    Args:
        observer: Is told how far it is, and says when to stop.
        steps: The spans of the steps.
        abort: Asks the engine to stop, as it wants to be asked.
        root: The checkout, whose lines are meant by a place.
        watch: Watches the call, where more is to be seen of it.

    Attributes:
        last: What it told last, and where.
        printed: What it printed last, and where; "" where that is no line of the checkout.
        reported: The failures that it has passed on, in order.
        cancelled: What the task was cancelled with, once it is known here.
    """

    def __init__(
        self,
        observer: Observer,
        steps: StepSpans,
        abort: Callable[[], None],
        *,
        root: Path,
        watch: Watch | None = None,
    ) -> None:
        self._observer = observer
        self._steps = steps
        self._abort = abort
        self._root = f"{root}{os.sep}"
        self._status = ""
        # In hand already where this is called, so none of the engine's.
        self._around = sys.exc_info()[1]
        self._watch = watch
        self.last = ""
        self.printed = ("", "")
        self.reported: list[Reported] = []
        self.cancelled: TaskCancelled | None = None

    @property
    def seeing(self) -> AbstractContextManager[None]:
        """The block to call the entry in."""
        return nullcontext() if self._watch is None else self._watch.block()

    @property
    def came_back(self) -> str:
        """The line by which the entry came back, where it is watched."""
        return "" if self._watch is None else self._watch.came_back

    def follow(self, before: "Listener") -> None:
        """Go on from one that heard an earlier call of the same task."""
        self.reported = before.reported
        self.cancelled = before.cancelled
        self.last, self.printed = before.last, before.printed

    def hear(self, command: object, data: object, frame: FrameType) -> None:
        """Take one command that was sent from a frame, while what it tells of is still in hand.

        Raises `TaskCancelled` out of the engine's own callback where it goes on though it was asked
        to stop.
        """
        self.last = f"{command!r} at {place_in(self._root, frame) or 'a place of its own'}"
        if command == "error":
            self._error(_text(data), frame)
            return
        self._look_whether_cancelled()
        if command == "progress":
            self._progress(data)
        elif command in ("status", "info"):
            self._say(_text(data))

    def hear_printed(self, line: str, frame: FrameType) -> None:
        """Take one line that was printed from a frame."""
        self.printed = line[:_LONGEST_STATUS], place_in(self._root, frame)

    def finish(self, exc: BaseException | None = None) -> None:
        """The entry has been left, by an exception if one is given."""
        if exc is not None:
            self._steps.fail(exc)
        self._steps.leave()

    def _look_whether_cancelled(self) -> None:
        try:
            self._observer.check_cancelled()
        except TaskCancelled as cancelled:
            if self.cancelled is not None:
                raise
            self.cancelled = cancelled
            self._abort()

    def _progress(self, data: object) -> None:
        parts = list(data) if isinstance(data, list | tuple) else [data]
        head = parts[0] if parts else None
        if (steps := _steps_of(head)) is not None:
            done, count = steps
            self._steps.reached(done, count)
            if 0 < done <= count:
                self._observer.step(done, count)
            if done >= count:
                self._steps.leave()
        else:
            self._steps.leave()
        texts = (part for part in parts[1:] if isinstance(part, str))
        self._say(next(texts, "" if not isinstance(head, str) else head))

    def _say(self, status: str) -> None:
        """Record a status, once however often it is told."""
        status = status.strip()[:_LONGEST_STATUS]
        if not status or status == self._status:
            return
        self._status = status
        trace.get_current_span().add_event(names.ENGINE_STATUS_EVENT, {names.ENGINE_STATUS: status})
        _log.info("%s", status)

    def _error(self, text: str, frame: FrameType) -> None:
        exc = sys.exc_info()[1]
        if exc is self._around:
            exc = None
        if isinstance(exc, TaskCancelled):  # our own, on its way out
            return
        if exc is None:
            telemetry.swallowed(text, at=frame_in(self._root, frame) or frame)
        else:
            telemetry.swallowed(unhidden(exc))
        if exc is not None:
            self._steps.fail(exc)
        _log.warning("the engine reports: %s", text)
        self.reported.append(Reported(text=text, exception=exc))


def _steps_of(head: object) -> tuple[int, int] | None:
    """Return the step and the count of a progress, None of one that tells something else."""
    if not isinstance(head, tuple | list):
        return None
    try:
        done, count = map(int, head)
    except (TypeError, ValueError, OverflowError):
        return None
    return (done, count) if 0 <= done <= count and count else None


def _text(data: object) -> str:
    """Return what was told as a text; the engine is not to fail by what it cannot say."""
    if data is None:
        return ""
    try:
        return str(data)
    except Exception:  # noqa: BLE001 - it may raise anything
        return f"something that has no text, of the type {type(data).__qualname__}"
