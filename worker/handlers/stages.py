"""The stages of a task: each is a span, a word to the observer, and a place to stop."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import telemetry
from worker.handlers.base import Context

T = TypeVar("T")


def stage(context: Context, name: str) -> AbstractContextManager[telemetry.RecordedSpan]:
    """Return the span of a stage, one of `telemetry.names.STAGES`, unless the task is cancelled.

    Returned and not entered here: the line that the span is opened at is its caller's.
    """
    context.observer.check_cancelled()
    context.observer.stage(name)
    return telemetry.stage(name)


def each(context: Context, items: Iterable[T]) -> Iterator[T]:
    """Yield the items; between two of them the task tells that it goes on, or stops."""
    for item in items:
        context.observer.check_cancelled()
        yield item
