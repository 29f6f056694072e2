"""The stages of a task: each is a span, a word to the observer, and a place to stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import telemetry
from worker.handlers.base import Context

if TYPE_CHECKING:
    from telemetry import RecordedSpan


@contextmanager
def stage(context: Context, name: str) -> Iterator["RecordedSpan"]:
    """Enter a stage, one of `telemetry.names.STAGES`, unless the task has been cancelled."""
    context.observer.check_cancelled()
    with telemetry.stage(name) as span:
        context.observer.stage(name)
        yield span
