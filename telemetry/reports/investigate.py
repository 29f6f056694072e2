"""An investigation: from a case to what failed, where exactly, with which values, and what did not.

A pure function: the same case gives the same investigation.
"""

import msgspec

from telemetry.records import Error
from telemetry.reports import differences, progress, timeline
from telemetry.reports.advice import next_steps
from telemetry.reports.attempt import WELL, Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.company import (
    DifferenceFound,
    LastGoodFound,
    SameFailureFound,
    TaskFound,
)
from telemetry.reports.completeness import completeness, nothing_recorded, nothing_to_record
from telemetry.reports.evidence import Evidence
from telemetry.reports.fault import failure
from telemetry.reports.findings import (
    CompletenessFound,
    DefaultsFound,
    FailureFound,
    HypothesisFound,
    Investigation,
    ParamFound,
)
from telemetry.reports.headway import LoopFound, StageFound, StepsFound
from telemetry.reports.hypotheses import hypotheses
from telemetry.reports.parameters import defaults, model, params
from telemetry.reports.places import place_text
from telemetry.reports.relatives import SAME, fell_with, relatives_of
from telemetry.reports.summary import summary
from telemetry.reports.trace import TraceModel
from telemetry.reports.witnesses import witnessed

_NO_LOOP = LoopFound(completed=0, total=0, last=None, slowest=None)
_NO_STEPS = StepsFound(completed=0, total=0, phase="", ms=[])
_NO_DEFAULTS = DefaultsFound(
    call="", type="", count=0, values={}, digest_before="", digest_after=""
)


def investigate(case: Case) -> Investigation:
    """Find out all that a case tells of its task."""
    attempt = Attempt.of(case.model, case.task)
    error = attempt.error if attempt else None
    found = _failure(case.task, error, case.model)
    loop = progress.loop(attempt) if attempt else _NO_LOOP
    stages = progress.stages(attempt) if attempt else []
    decided = params(attempt) if attempt else []
    record = _completeness(case, attempt)
    given = defaults(attempt) if attempt else _NO_DEFAULTS
    verdicts = _hypotheses(case, attempt, error, found, loop, stages, given, record)
    relatives = relatives_of(case, found)
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
        timeline=timeline.timeline(attempt, error, case.events, found)
        if attempt
        else timeline.empty(),
        tasks=_tasks(case),
        previous=_previous(case),
        against_previous=_against_previous(case, attempt, found, decided),
        links=case.links,
        next_steps=next_steps(found, verdicts, record, others, relatives, case.replay)
        if found
        else [],
        replay="" if attempt is None and _has_not_run(case.task) else case.replay,
        replayed=case.replayed,
        attempts=case.attempts,
    )


def _failure(row: TaskRow, error: Error | None, model: TraceModel | None) -> FailureFound | None:
    """Return what the task failed with, or its newest attempt where it is queued again."""
    if row.status in WELL:
        return None
    found = failure(error, row, model.errors if model else ())
    if found is None and row.status == "Failed" and row.error_message:
        # Another application's words are all there is.
        found = failure(None, msgspec.structs.replace(row, error={"message": row.error_message}))
    return found


def _completeness(case: Case, attempt: Attempt | None) -> CompletenessFound:
    if attempt is None and _has_not_run(case.task):
        return nothing_to_record(case.source)
    if attempt is None or case.model is None:
        return nothing_recorded(case.source, case.unknown)
    counted = case.task.error.get("record")
    counted = counted if isinstance(counted, dict) else None
    found = completeness(attempt, case.source, case.unknown, counted)
    return witnessed(found, attempt, case.model, counted)


def _has_not_run(row: TaskRow) -> bool:
    """Whether no attempt was made at a task: it waits, or was cancelled before the first."""
    return row.status in ("Queued", "Cancelled") and not row.attempt and not row.claimed


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
    root, how = fell_with(case, found.fingerprint)
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
            fell_with=root if how == SAME else "",
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


def _last_good(
    case: Case, attempt: Attempt | None, decided: list[ParamFound]
) -> LastGoodFound | None:
    if case.good is None:
        return None
    row, trace = case.good
    return LastGoodFound(
        id=row.id,
        when=row.returned,
        differences=_differences(attempt, decided, Attempt.of(trace, row)),
        later=case.task.status not in WELL and "" < case.task.returned < row.returned,
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
    other = Attempt.of(trace, row)
    before = _failure(row, other.error if other else None, trace)
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
    return {
        "type": found.type,
        "message": found.message,
        "place": place_text(found.location, own=found.own),
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
