"""What the record of an attempt holds and what it lacks, in numbers.

An incomplete record shows less than what happened: its last record is where the record ends, and
says nothing of where the failure is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from telemetry.reports.attempt import Attempt
from telemetry.reports.findings import CompletenessFound, GapFound
from telemetry.reports.trace import ProcessPart
from telemetry.spans import CLOSED_BY_END


def completeness(
    attempt: Attempt,
    source: str,
    unknown: Sequence[str] = (),
    counted: Mapping[str, Any] | None = None,
) -> CompletenessFound:
    """Count the attempt's spans, and the records that its processes are known to have lost.

    Args:
        attempt: The attempt.
        source: Where the record comes from, for people.
        unknown: What such a source cannot know, a sentence each.
        counted: What the supervisor counted of the task process's record when it settled the
            task, as the row has it: the record may have lost something since.
    """
    spans, parts = attempt.spans, attempt.parts
    arrived = sum(span.closed_by == CLOSED_BY_END for span in spans)
    alive = any(part.alive and part.facts.role == "task" for part in parts)
    unended = len(spans) - arrived
    still_open = sum(span.end_ns is None for span in spans) if alive else 0
    gaps = [
        GapFound(process=part.facts.id, first=first, last=last)
        for part in parts
        for first, last in part.gaps
    ]
    lost = sum(gap.last - gap.first + 1 for gap in gaps)
    damaged = sum(part.damaged_bytes for part in parts)
    tails = [part.facts.id for part in parts if _tail_missing(part)]
    # Those that a gap shows are among them.
    gone = max(0, _gone_since(attempt, counted or {}) - lost)
    return CompletenessFound(
        source=source,
        begun=len(spans),
        arrived=arrived,
        cut_off=unended - still_open,
        open=still_open,
        lost=lost + gone,
        damaged_bytes=damaged,
        complete=bool(spans) and not (lost or damaged or tails or gone),
        says=_says(len(spans), arrived, lost, damaged, tails=tails, gone=gone, alive=alive),
        gaps=gaps,
        unknown=list(unknown),
    )


def nothing_recorded(source: str, unknown: Sequence[str] = ()) -> CompletenessFound:
    """Return the completeness of a record that is not there."""
    return CompletenessFound(
        source=source,
        begun=0,
        arrived=0,
        cut_off=0,
        open=0,
        lost=0,
        damaged_bytes=0,
        complete=False,
        says=f"nothing is recorded of this attempt in {source}",
        unknown=list(unknown),
    )


def _tail_missing(part: ProcessPart) -> bool:
    """Whether the record of a dead process ends without saying how: what came last is lost."""
    ended = part.end is not None or all(end is not None for _, end in part.tasks)
    return not part.alive and not ended


def _gone_since(attempt: Attempt, counted: Mapping[str, Any]) -> int:
    """Return how many records of the task process were counted at the settle and are not there."""
    then = counted.get("records")
    begin = attempt.begin
    if begin is None or not isinstance(then, int):
        return 0
    now = [
        read.records
        for part in attempt.parts
        if part.facts.role == "task"
        for read in part.read
        if (read.task_id, read.attempt) == (begin.task_id, begin.attempt)
    ]
    return max(0, then - sum(now)) if now else 0


def _says(
    begun: int,
    arrived: int,
    lost: int,
    damaged: int,
    *,
    tails: Sequence[str],
    gone: int,
    alive: bool,
) -> str:
    counted = f"{begun:,} spans begun, {arrived:,} ended by their process"
    lacks = []
    if lost:
        lacks.append(f"{lost:,} records are missing")
    if damaged:
        lacks.append(f"{damaged:,} bytes are damaged")
    if gone:
        lacks.append(f"{gone:,} records that were there when it was settled are missing")
    if tails:
        lacks.append("its tail is missing: it ends without the end of the task or the process")
    if lacks:
        return (
            f"incomplete: {'; '.join(lacks)} ({counted}); where it ends is not where the failure is"
        )
    if alive and begun > arrived:
        return f"complete so far: {counted}, the others are at work; no record is missing"
    if begun > arrived:
        return f"complete up to the death: {counted}, the death cut off the others"
    return f"complete: {counted}; no record is missing" if begun else "no span is recorded"
