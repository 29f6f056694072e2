"""What is cut out of a case that is too large for a black box: the least telling first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from telemetry import names
from telemetry.records import Error, Log
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case
from telemetry.reports.trace import ProcessPart, TraceModel
from telemetry.spans import Span

Cut = Callable[[Case], tuple[Case, str]]

_NEWEST_LOGS: Final = 2000
_NEWEST_SPANS: Final = 500
_NEWEST_ERRORS: Final = 4
_REPEATED: Final = (names.LOOP_ITERATION, names.DENOISE_STEP)
# Of a span that repeats itself: what is counted by.
_COUNTED: Final = frozenset(
    {names.LOOP_INDEX, names.LOOP_COUNT, names.STEP_INDEX, names.STEP_COUNT, names.STEP_PHASE}
)
_Timed = TypeVar("_Timed", Log, Error)


def older_logs(case: Case) -> tuple[Case, str]:
    """Keep the newest logs of each process."""
    return _without_logs(case, _NEWEST_LOGS)


def all_logs(case: Case) -> tuple[Case, str]:
    """Keep no logs."""
    return _without_logs(case, 0)


def other_attempts(case: Case) -> tuple[Case, str]:
    """Keep the spans and errors of the task's newest attempt, of its whole journey."""
    if case.model is None:
        return case, ""
    attempt = Attempt(case.model, case.task)
    kept = {span.span_id for span in attempt.spans}
    if not kept:
        return case, ""
    cut = len(case.model.spans) - len(kept)
    smaller = _of_parts(
        case,
        lambda part: replace(
            part,
            spans=tuple(span for span in part.spans if span.span_id in kept),
            errors=tuple(one for one in part.errors if one.task_id == case.task.id),
        ),
    )
    return smaller, f"{cut:,} spans of other attempts were left out, for its size." if cut else ""


def repeated_spans(case: Case) -> tuple[Case, str]:
    """Keep of older iterations and steps when they were, and nothing of what was set."""
    bare: set[bytes] = set()
    for name in _REPEATED:
        spans = [span for span in case.model.spans if span.name == name] if case.model else []
        bare.update(span.span_id for span in spans[: max(0, len(spans) - _NEWEST_SPANS)])
    smaller = _of_parts(
        case,
        lambda part: replace(
            part, spans=tuple(_bare(one) if one.span_id in bare else one for one in part.spans)
        ),
    )
    said = f"Of {len(bare):,} older iterations and steps it has the times alone, for its size."
    return smaller, said if bare else ""


def older_errors(case: Case) -> tuple[Case, str]:
    """Keep the newest errors of each process, and what the task failed by."""
    before = len(case.model.errors) if case.model else 0
    row_names = case.task.error.get("event_id")

    def kept(part: ProcessPart) -> ProcessPart:
        named = [one for one in part.errors if one.event_id == row_names]
        others = [one for one in part.errors if one.event_id != row_names]
        errors = (*named, *_newest(others, _NEWEST_ERRORS))
        return replace(part, errors=_newest(errors, len(errors)))

    smaller = _of_parts(case, kept)
    cut = before - (len(smaller.model.errors) if smaller.model else 0)
    return smaller, f"{cut:,} older errors were left out, for its size." if cut else ""


def params_of_relatives(case: Case) -> tuple[Case, str]:
    """Keep of relatives what became of them, and not what they were given."""
    relatives = [msgspec.structs.replace(row, params={}) for row in case.relatives]
    smaller = replace(case, relatives=relatives)
    return smaller, "The relatives' parameters were left out, for its size." if relatives else ""


CUTS: Final[Sequence[Cut]] = (
    older_logs,
    all_logs,
    params_of_relatives,
    other_attempts,
    repeated_spans,
    older_errors,
)


def _without_logs(case: Case, keep: int) -> tuple[Case, str]:
    before = len(case.model.logs) if case.model else 0
    smaller = _of_parts(case, lambda part: replace(part, logs=_newest(part.logs, keep)))
    cut = before - (len(smaller.model.logs) if smaller.model else 0)
    return smaller, f"{cut:,} log records, the oldest, were left out, for its size." if cut else ""


def _newest(found: Iterable[_Timed], keep: int) -> tuple[_Timed, ...]:
    ordered = sorted(found, key=lambda one: one.at_ns)
    return tuple(ordered[-keep:]) if keep else ()


def _of_parts(case: Case, change: Callable[[ProcessPart], ProcessPart]) -> Case:
    if case.model is None:
        return case
    model = case.model
    parts = tuple(map(change, model.processes))
    made = TraceModel(task_id=model.task_id, trace_id=model.trace_id, processes=parts)
    return replace(case, model=made)


def _bare(span: Span) -> Span:
    kept = {key: value for key, value in span.attributes.items() if key in _COUNTED}
    return replace(span, attributes=kept, events=(), links=())
