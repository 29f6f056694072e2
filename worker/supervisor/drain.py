"""Draining: a task's record is read to its end before the task is settled."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telemetry import names
from telemetry.errors import JournalTooNew
from telemetry.journal import JournalReader, read_index
from telemetry.records import Kind
from worker.task import Task

_NOTHING = {"spans": 0, "records": 0, "lost": 0, "complete": False}
_ENDS = (Kind.TASK_END, Kind.PROCESS_END)
_log = logging.getLogger(__name__)
_COUNTED = {names.LOOP_ITERATION: "iterations", names.DENOISE_STEP: "steps"}


def drained(journal: Path, task: Task) -> dict[str, Any]:
    """Read what a task process recorded of an attempt; say what is there and what is missing.

    Returns counts: `spans` begun, `iterations` and `steps` among them, `records` read, `lost` that
    are known to be missing between them, and whether the record is `complete`, that is, ends with
    the attempt's own end or its process's, and has no hole. Of a dead process it is read when its
    journal has been closed: then it is known whether the last record was torn.

    Args:
        journal: The task process's.
        task: The task as it was claimed for the attempt.
    """
    try:
        return _drained(journal, str(task.id), task.attempts)
    except (OSError, JournalTooNew) as trouble:
        _log.warning("the record in %s cannot be read: %s", journal.name, trouble)
        return _NOTHING


def _drained(journal: Path, task_id: str, attempt: int) -> dict[str, Any]:
    entry = next(
        (
            entry
            for entry in reversed(read_index(journal))
            if entry.task_id == task_id and entry.attempt == attempt
        ),
        None,
    )
    if entry is None:
        return _NOTHING
    reader = JournalReader(journal)
    counts: Counter[str] = Counter(spans=0, iterations=0, steps=0, records=0)
    ended = False
    for record in reader.read(start=entry.first, stop=entry.last):
        counts["records"] += 1
        if record.kind is Kind.SPAN_BEGIN:
            counts["spans"] += 1
            counts[_COUNTED.get(record.body.name, "others")] += 1
        ended = ended or record.kind in _ENDS
    del counts["others"]
    # A record torn by a death leaves bytes and no gap: its number is given to the next.
    lost = sum(last - first + 1 for first, last in reader.gaps) or int(reader.damaged_bytes > 0)
    return {**counts, "lost": lost, "complete": ended and not lost}


def record_attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a `process` span says of its record; nothing where there was none."""
    said = {
        names.RECORD_SPANS: record.get("spans"),
        names.RECORD_RECORDS: record.get("records"),
        names.RECORD_LOST: record.get("lost"),
        names.RECORD_COMPLETE: record.get("complete"),
    }
    return {name: value for name, value in said.items() if value is not None}
