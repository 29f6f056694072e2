"""The record of an attempt out of its black box, where the journals have lost some or all of it."""

from typing import Final
from uuid import UUID

from telemetry.errors import TelemetryError
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.completeness import completeness
from telemetry.reports.sources import blackbox
from telemetry.reports.trace import TraceModel
from telemetry.reports.witnesses import witnessed
from worker.output.storage import black_box_of
from worker.settings import Settings

_NOTHING: Final = (False, 0, 0)


def kept_record(settings: Settings, row: TaskRow, model: TraceModel | None) -> Case | None:
    """Return the black box of the row's attempt, if its record is more complete than the journals'.

    Where that is complete, nothing is read. A black box that cannot be read counts as none.
    """
    there = _extent(model, row)
    if there[0]:
        return None
    try:
        box = blackbox.read(black_box_of(settings.outputs_dir, UUID(row.id)))
    except TelemetryError:
        return None
    is_of_attempt = (box.task.id, box.task.attempt) == (row.id, row.attempt)
    return box if is_of_attempt and _extent(box.model, row) > there else None


def lacks(box: Case) -> list[str]:
    """Return what was cut out of a black box, a sentence each."""
    return [sentence for sentence in box.unknown if sentence not in blackbox.UNKNOWN]


def _extent(model: TraceModel | None, row: TaskRow) -> tuple[bool, int, int]:
    """Return whether a record of an attempt is complete, and how many spans begin and end in it."""
    attempt = Attempt.of(model, row)
    if attempt is None or model is None:
        return _NOTHING
    counted = row.error.get("record")
    found = completeness(attempt, "", (), counted if isinstance(counted, dict) else None)
    found = witnessed(found, attempt, model)
    return found.complete, found.begun, found.arrived
