"""The record of an attempt out of its black box, where the journals have lost some or all of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias
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
from worker.store.base import Event
from worker.store.rows import text_of
from worker.task import TaskStatus

_NOTHING: Final = (False, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was found of an attempt's black box.

    Attributes:
        box: None where there is none that says more than the journals.
        where: Where it lies, for people: "the black box <path>".
        lacks: What was cut out of it, or why it is not to be had, a sentence each.
    """

    box: Case | None = None
    where: str = ""
    lacks: list[str] = field(default_factory=list)


NOTHING_KEPT: Final = Kept()
# Asks for the black box of a row's attempt elsewhere; the history names the attempt's claim.
Fetch: TypeAlias = Callable[[TaskRow, Sequence[Event]], Kept]


def kept_record(
    settings: Settings,
    row: TaskRow,
    history: Sequence[Event],
    model: TraceModel | None,
    fetch: Fetch | None = None,
) -> Kept:
    """Return the black box of the row's attempt, if its record is more complete than the journals'.

    Where that is complete, nothing is read; where there is any of it, and for a task that has not
    failed, nothing is fetched. A black box of this home that cannot be read counts as none.
    """
    there = _extent(model, row)
    if there[0]:
        return NOTHING_KEPT
    path = black_box_of(settings.outputs_dir, UUID(row.id))
    try:
        box = blackbox.read(path)
    except TelemetryError:
        box = None
    if box is not None and is_of(row, box) and _extent(box.model, row) > there:
        return Kept(box=box, where=f"the black box {path}", lacks=lacks(box))
    if fetch is None or there != _NOTHING or row.status != TaskStatus.FAILED.value:
        return NOTHING_KEPT
    return fetch(row, history)


def is_of(row: TaskRow, box: Case) -> bool:
    """Whether a black box is of the attempt that a row tells of."""
    return (box.task.id, box.task.attempt) == (row.id, row.attempt)


def claim_of(history: Sequence[Event]) -> str:
    """Return what was drawn at random for a task's newest claim; "" where there is none.

    It stands in the history alone: token and span are on the row too, which applications watch.
    """
    claims = [event for event in history if event.name == "claimed"]
    return text_of(claims[-1].data.get("drawn")) if claims else ""


def has_record(case: Case) -> bool:
    """Whether anything is recorded of the attempt that a case tells of."""
    return _extent(case.model, case.task) != _NOTHING


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
