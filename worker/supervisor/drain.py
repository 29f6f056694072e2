"""Draining: a task's record is read to its end before the task is settled."""

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from telemetry import names
from telemetry.journal import JournalReader, read_index
from telemetry.records import Kind

_COUNTED = {names.LOOP_ITERATION: "iterations", names.DENOISE_STEP: "steps"}


def drained(journal: Path, task_id: UUID, attempt: int) -> dict[str, Any]:
    """Read what the task process recorded of one attempt; say what is there and what is missing.

    Returns counts: `spans` begun, `iterations` and `steps` among them, `records` read, `lost`
    sequence numbers that are missing between them, and whether the record is `complete`, that is,
    ends with the attempt's own end and has no hole.
    """
    entry = next(
        (
            entry
            for entry in reversed(read_index(journal))
            if entry.task_id == str(task_id) and entry.attempt == attempt
        ),
        None,
    )
    if entry is None:
        return {"spans": 0, "records": 0, "lost": 0, "complete": False}
    reader = JournalReader(journal)
    counts: Counter[str] = Counter(spans=0, iterations=0, steps=0, records=0)
    ended = False
    for record in reader.read(start=entry.first, stop=entry.last):
        counts["records"] += 1
        if record.kind is Kind.SPAN_BEGIN:
            counts["spans"] += 1
            counts[_COUNTED.get(record.body.name, "others")] += 1
        ended = ended or record.kind is Kind.TASK_END
    del counts["others"]
    lost = sum(last - first + 1 for first, last in reader.gaps)
    return {**counts, "lost": lost, "complete": ended and not lost}
