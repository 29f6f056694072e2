"""An investigation: from a case to what failed, where exactly, with which values, and what did not.

A pure function: the same case gives the same investigation.
"""

from telemetry.reports import differences, progress, timeline
from telemetry.reports.advice import next_steps
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.completeness import completeness, nothing_recorded
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
from telemetry.reports.hypotheses import Evidence, hypotheses
from telemetry.reports.parameters import defaults, model, params
from telemetry.reports.summary import summary
from telemetry.reports.trace import TraceModel

_NO_LOOP = LoopFound(completed=0, total=0, last=None, slowest=None)
_NO_STEPS = StepsFound(completed=0, total=0, phase="", ms=[])
_NO_DEFAULTS = DefaultsFound(
    call="", type="", count=0, values={}, digest_before="", digest_after=""
)


def investigate(case: Case) -> Investigation:
    """Find out all that a case tells of its task."""
    attempt = _attempt(case.task, case.model)
    found = _failure(case, attempt)
    loop = progress.loop(attempt) if attempt else _NO_LOOP
    stages = progress.stages(attempt) if attempt else []
    decided = params(attempt) if attempt else []
    record = _completeness(case, attempt)
    given = defaults(attempt) if attempt else _NO_DEFAULTS
    verdicts = _hypotheses(case, attempt, found, loop, stages, given, record)
    relatives = [_relative(row, case.task) for row in case.relatives]
    error = attempt.error if attempt else None
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
        next_steps=next_steps(found, verdicts, record, case.same, relatives, case.replay)
        if found
        else [],
        replay=case.replay,
        replayed=case.replayed,
    )


def _attempt(row: TaskRow, trace: TraceModel | None) -> Attempt | None:
    if trace is None:
        return None
    attempt = Attempt(trace, row)
    return attempt if attempt.spans or attempt.error or attempt.begin else None


def _failure(case: Case, attempt: Attempt | None) -> FailureFound | None:
    """Return what the task failed with, or its newest attempt where it is queued again."""
    if case.task.status in ("Complete", "Cancelled"):
        return None
    return failure(attempt.error if attempt else None, case.task)


def _completeness(case: Case, attempt: Attempt | None) -> CompletenessFound:
    if attempt is None:
        return nothing_recorded(case.source, case.unknown)
    return completeness(attempt, case.source, case.unknown)


def _hypotheses(
    case: Case,
    attempt: Attempt | None,
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
            loop=loop,
            stages=stages,
            defaults=given,
            completeness=record,
            events=case.events,
            replayed=case.replayed,
            position=_position(case.task, attempt),
        )
    )


def _position(row: TaskRow, attempt: Attempt | None) -> tuple[int, int]:
    """Return the loop's position as the error has it, which no loss of other records changes."""
    if attempt and attempt.error:
        return attempt.error.loop_index, attempt.error.loop_count
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
    theirs = differences.environment(other)
    return [
        *differences.of_params(decided, params(other)),
        *differences.of_environments(differences.environment(attempt), theirs),
    ]


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
    before = failure(other.error if other else None, row)
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
    loop = progress.loop(attempt) if attempt else _NO_LOOP
    return f"{loop.completed} of {loop.total}"
