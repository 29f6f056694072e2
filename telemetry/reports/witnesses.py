"""Whether those that must have recorded an attempt have: first of all the process that ran it."""

from collections.abc import Iterator

import msgspec

from telemetry.reports.attempt import Attempt
from telemetry.reports.findings import CompletenessFound, GapFound
from telemetry.reports.trace import ProcessPart, TraceModel


def witnessed(found: CompletenessFound, attempt: Attempt, model: TraceModel) -> CompletenessFound:
    """Return what a record lacks, also where the task process's own begin of the attempt is lost.

    Its supervisor's record alone is whole in itself, and has nothing of what the task did. Where
    spans of the attempt are there without its begin, what their process lost is counted.
    """
    if any(part.facts.role == "task" for part in attempt.parts):
        return found
    unnamed = list(_unnamed(attempt, model))
    gaps = [
        GapFound(process=part.facts.id, first=first, last=last)
        for part in unnamed
        for first, last in part.gaps
    ]
    lacks = (
        "the task process's begin of this attempt is not in it"
        if unnamed
        else "nothing of the process that ran the task is in it"
    )
    return msgspec.structs.replace(
        found,
        lost=found.lost + sum(gap.last - gap.first + 1 for gap in gaps),
        damaged_bytes=found.damaged_bytes + sum(part.damaged_bytes for part in unnamed),
        complete=False,
        says=f"incomplete: {lacks} ({found.begun:,} spans begun, {found.arrived:,} ended by their "
        "process); where it ends is not where the failure is",
        gaps=[*found.gaps, *gaps],
    )


def _unnamed(attempt: Attempt, model: TraceModel) -> Iterator[ProcessPart]:
    """Yield the processes that have spans of the attempt and no begin of it."""
    ours = {span.span_id for span in attempt.spans}
    named = {part.facts.id for part in attempt.parts}
    for part in model.processes:
        if part.facts.id not in named and any(span.span_id in ours for span in part.spans):
            yield part
