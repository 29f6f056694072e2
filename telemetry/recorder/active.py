"""The recorder of this process, and functions that use it where there is one."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind

from telemetry.recorder.recorded_span import RecordedSpan
from telemetry.recorder.scopes import INERT_SCOPE, SpanScope
from telemetry.recorder.suspects import WATCHED

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

_INTERNAL: Final = SpanKind.INTERNAL  # number 0; an enumeration's value is slow to read
_recorder: "Recorder | None" = None
_chosen: "ContextVar[Recorder | None]" = ContextVar("loop26.recorder", default=None)


def current() -> "Recorder | None":
    """Return the recorder of this context: that of this process, unless another was chosen."""
    return _chosen.get() or _recorder


def chosen() -> "Recorder | None":
    """Return the recorder that was chosen for this context; None for that of this process."""
    return _chosen.get()


@contextmanager
def choose(recorder: "Recorder") -> Iterator[None]:
    """Have what is logged in the block, and OpenTelemetry's spans, go to another recorder.

    For a process that has two tasks in hand, each with a journal of its own. The functions below
    are for tasks, which have a process of their own: they ask only for that of the process.
    """
    token = _chosen.set(recorder)
    try:
        yield
    finally:
        _chosen.reset(token)


def set_current(recorder: "Recorder | None") -> None:
    """Make a recorder the one of this process; `Recorder.install` does."""
    global _recorder  # noqa: PLW0603 - a process has one recorder
    _recorder = recorder


def span(
    name: str, attributes: Mapping[str, Any] | None = None, *, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[RecordedSpan]:
    """Open a span; see `Recorder.span`."""
    recorder = _recorder
    if recorder is None:
        return INERT_SCOPE
    return SpanScope(recorder, name, attributes, 0 if kind is _INTERNAL else kind.value)


def stage(name: str) -> AbstractContextManager[RecordedSpan]:
    """Open the span of a stage; see `Recorder.stage`."""
    recorder = _recorder
    return INERT_SCOPE if recorder is None else recorder.stage(name)


def iteration(
    index: int, count: int, attributes: Mapping[str, Any] | None = None
) -> AbstractContextManager[RecordedSpan]:
    """Open the span of one iteration of the parameter loop; see `Recorder.iteration`."""
    recorder = _recorder
    return INERT_SCOPE if recorder is None else recorder.iteration(index, count, attributes)


def info(logger: logging.Logger, message: str) -> None:
    """Log a message as `logger.info` does, for less where the journal is all that hears it.

    For loops. Standard logging takes longer to make its record than the journal to write one.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handler = None if _recorder is None else _recorder.log_handler
    if handler is not None and handler.is_all_that_hears(logger):
        handler.write(logger, logging.INFO, message, sys._getframe(1))  # noqa: SLF001 - the caller
    else:
        logger.info("%s", message, stacklevel=2)


def engine_call(
    call: str, *, engine: str, model: str, params: Mapping[str, Any] | None = None
) -> AbstractContextManager[RecordedSpan]:
    """Open the span of one call into an engine; see `Recorder.engine_call`."""
    recorder = _recorder
    if recorder is None:
        return INERT_SCOPE
    return recorder.engine_call(call, engine=engine, model=model, params=params)


def swallowed(what: str | BaseException, at: FrameType | None = None) -> None:
    """Write down an exception that an engine keeps to itself: for its callbacks and its results.

    Of a text, the exception is looked for: in hand, in this thread or another, then among those
    that the task has handled before. A text of which nothing is found is written as it is.

    Args:
        what: The exception, or a text of it.
        at: Who told the text; the caller of this where none is given.
    """
    recorder = _recorder
    if recorder is None:
        return
    if isinstance(what, BaseException):
        recorder.errors.handled(what, "callback")
    else:
        frame = sys._getframe(1) if at is None else at  # noqa: SLF001 - the line that was told
        recorder.errors.told(what, frame)


def watched(exc: Exception) -> None:
    """Write down an exception that nobody has spoken of, where every one is watched for."""
    if _recorder is not None:
        _recorder.errors.handled(exc, WATCHED)
