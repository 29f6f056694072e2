"""What verdicts are computed from: one failure, and all that is recorded around it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from telemetry import names
from telemetry.records import Error, Frame, Status
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import QueueEvent
from telemetry.reports.endings import Endings
from telemetry.reports.findings import (
    CompletenessFound,
    DefaultsFound,
    FailureFound,
    FrameFound,
    ReplayFound,
    Verdict,
)
from telemetry.reports.headway import LoopFound, StageFound
from telemetry.spans import Span

RULED_OUT: Final = "ruled out"
CONFIRMED: Final = "confirmed"
OPEN: Final = "not decidable"
Said = tuple[Verdict, str]  # a verdict, and by which fact

_RAISED: Final = ("exception", "refused")
TEXT_ALONE: Final = "Reported"  # the type of an error of which an engine passed on a text
# Nobody saw these ends, so what the process did then is not known, nor when it was.
_UNSEEN: Final = ("lost", "WorkerLost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the verdicts are computed from; `attempt` and `error` are None where nothing is there.

    Attributes:
        error: The record of the failure; of a failure that the row alone knows, None.
        position: Of the loop, as the error itself has it: no loss of other records changes it.
        fell_with: The task that this one fell with by its row, where that failed in the same way.
    """

    failure: FailureFound
    attempt: Attempt | None
    error: Error | None
    loop: LoopFound
    stages: Sequence[StageFound]
    defaults: DefaultsFound
    completeness: CompletenessFound
    events: Sequence[QueueEvent]
    replayed: ReplayFound | None
    position: tuple[int, int]
    fell_with: str = ""

    @property
    def was_raised(self) -> bool:
        """Whether the failure is an exception, and no death or hang."""
        return self.failure.kind in _RAISED

    @property
    def was_seen_dying(self) -> bool:
        """Whether it is a death that somebody saw."""
        return self.failure.kind == "death" and self.failure.type not in _UNSEEN

    @property
    def loop_is_over(self) -> bool:
        """Whether every iteration is known to have ended well."""
        return 0 < self.loop.total == self.loop.completed

    @property
    def behind(self) -> Error | None:
        """The error that was handled before and is behind this one, where the record has it."""
        named = self.failure.caused_by.get("event_id")
        parts = self.attempt.parts if self.attempt and named else []
        found = (error for part in parts for error in part.errors if error.event_id == named)
        return next(found, None)

    @property
    def frames(self) -> Sequence[FrameFound | Frame]:
        """The frames of the failure and of all that is behind it."""
        chain = [frame for one in self.failure.chain for frame in one.frames]
        return chain or self.failure.frames

    @property
    def left_out(self) -> int:
        """How many frames of a very deep stack were not taken down; 1 where that is not told."""
        told = [one.context.get("frames_left_out") for one in (self.error, self.behind) if one]
        return sum(count for count in told if isinstance(count, int))

    @property
    def place(self) -> list[FrameFound]:
        """The one frame that is known where no stack is: the failure's own place."""
        place = self.failure.location
        if self.frames or not place.file:
            return []
        return [FrameFound(file=place.file, line=place.line, function=place.function, locals={})]

    @property
    def knows_what_was_raised(self) -> bool:
        """Whether the failure is an exception of which all is known that it was raised from.

        The row keeps its type alone, and an engine may have passed on a text alone.
        """
        return self.was_raised and bool(self.failure.chain) and self.text_alone is None

    @property
    def text_alone(self) -> str | None:
        """What an engine passed on of an exception that nothing else is known of; None if none."""
        return next((said for kind, said in self.raised if kind == TEXT_ALONE), None)

    @property
    def raised(self) -> list[tuple[str, str]]:
        """Type and message of every exception that is known of: the failure, and those behind."""
        return list(self._raised())

    @property
    def open_iteration_ms(self) -> float | None:
        """How old the iteration was that the process died in, where the record shows it."""
        if self.attempt is None or not self.completeness.complete:
            return None
        endings = Endings.of(self.attempt)
        cut = [span for span in self.attempt.iterations if endings.how(span) == "cut off"]
        return (cut[-1].duration_ns or 0) / 1e6 if cut else None

    @property
    def failed_iteration(self) -> Span | None:
        """The iteration that the exception was raised in, where the record has its end."""
        spans = self.attempt.iterations if self.attempt and self.was_raised else []
        failed = [span for span in spans if span.status == Status.ERROR]
        ended = [span for span in failed if span.duration_ns is not None]
        return ended[-1] if ended and ended[-1] is spans[-1] else None

    @property
    def failed_iteration_ms(self) -> float:
        """How long that iteration took; 0 where it is not known."""
        span = self.failed_iteration
        return (span.duration_ns or 0) / 1e6 if span else 0.0

    @property
    def failed_iteration_name(self) -> str:
        """Which iteration that was, by its number and its key."""
        told = self.failed_iteration.attributes if self.failed_iteration else {}
        return f"{told.get(names.LOOP_INDEX, '?')} ({told.get(names.PARAM_KEY, '?')})"

    def for_want_of(self, what: str) -> str:
        """Say why the record does not decide: what it does not have."""
        if self.attempt is None or not self.completeness.begun:
            return f"nothing is recorded of this attempt, and so not {what}"
        if not self.completeness.complete:
            return f"the record is incomplete: it does not have {what}"
        return f"the record does not have {what}"

    def _raised(self) -> Iterator[tuple[str, str]]:
        if self.was_raised:
            yield self.failure.type, self.failure.message
            yield from ((one.type, one.message) for one in self.failure.chain)
        cause = self.failure.caused_by
        if isinstance(kind := cause.get("type"), str):
            yield kind, str(cause.get("message", ""))
        if self.behind:
            yield from ((one.type, one.message) for one in self.behind.chain)


def place(frame: FrameFound | Frame) -> str:
    """Write where a frame stands."""
    return f"{frame.file}:{frame.line} in {frame.function}"


def package(frame: FrameFound | Frame) -> set[str]:
    """Return the names of the package that a frame is of; by its file where no module is known."""
    if frame.module:
        return {frame.module.partition(".")[0]}
    path = PurePath(frame.file)
    return {path.parent.name, path.stem}
