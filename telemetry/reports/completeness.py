"""What the record of an attempt holds and what it lacks, in numbers.

An incomplete record shows less than what happened: its last record is where the record ends, and
says nothing of where the failure is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from telemetry.reports.attempt import Attempt
from telemetry.reports.endings import Endings
from telemetry.reports.findings import CompletenessFound, GapFound
from telemetry.reports.reach import tail_missing
from telemetry.reports.sentences import counted
from telemetry.spans import CLOSED_BY_END


def completeness(
    attempt: Attempt,
    source: str,
    unknown: Sequence[str] = (),
    by_row: Mapping[str, Any] | None = None,
) -> CompletenessFound:
    """Count the attempt's spans, and the records that its processes are known to have lost.

    Args:
        attempt: The attempt.
        source: Where the record comes from, for people.
        unknown: What such a source cannot know, a sentence each.
        by_row: What the supervisor counted of the task process's record when it settled the
            task, as the row has it: the record may have lost something since.
    """
    spans, parts = attempt.spans, attempt.parts
    arrived = sum(span.closed_by == CLOSED_BY_END for span in spans)
    alive = any(part.alive and part.facts.role == "task" for part in parts)
    endings = Endings.of(attempt)
    ended = Counter(endings.how(span) for span in spans)
    gaps = [
        GapFound(process=part.facts.id, first=first, last=last)
        for part in parts
        for first, last in part.gaps
    ]
    lost = sum(gap.last - gap.first + 1 for gap in gaps)
    damaged = sum(part.damaged_bytes for part in parts)
    tails = [part.facts.id for part in parts if tail_missing(part)]
    # Those that a gap shows are among them.
    gone = max(0, _gone_since(attempt, by_row or {}) - lost)
    return CompletenessFound(
        source=source,
        begun=len(spans),
        arrived=arrived,
        cut_off=ended["cut off"],
        open=ended["open"],
        unended=ended["unknown"],
        lost=lost + gone,
        damaged_bytes=damaged,
        complete=bool(spans) and not (lost or damaged or tails or gone),
        says=_says(len(spans), arrived, lost, damaged, tails=tails, gone=gone, alive=alive),
        gaps=gaps,
        unknown=list(unknown),
    )


def nothing_to_record(source: str) -> CompletenessFound:
    """Return the completeness of the record of a task that no attempt was made at."""
    says = "it has not run: nothing was to be recorded"
    return msgspec.structs.replace(nothing_recorded(source), complete=True, says=says)


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


def _gone_since(attempt: Attempt, by_row: Mapping[str, Any]) -> int:
    """Return how many records of the task process were counted at the settle and are not there."""
    then = by_row.get("records")
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


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


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
    told = f"{counted(begun, 'span')} begun, {arrived:,} ended by their process"
    lacks = []
    if lost:
        lacks.append(f"{counted(lost, 'record')} {_are(lost)} missing")
    if damaged:
        lacks.append(f"{counted(damaged, 'byte')} {_are(damaged)} damaged")
    if gone:
        said = counted(gone, "record")
        lacks.append(f"{said} that {_were(gone)} there when it was settled {_are(gone)} missing")
    if tails:
        lacks.append("its tail is missing: it ends without the end of the task or the process")
    if lacks:
        return f"incomplete: {'; '.join(lacks)} ({told}); where it ends is not where the failure is"
    if alive and begun > arrived:
        return f"complete so far: {told}, the others are at work; no record is missing"
    if begun > arrived:
        return f"complete up to the death: {told}, the death cut off the others"
    return f"complete: {told}; no record is missing" if begun else "no span is recorded"
