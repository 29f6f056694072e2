"""An investigation: from a case to what failed, where exactly, with which values, and what did not.

A pure function: the same case gives the same investigation.
"""

import msgspec

from telemetry import names
from telemetry.records import Error
from telemetry.reports import differences, progress, timeline
from telemetry.reports.advice import next_steps
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.completeness import completeness, nothing_recorded
from telemetry.reports.evidence import Evidence
from telemetry.reports.fault import failure
from telemetry.reports.findings import (
    CompletenessFound,
    DefaultsFound,
    DifferenceFound,
    FailureFound,
    HypothesisFound,
    Investigation,
    LastGoodFound,
    LoopFound,
    ParamFound,
    RelativeFound,
    SameFailureFound,
    StageFound,
    StepsFound,
    TaskFound,
)
from telemetry.reports.hypotheses import hypotheses
from telemetry.reports.parameters import defaults, model, params
from telemetry.reports.summary import summary
from telemetry.reports.trace import TraceModel
from telemetry.reports.witnesses import witnessed

_WELL = ("Complete", "Cancelled")
_NO_LOOP = LoopFound(completed=0, total=0, last=None, slowest=None)
_NO_STEPS = StepsFound(completed=0, total=0, phase="", ms=[])
_NO_DEFAULTS = DefaultsFound(
    call="", type="", count=0, values={}, digest_before="", digest_after=""
)


def investigate(case: Case) -> Investigation:
    """Find out all that a case tells of its task."""
    attempt = _attempt(case.task, case.model)
    error = _error(case.task, case.model, attempt)
    found = _failure(case.task, error)
    loop = progress.loop(attempt) if attempt else _NO_LOOP
    stages = progress.stages(attempt) if attempt else []
    decided = params(attempt) if attempt else []
    record = _completeness(case, attempt)
    given = defaults(attempt) if attempt else _NO_DEFAULTS
    verdicts = _hypotheses(case, attempt, error, found, loop, stages, given, record)
    relatives = [_relative(row, case.task) for row in case.relatives]
    others = [one for one in case.same if one.task != case.task.id]
    return Investigation(
        task=_task(case.task),
        asked=case.asked,
        says=summary(case, found, loop, stages, record),
        failure=found,
        loop=loop,
        steps=progress.steps(attempt) if attempt else _NO_STEPS,
        stages=stages,
        params=decided,
        completeness=record,
        hypotheses=verdicts,
        relatives=relatives,
        same_failure=case.same,
        last_good=_last_good(case, attempt, decided),
        model=model(attempt, case.task, decided),
        defaults=given,
        environment=differences.environment(attempt),
        timeline=timeline.timeline(attempt, error, case.events) if attempt else timeline.empty(),
        tasks=_tasks(case),
        previous=_previous(case),
        against_previous=_against_previous(case, attempt, found, decided),
        links=case.links,
        next_steps=next_steps(found, verdicts, record, others, relatives, case.replay)
        if found
        else [],
        replay=case.replay,
        replayed=case.replayed,
    )


def _attempt(row: TaskRow, trace: TraceModel | None) -> Attempt | None:
    if trace is None:
        return None
    attempt = Attempt(trace, row)
    if attempt.root is not None:
        number = attempt.root.attributes.get(names.TASK_ATTEMPT)
        if isinstance(number, int) and number < row.attempt:
            return None  # of an earlier attempt, which says nothing of the newest
    return attempt if attempt.spans or attempt.error or attempt.begin else None


def _error(row: TaskRow, trace: TraceModel | None, attempt: Attempt | None) -> Error | None:
    """Return the error that the row names; where it names none, the attempt's own newest.

    An earlier attempt at the task may have failed, too, and in another way.
    """
    if row.status in _WELL or attempt is None or trace is None:
        return None
    ours = [error for error in trace.errors if error.task_id == row.id]
    named = str(row.error.get("event_id") or "")
    if named and any(error.event_id for error in ours):  # not every source keeps the ids
        return next((error for error in ours if error.event_id == named), None)
    found = [error for error in ours if not error.handled and _is_of(error, attempt, trace)]
    return found[-1] if found else None


def _is_of(error: Error, attempt: Attempt, trace: TraceModel) -> bool:
    """Whether an error is of this attempt: by its span; without one, by its time."""
    if any(span.span_id == error.span_id for span in attempt.spans):
        return True
    begun = attempt.root.start_ns if attempt.root else attempt.begin.at_ns if attempt.begin else 0
    is_of_another = any(span.span_id == error.span_id for span in trace.spans)
    return not is_of_another and error.at_ns >= begun


def _failure(row: TaskRow, error: Error | None) -> FailureFound | None:
    """Return what the task failed with, or its newest attempt where it is queued again."""
    if row.status in _WELL:
        return None
    found = failure(error, row)
    if found is None and row.status == "Failed" and row.error_message:
        # Another application's words are all there is.
        found = failure(None, msgspec.structs.replace(row, error={"message": row.error_message}))
    return found


