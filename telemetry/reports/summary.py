"""The answer in one sentence."""

from collections.abc import Mapping
from typing import Any

from telemetry.reports.case import Case
from telemetry.reports.findings import CompletenessFound, FailureFound
from telemetry.reports.headway import LoopFound, StageFound
from telemetry.reports.places import place_text, told_location, told_own
from telemetry.reports.relatives import OTHERWISE, SAME, fell_with
from telemetry.reports.sentences import handled_text, root_first, root_text
from telemetry.reports.wording import duration, one_line

_CASCADE = "cascade"  # the kind of an error that is another task's
_UNTOLD = "it failed, and nobody wrote down why"


def summary(
    case: Case,
    failure: FailureFound | None,
    loop: LoopFound,
    stages: list[StageFound],
    record: CompletenessFound,
) -> str:
    """Say what became of a task, in one sentence, on one line."""
    if failure is None:
        if record.complete and not record.begun:
            return one_line(_not_run(case))
        return one_line(_without_failure(case, stages))
    said = _what(failure)
    if loop.total and loop.completed == loop.total:
        said = f"{said}, after all {loop.total} iterations of the parameter loop"
    elif loop.total and record.complete and failure.stage == "parameters":
        said = f"{said}, with {loop.completed} of {loop.total} iterations of the loop done"
    if failure.stage:
        said = f"{said}, in stage {failure.stage}"
    if failure.caused_by and handled_text(failure):
        said = f"{said}; {_cause(failure.caused_by)}"
    if fell := _fell(case, failure):
        said = f"{said}; {fell}"
    if case.task.status not in ("Failed", ""):
        said = f"{said}; the task is {case.task.status} again"
    return one_line(said)


def _fell(case: Case, failure: FailureFound) -> str:
    """Say with whom a task fell by its row, if that has a failure of its own all the same."""
    root, how = fell_with(case, failure.fingerprint)
    if not root or failure.kind == _CASCADE:
        return ""
    said = {SAME: ", which is the same failure", OTHERWISE: ", which failed in another way"}
    return f"by its row it fell with {one_line(root, 60)}{said.get(how, '')}"


def _what(failure: FailureFound) -> str:
    if failure.kind in ("death", "hang"):
        said = failure.message or f"the task process ended ({failure.type})"
    else:
        said = ": ".join(filter(None, (failure.type, failure.message)))
        said = said or failure.sentence or _UNTOLD
    said = one_line(said, 400)
    root = root_first(failure)
    told = root is not None and bool(root.expression)  # then the root cause says it
    if failure.expression and "None" in failure.message and not told:
        said = f"{said}; {one_line(failure.expression, 80)} was None"
    if root is not None:
        said = f"{said}; {root_text(root)}"
    location = failure.location
    if location.file:
        itself = "the failure itself " if root is not None else ""
        where = place_text(location, failure.place or "at", failure.own)
        said = f"{said}; {itself}{where}"
    return said


def _cause(cause: Mapping[str, Any]) -> str:
    """Say what was handled before and is behind it."""
    where = place_text(told_location(cause), "raised at", told_own(cause))
    said = f"behind it is {cause.get('type', '')}: {cause.get('message', '')}"
    return one_line(f"{said}, {where}" if where else said, 500)


def _not_run(case: Case) -> str:
    if case.task.status == "Queued":
        return "it has not run: it waits in the queue"
    return f"it was not run: {case.task.error_message or 'it was cancelled'}"


def _without_failure(case: Case, stages: list[StageFound]) -> str:
    status = case.task.status
    timed = sorted((one for one in stages if one.ms is not None), key=lambda one: -(one.ms or 0))
    working = [one.name for one in stages if one.ended == "open"]
    if status == "In Progress" and working:
        return f"it is at work, in stage {working[-1]}; nothing has failed so far"
    said = {
        "Complete": "it did not fail: it is complete",
        "Cancelled": f"it did not fail: {case.task.error_message or 'it was cancelled'}",
        "Queued": "it has not failed: it waits in the queue",
        "Failed": _UNTOLD,
        "In Progress": "it has not failed: it waits for its children"
        if any(one.parent_id == case.task.id for one in case.relatives)
        else "it is at work; nothing has failed so far",
    }.get(status, f"it is {status}")
    if status == "Complete":
        tries = (f"; attempt {one.attempt} {one.says}" for one in case.attempts[1:])
        said += next(tries, "")
    if timed:
        whole = sum(one.ms or 0 for one in timed)
        share = 100 * (timed[0].ms or 0) / whole if whole else 0
        said = f"{said}; {timed[0].name} took {duration(timed[0].ms or 0)}, {share:.0f} % of it"
    return said
