"""Which handler does which type of task."""

from worker.errors import UnknownTaskType
from worker.handlers.base import Handler
from worker.handlers.generate import Generate
from worker.handlers.travel_orchestrator import TravelOrchestrator
from worker.handlers.travel_segment import TravelSegment
from worker.handlers.travel_stitch import TravelStitch
from worker.handlers.validation import validate

__all__ = ["HANDLERS", "handler_for", "validate"]

HANDLERS: tuple[Handler, ...] = (
    Generate(),
    TravelOrchestrator(),
    TravelSegment(),
    TravelStitch(),
)


def handler_for(task_type: str) -> Handler:
    """Return the handler of a type. Raises `UnknownTaskType`, naming those there are."""
    for handler in HANDLERS:
        if task_type in handler.task_types:
            return handler
    known = [name for handler in HANDLERS for name in handler.task_types]
    raise UnknownTaskType(task_type, known)
