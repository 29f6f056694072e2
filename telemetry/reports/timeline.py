"""An attempt in time: the picture of its spans, and every record around the moment it failed."""

import heapq
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from telemetry import names
from telemetry.records import Error
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import QueueEvent
from telemetry.reports.endings import Endings
from telemetry.reports.findings import FailureFound
from telemetry.reports.moments import BarFound, MomentFound, SampleFound, TimelineFound
from telemetry.reports.progress import moment
from telemetry.reports.reach import Reach
from telemetry.reports.trace import ProcessPart
from telemetry.reports.wording import duration, one_line
from telemetry.spans import Span

_BEFORE: Final = 32  # records around the failure that are told
_AFTER: Final = 16
_LONGEST: Final = 500  # characters of one
_KINDS: Final = {
    names.LOOP_ITERATION: "iteration",
    names.DENOISE_STEP: "step",
}
_PREFIXES: Final = {
    names.process(""): "process",
    names.stage(""): "stage",
    names.engine(""): "engine",
    "receive ": "queue",
    "settle ": "queue",
    "send ": "queue",
}
_LABELS: Final = (
    names.PARAM_KEY,
    names.ENGINE_MODEL,
    names.STEP_PHASE,
    names.TASK_ID,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# When it was, which of the same instant it was, what it is, what it says, and who said it.
_Told = tuple[int, int, str, str, str]


def timeline(
    attempt: Attempt,
    error: Error | None,
    events: Iterable[QueueEvent] = (),
    failure: FailureFound | None = None,
) -> TimelineFound:
    """Return the attempt's spans as bars, memory by step, and what is around its failure.

    Args:
        attempt: The attempt; one without any span has an empty timeline.
        error: What it failed with, where it did and that is recorded.
        events: The task's history in the queue.
        failure: What is found of its failure: where no error is recorded, by the queue's row.
    """
    spans = attempt.spans
    if not spans:
        return empty()
    endings = Endings.of(attempt)
    reach = Reach(attempt, endings)
    start_ns = spans[0].start_ns
    by_row = failure if error is None else None
    failed_ns = error.at_ns if error else _row_ns(by_row, start_ns)
    last_ns = max(failed_ns or start_ns, *(reach.seen_ns(span) for span in spans))
    middle_ns = last_ns if failed_ns is None else failed_ns
    told = [*_moments(attempt, error, events, endings)]
    if by_row is not None and failed_ns is not None:
        told.append((failed_ns, 2, "failure", _of_row(by_row), ""))
    ends_ns = reach.record_ends_ns
    return TimelineFound(
        began=moment(start_ns),
        length_ms=(last_ns - start_ns) / 1e6,
        failed_ms=None if failed_ns is None else (failed_ns - start_ns) / 1e6,
        bars=_bars(spans, start_ns, endings, reach),
        memory_bytes=_memory(spans, start_ns, endings),
        around=_around(told, middle_ns),
        failed_by="" if failed_ns is None else "record" if error else "row",
        record_ends_ms=None if ends_ns is None else (ends_ns - start_ns) / 1e6,
    )


def empty() -> TimelineFound:
    """Return the timeline of an attempt of which nothing is recorded."""
    return TimelineFound(
        began="", length_ms=0.0, failed_ms=None, bars=[], memory_bytes=[], around=[]
    )


def _bars(spans: list[Span], start_ns: int, endings: Endings, reach: Reach) -> list[BarFound]:
    depths: dict[bytes, int] = {}
    bars = []
    for span in spans:
        depth = depths.get(span.parent_id or b"", -1) + 1
        depths[span.span_id] = depth
        bars.append(
            BarFound(
                name=span.name,
                kind=_kind(span),
                label=_label(span),
                start_ms=(span.start_ns - start_ns) / 1e6,
                end_ms=(reach.seen_ns(span) - start_ns) / 1e6,
                depth=depth,
                ended=endings.how(span),
            )
        )
    return bars


def _kind(span: Span) -> str:
    if kind := _KINDS.get(span.name):
        return kind
    return next(
        (kind for prefix, kind in _PREFIXES.items() if span.name.startswith(prefix)), "other"
    )


def _label(span: Span) -> str:
    parts = []
    index, count = (span.attributes.get(name) for name in _position(span))
    if index is not None:
        parts.append(f"{index} of {count}")
    parts += [str(span.attributes[name]) for name in _LABELS if span.attributes.get(name)]
    return one_line(", ".join(parts), _LONGEST)


def _position(span: Span) -> tuple[str, str]:
    if span.name == names.DENOISE_STEP:
        return names.STEP_INDEX, names.STEP_COUNT
    return names.LOOP_INDEX, names.LOOP_COUNT


def _memory(spans: list[Span], start_ns: int, endings: Endings) -> list[SampleFound]:
    samples = []
    for span in spans:
        value = span.attributes.get(names.STEP_MEMORY_BYTES)
        end_ns = endings.end_ns(span)
        if end_ns is None or not isinstance(value, int | float):
            continue
        if math.isfinite(value):
            at_ms = (end_ns - start_ns) / 1e6
            samples.append(SampleFound(at_ms=at_ms, value=float(value)))
    return samples


def _row_ns(failure: FailureFound | None, start_ns: int) -> int | None:
    """Return when a task failed as its row has it; None where that is no time after its start."""
    try:
        at = datetime.fromisoformat(failure.at if failure else "")
        since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        return None
    at_ns = since // timedelta(microseconds=1) * 1000
    return at_ns if at_ns >= start_ns else None


def _of_row(failure: FailureFound) -> str:
    said = (
        ": ".join(filter(None, (failure.type, failure.message))) or failure.sentence or "it failed"
    )
    return f"{said}, as the queue's row has it"


def _around(moments: Iterable[_Told], middle_ns: int) -> list[MomentFound]:
    told = sorted(moments)
    before = [one for one in told if one[0] <= middle_ns][-_BEFORE:]
    after = heapq.nsmallest(_AFTER, (one for one in told if one[0] > middle_ns))
    return [
        MomentFound(
            at=moment(at_ns),
            offset_ms=(at_ns - middle_ns) / 1e6,
            kind=kind,
            text=one_line(text, _LONGEST),
            process=process,
        )
        for at_ns, _, kind, text, process in [*before, *after]
    ]


def _moments(
    attempt: Attempt, error: Error | None, events: Iterable[QueueEvent], endings: Endings
) -> Iterator[_Told]:
    for part in attempt.parts:
        yield from _of_part(attempt, part, error, endings)
    if error is not None:
        where = f" ({error.where})" if error.file else ""
        text = f"{error.type}: {error.message}{where}"
        yield error.at_ns, 2, "failure", text, ""
    for event in events:
        yield event.at_ns, 3, "queue", _of_event(event), ""


def _of_part(
    attempt: Attempt, part: ProcessPart, error: Error | None, endings: Endings
) -> Iterator[_Told]:
    role = part.facts.role
    ours = {span.span_id for span in attempt.spans}
    for span in part.spans:
        if span.span_id in ours:
            yield from _of_span(span, role, endings)
    for log in part.logs:
        if log.span_id in ours:
            yield log.at_ns, 1, "log", f"{log.logger}: {log.message}", role
    for found in part.errors:
        is_another = error is None or found.event_id != error.event_id
        if is_another and found.task_id in ("", attempt.task_id):
            kind = "handled" if found.handled else "failure"
            yield found.at_ns, 2, kind, f"{found.type}: {found.message}", role


def _of_span(span: Span, role: str, endings: Endings) -> Iterator[_Told]:
    label = _label(span)
    named = f"{span.name} ({label})" if label else span.name
    yield span.start_ns, 0, "begin", named, role
    if (end_ns := endings.end_ns(span)) is not None:
        took = duration((end_ns - span.start_ns) / 1e6)
        yield end_ns, 3, "end", f"{named}: {endings.how(span)} after {took}", role


def _of_event(event: QueueEvent) -> str:
    said = [
        f"{name} {event.data[name]}"
        for name in ("worker_id", "attempt", "status", "reason", "call")
        if event.data.get(name) not in (None, "")
    ]
    return f"{event.name} {', '.join(said)}".rstrip()
