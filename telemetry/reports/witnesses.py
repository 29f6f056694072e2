"""Whether those that must have recorded an attempt have: first of all the process that ran it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from telemetry.reports.attempt import Attempt
from telemetry.reports.findings import CompletenessFound, GapFound
from telemetry.reports.sentences import counted
from telemetry.reports.trace import ProcessPart, TraceModel


def witnessed(
    found: CompletenessFound,
    attempt: Attempt,
    model: TraceModel,
    by_row: Mapping[str, Any] | None = None,
) -> CompletenessFound:
    """Return what a record lacks, also where the task process's own begin of the attempt is lost.

    Its supervisor's record alone is whole in itself, and has nothing of what the task did. Where
    spans of the attempt are there without its begin, what their process lost is counted: by the
    numbers of its records, and by how many there were when it was settled, as the row has it.
    """
    if any(part.facts.role == "task" for part in attempt.parts):
        return found
    unnamed = list(_unnamed(attempt, model))
    gaps = [
        GapFound(process=part.facts.id, first=first, last=last)
        for part in unnamed
        for first, last in part.gaps
    ]
    missing = sum(gap.last - gap.first + 1 for gap in gaps)
    missing = max(missing, _gone(unnamed, attempt.task_id, (by_row or {}).get("records")))
    damaged = sum(part.damaged_bytes for part in unnamed)
    lacks = (
        "the task process's begin of this attempt is not in it"
        if unnamed
        else "nothing of the process that ran the task is in it"
    )
    lacks += f"; {counted(missing, 'record')} missing" if missing else ""
    lacks += f"; {counted(damaged, 'byte')} damaged" if damaged else ""
    return msgspec.structs.replace(
        found,
        lost=found.lost + missing,
        damaged_bytes=found.damaged_bytes + damaged,
        complete=False,
        says=f"incomplete: {lacks} ({found.begun:,} spans begun, {found.arrived:,} ended by their "
        "process); where it ends is not where the failure is",
        gaps=[*found.gaps, *gaps],
    )


def _gone(parts: Sequence[ProcessPart], task_id: str, then: Any) -> int:
    """Return how many records were counted when the task was settled and were not read."""
    now = [read for part in parts for read in part.read if read.task_id == task_id]
    newest = max((read.attempt for read in now), default=0)
    read = sum(read.records for read in now if read.attempt == newest)
    return max(0, then - read) if now and type(then) is int else 0


def _unnamed(attempt: Attempt, model: TraceModel) -> Iterator[ProcessPart]:
    """Yield the task processes that have something of the attempt and no begin of it."""
    ours = {span.span_id for span in attempt.spans}
    named = {part.facts.id for part in attempt.parts}
    for part in model.processes:
        has_spans = any(span.span_id in ours for span in part.spans)
        is_indexed = any(read.task_id == attempt.task_id for read in part.read)
        if part.facts.id not in named and (has_spans or is_indexed):
            yield part
