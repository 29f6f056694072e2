"""What a journal remembers of an exception, so that it is recorded once."""

from dataclasses import dataclass
from typing import Final

from telemetry.recorder.capture import Place
from telemetry.recorder.exceptions import own_attributes
from telemetry.recorder.values import type_name
from telemetry.records import Error

_MARK: Final = "__loop26_mark__"


@dataclass(slots=True, kw_only=True)
class Mark:
    """What is remembered of an exception, on the exception itself: it is recorded once.

    It was first seen leaving the span `span_id`, at `place`; the journal is named because an
    exception object may outlive one. Of its frames there are snapshots here, never the frames.

    Attributes:
        error: What was last written of it as an error.
        taken: What was last taken down of it, be it as an error or as it left a span.
        raised_id: The event id that was given to it as it left a span, until it is an error.
        is_told: Whether it may leave spans without a word: it has been taken down on its way, or
            was left out there, or is an error.
    """

    journal: str
    trace_id: bytes | None
    span_id: bytes | None
    place: Place
    type: str
    expression: str = ""
    error: Error | None = None
    taken: Error | None = None
    raised_id: str = ""
    is_told: bool = False


def mark_of(exc: BaseException, journal: str) -> Mark | None:
    """Return what a journal remembers of an exception, None when it is new."""
    mark = own_attributes(exc).get(_MARK)
    return mark if type(mark) is Mark and mark.journal == journal else None


def new_mark(
    exc: BaseException,
    journal: str,
    trace_id: bytes | None,
    span_id: bytes | None,
    place: Place,
) -> Mark:
    """Remember an exception, on itself: for as long as it lives, and no longer."""
    mark = Mark(
        journal=journal,
        trace_id=trace_id,
        span_id=span_id,
        place=place,
        type=type_name(type(exc)),
    )
    own_attributes(exc)[_MARK] = mark
    return mark