def _completeness(case: Case, attempt: Attempt | None) -> CompletenessFound:
    if attempt is None or case.model is None:
        return nothing_recorded(case.source, case.unknown)
    counted = case.task.error.get("record")
    found = completeness(
        attempt, case.source, case.unknown, counted if isinstance(counted, dict) else None
    )
    return witnessed(found, attempt, case.model)


def _hypotheses(
    case: Case,
    attempt: Attempt | None,
    error: Error | None,
    found: FailureFound | None,
    loop: LoopFound,
    stages: list[StageFound],
    given: DefaultsFound,
    record: CompletenessFound,
) -> list[HypothesisFound]:
    if found is None:
        return []
    return hypotheses(
        Evidence(
            failure=found,
            attempt=attempt,
            error=error,
            loop=loop,
            stages=stages,
            defaults=given,
            completeness=record,
            events=case.events,
            replayed=case.replayed,
            position=_position(case.task, error),
        )
    )


def _position(row: TaskRow, error: Error | None) -> tuple[int, int]:
    """Return the loop's position as the error has it, which no loss of other records changes."""
    if error is not None:
        return error.loop_index, error.loop_count
    index, count = (row.error.get(name) for name in ("loop_index", "loop_count"))
    return (index, count) if isinstance(index, int) and isinstance(count, int) else (0, 0)


def _task(row: TaskRow) -> TaskFound:
    return TaskFound(
        id=row.id,
        type=row.type,
        status=row.status,
        worker=row.worker,
        attempt=row.attempt,
        created=row.created,
        claimed=row.claimed,
        returned=row.returned,
        error=row.error_message,
    )


def _tasks(case: Case) -> list[TaskFound]:
    return [_task(row) for row in [case.task, *case.relatives]]


def _relative(row: TaskRow, task: TaskRow) -> RelativeFound:
    return RelativeFound(id=row.id, type=row.type, status=row.status, because=_because(row, task))


def _because(row: TaskRow, task: TaskRow) -> str:
    root = row.error.get("root_cause")
    if isinstance(root, dict) and root.get("task_id") == task.id:
        return f"{row.status.lower()} because of {task.id}"
    if row.status == "Complete":
        return "was complete: not touched by it"
    if row.status == "Failed":
        return row.error_message or "failed by itself"
    return f"is {row.status}"


def _last_good(
    case: Case, attempt: Attempt | None, decided: list[ParamFound]
) -> LastGoodFound | None:
    if case.good is None:
        return None
    row, trace = case.good
    return LastGoodFound(
        id=row.id,
        when=row.returned,
        differences=_differences(attempt, decided, _attempt(row, trace)),
    )


def _differences(
    attempt: Attempt | None, decided: list[ParamFound], other: Attempt | None
) -> list[DifferenceFound]:
    if attempt is None or other is None:
        return []
    theirs = params(other)
    if not (_decided_all(attempt) and _decided_all(other)):
        both = set.intersection(
            *({one.name for one in of if one.source} for of in (decided, theirs))
        )
        decided = [param for param in decided if param.name in both]
        theirs = [param for param in theirs if param.name in both]
    environments = [differences.environment(one) for one in (attempt, other)]
    return [
        *differences.of_params(decided, theirs),
        *differences.of_environments(*environments),
    ]


def _decided_all(attempt: Attempt) -> bool:
    """Whether the record shows every parameter: one that is not there was not asked for either."""
    ended = {stage.name for stage in progress.stages(attempt) if stage.ended == "ok"}
    return "parameters" in ended and completeness(attempt, "").complete


def _previous(case: Case) -> SameFailureFound | None:
    if case.previous is None:
        return None
    row, _ = case.previous
    return SameFailureFound(task=row.id, attempt=row.attempt, worker=row.worker, when=row.returned)


def _against_previous(
    case: Case,
    attempt: Attempt | None,
    found: FailureFound | None,
    decided: list[ParamFound],
) -> list[DifferenceFound]:
    """Return how this failure and the one before differ, and where they do not."""
    if case.previous is None or found is None:
        return []
    row, trace = case.previous
    other = _attempt(row, trace)
    before = _failure(row, _error(row, trace, other))
    told = [
        DifferenceFound(name=name, this=this, other=_crash(before).get(name, ""))
        for name, this in _crash(found).items()
    ]
    loops = [_loop_text(one) for one in (attempt, other)]
    told.append(DifferenceFound(name="loop", this=loops[0], other=loops[1]))
    return [*told, *_differences(attempt, decided, other)]


def _crash(found: FailureFound | None) -> dict[str, str]:
    if found is None:
        return {}
    where = f"{found.location.file}:{found.location.line} in {found.location.function}"
    return {
        "type": found.type,
        "message": found.message,
        "place": where if found.location.file else "",
        "stage": found.stage,
        "fingerprint": found.fingerprint,
    }


def _loop_text(attempt: Attempt | None) -> str:
    """Say how far a loop came; of one whose record has holes, how far at least."""
    if attempt is None:
        return ""
    loop = progress.loop(attempt)
    said = f"{loop.completed} of {loop.total}"
    is_known = loop.completed == loop.total > 0 or completeness(attempt, "").complete
    return said if is_known else f"at least {said}"
