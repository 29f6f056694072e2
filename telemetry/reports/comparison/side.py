"""One of two tasks that are compared: what is found of it, and where it failed."""

from dataclasses import dataclass
from typing import Final

import msgspec

from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.comparison.course import course, ended_by_failure, raised_ns
from telemetry.reports.comparison.divergence import Track
from telemetry.reports.comparison.value import CrashPoint, SideFound
from telemetry.reports.endings import Endings
from telemetry.reports.findings import FailureFound, Investigation
from telemetry.reports.investigate import investigate
from telemetry.reports.moments import MomentFound, TimelineFound
from telemetry.reports.progress import moment
from telemetry.reports.sentences import counted
from telemetry.reports.wording import duration, one_line

_BEFORE: Final = 8  # records around a failure that are told
_AFTER: Final = 4
OVER: Final = ("Complete", "Failed", "Cancelled")  # statuses that stay
_DEATHS: Final = ("death", "hang")
_TASK_PROCESS: Final = "task"
_TOLD: Final = ("begin", "end", "log", "handled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A task and all that is known of it.

    Attributes:
        attempt: None where nothing is recorded.
        found: Its investigation.
    """

    case: Case
    attempt: Attempt | None
    found: Investigation

    @property
    def row(self) -> TaskRow:
        """The task's row."""
        return self.case.task

    @property
    def whole(self) -> bool:
        """Whether its record has no holes: then what is not in it did not happen."""
        return self.attempt is not None and self.found.completeness.complete

    @property
    def over(self) -> bool:
        """Whether its attempt is over."""
        return self.row.status in OVER or self.found.failure is not None

    @property
    def track(self) -> Track:
        """Its course, to be walked."""
        told = course(self.attempt, self.found.failure, self.row) if self.attempt else []
        return Track(course=told, whole=self.whole, over=self.over)


def compared(case: Case) -> Compared:
    """Look at one task."""
    attempt = Attempt.of(case.model, case.task)
    return Compared(case=case, attempt=attempt, found=investigate(case))


def side(view: Compared) -> SideFound:
    """Return what a comparison tells of one task by itself."""
    found = view.found
    return SideFound(
        task=found.task,
        asked=found.asked,
        says=found.says,
        recorded=view.attempt is not None,
        crash=crash_point(view),
        loop=found.loop,
        steps=found.steps,
        completeness=found.completeness,
        timeline=_timeline(view),
    )


def crash_point(view: Compared) -> CrashPoint | None:
    """Return where a task failed and what came before it; None for one that did not."""
    failure = view.found.failure
    if failure is None:
        return None
    error = view.attempt.error if view.attempt else None
    at_ns = raised_ns(view.attempt) if view.attempt else None
    # Times of the record count from the error's; it may be written later than it was raised.
    late_ms = (error.at_ns - at_ns) / 1e6 if error is not None and at_ns is not None else 0.0
    around = view.found.timeline.around if error is not None else []
    last = _last(view, around, late_ms)
    since_ms = None if last is None else -late_ms - last.offset_ms
    return CrashPoint(
        failure=failure,
        raised=failure.at if at_ns is None else moment(at_ns),
        last=last,
        since_ms=since_ms,
        pattern=_pattern(view, failure, last, since_ms),
        around=_near(around),
    )


def _timeline(view: Compared) -> TimelineFound:
    """Return the timeline, its failure at the moment that it was raised, not that it was told."""
    drawn = view.found.timeline
    at_ns = raised_ns(view.attempt) if view.attempt and view.found.failure else None
    if view.attempt is None or not view.attempt.spans or at_ns is None:
        return drawn
    failed_ms = (at_ns - view.attempt.spans[0].start_ns) / 1e6
    return msgspec.structs.replace(drawn, failed_ms=failed_ms)


def _near(around: list[MomentFound]) -> list[MomentFound]:
    before = [one for one in around if one.offset_ms < 0 or one.kind == "failure"]
    after = [one for one in around if one.offset_ms >= 0 and one.kind != "failure"]
    return [*before[-_BEFORE:], *after[:_AFTER]]


def _last(view: Compared, around: list[MomentFound], late_ms: float) -> MomentFound | None:
    """Return the last record before the failure which is not of the failure itself."""
    ends: set[str] = set()
    if view.attempt is not None:
        endings = Endings.of(view.attempt)
        told = (endings.end_ns(span) for span in ended_by_failure(view.attempt).values())
        ends = {moment(end_ns) for end_ns in told if end_ns is not None}
    before = [
        one
        for one in around
        if one.kind in _TOLD
        and one.offset_ms <= -late_ms
        and not (one.kind == "end" and one.at in ends)
    ]
    return before[-1] if before else None


def _pattern(
    view: Compared, failure: FailureFound, last: MomentFound | None, since_ms: float | None
) -> str:
    record = view.found.completeness
    if last is None or since_ms is None:
        return f"not known: {_not_recorded(view)}"
    what = "it ended" if failure.kind in _DEATHS else f"{one_line(failure.type, 80)} was raised"
    if failure.kind == "hang":
        what = "it was stopped"
    said = f"{what} {duration(max(0.0, since_ms))} after {_happened(last)}"
    if record.complete:
        return said
    missing = f"{counted(record.lost, 'record')} missing" if record.lost else "its tail is missing"
    return f"{said}, the last record that arrived; the record is incomplete ({missing})"


def _not_recorded(view: Compared) -> str:
    """Say what the record has, where it has not the failure."""
    around = view.found.timeline.around
    ends = [one for one in around if one.kind in _TOLD and one.process == _TASK_PROCESS]
    if view.attempt is None or not ends or view.attempt.error is not None:
        return "the record has nothing before the failure"
    return (
        "of the failure the row alone tells; the last that arrived of the task process: "
        f"{_happened(ends[-1])}; that is where the record ends, not where it failed"
    )


def _happened(last: MomentFound) -> str:
    text = one_line(last.text, 160)
    match last.kind:
        case "begin":
            return f"{text} began"
        case "end":
            return f"{text.partition(': ok after')[0]} ended"
        case "log":
            return f"the log record '{text}'"
    return f"it handled {text}"
