"""The other tasks of a journey: what their ends have to do with the failure."""

from typing import Final

from telemetry.cascade import root_of
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.company import RelativeFound
from telemetry.reports.findings import FailureFound

BY_ITSELF: Final = "failed by itself"
SAME: Final = "the same failure"
OTHERWISE: Final = "in another way"
_UNKNOWN: Final = "how is not in the record"
_ENDED_BADLY: Final = ("Failed", "Cancelled")


def relatives_of(case: Case, found: FailureFound | None) -> list[RelativeFound]:
    """Say of each relative whether it ended because of the failure, or by itself in this way."""
    fingerprint = found.fingerprint if found else ""
    return [_relative(row, case, fingerprint) for row in case.relatives]


def fell_with(case: Case, fingerprint: str) -> tuple[str, str]:
    """Return the task that the case's own fell with by its row, and how that failed beside this.

    "" twice where it fell with none; the second also where it is not known of both.
    """
    root = root_of(case.task.error, case.task.error_message)
    row = next((one for one in case.relatives if one.id == root), None)
    if row is None:
        return root, ""
    theirs = case.failed_too.get(root) or str(row.error.get("fingerprint", ""))
    return root, _how(theirs, fingerprint)


def _how(theirs: str, fingerprint: str) -> str:
    if not (theirs and fingerprint):
        return ""
    return SAME if theirs == fingerprint else OTHERWISE


def _relative(row: TaskRow, case: Case, fingerprint: str) -> RelativeFound:
    by_itself = row.id in case.failed_too
    felled = not by_itself and _is_felled(row, case.task)
    if felled:
        because = f"{row.status.lower()} because of {case.task.id}"
    elif by_itself:
        root = root_of(row.error, row.error_message)
        how = _how(case.failed_too[row.id], fingerprint) or _UNKNOWN
        because = f"{BY_ITSELF} too, {how}; its row names {root} alone"
    else:
        because = _because(row, fingerprint)
    return RelativeFound(
        id=row.id, type=row.type, status=row.status, because=because, felled=felled
    )


def _is_felled(row: TaskRow, task: TaskRow) -> bool:
    """Whether a task ended because of another."""
    return row.status in _ENDED_BADLY and root_of(row.error, row.error_message) == task.id


def _because(row: TaskRow, fingerprint: str) -> str:
    if row.status == "Complete":
        return "was complete: not touched by it"
    if row.status == "Failed":
        if _how(str(row.error.get("fingerprint", "")), fingerprint) == SAME:
            return f"{BY_ITSELF}, {SAME}"
        return row.error_message or BY_ITSELF
    return f"is {row.status}"
