"""How far an attempt got: its stages, its parameter loop, its steps of denoising."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from telemetry import names
from telemetry.records import Status
from telemetry.reports.attempt import Attempt
from telemetry.reports.endings import Endings
from telemetry.reports.headway import IterationFound, LoopFound, StageFound, StepsFound
from telemetry.spans import CLOSED_BY_END, Span


def stages(attempt: Attempt) -> list[StageFound]:
    """Return the attempt's stages, in order."""
    begun = [span for span in attempt.spans if names.STAGE_NAME in span.attributes]
    endings = Endings.of(attempt)
    return [
        StageFound(
            name=str(span.attributes[names.STAGE_NAME]),
            began=moment(span.start_ns),
            ms=None if endings.end_ns(span) is None else _ms(span),
            ended=endings.how(span),
        )
        for span in begun
    ]


def loop(attempt: Attempt) -> LoopFound:
    """Return how many iterations of the parameter loop ended, and well, of how many."""
    begun = _newest(attempt.named(names.LOOP_ITERATION), names.LOOP_INDEX)
    done = [span for span in begun if _went_well(span)]
    slowest = max(done, key=lambda span: span.duration_ns or 0, default=None)
    return LoopFound(
        completed=len(done),
        total=_largest(begun, names.LOOP_COUNT),
        last=_iteration(done[-1]) if done else None,
        slowest=_iteration(slowest) if slowest else None,
    )


def steps(attempt: Attempt) -> StepsFound:
    """Return how many steps of denoising ended, and well, of how many."""
    begun = _newest(attempt.named(names.DENOISE_STEP), names.STEP_INDEX)
    done = [span for span in begun if _went_well(span)]
    phase: Any = begun[-1].attributes.get(names.STEP_PHASE, "") if begun else ""
    return StepsFound(
        completed=len(done),
        total=_largest(begun, names.STEP_COUNT),
        phase=str(phase),
        ms=[_ms(span) or 0.0 for span in done],
    )


def moment(at_ns: int) -> str:
    """Write a time as ISO 8601 in UTC, to the microsecond; "" for one that no calendar has."""
    seconds, nanoseconds = divmod(at_ns, 10**9)
    try:
        at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _newest(spans: list[Span], index: str) -> list[Span]:
    """Return those since the last that is the first: what was tried before is begun again."""
    first = [number for number, span in enumerate(spans) if span.attributes.get(index) == 1]
    return spans[first[-1] :] if first else spans


def _iteration(span: Span) -> IterationFound:
    index = span.attributes.get(names.LOOP_INDEX, 0)
    return IterationFound(
        index=index if isinstance(index, int) else 0,
        key=str(span.attributes.get(names.PARAM_KEY, "")),
        ended=moment(span.end_ns or span.start_ns),
        ms=_ms(span) or 0.0,
    )


def _went_well(span: Span) -> bool:
    return span.closed_by == CLOSED_BY_END and span.status != Status.ERROR


def _ms(span: Span) -> float | None:
    return None if span.duration_ns is None else span.duration_ns / 1e6


def _largest(spans: Sequence[Span], name: str) -> int:
    """Return the greatest count that the spans name; an attribute of another's journal may lie."""
    counts = (span.attributes.get(name) for span in spans)
    return max((count for count in counts if isinstance(count, int)), default=0)
