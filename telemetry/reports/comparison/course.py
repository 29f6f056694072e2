"""The course of an attempt: what it did, in order, without what no two attempts have in common.

It is the record in the order in which it happened, reduced to what can be compared: stages,
engine calls and what they were given and gave back, the value that each iteration of the parameter
loop decided, steps of denoising, the failure. Times, ids and spans of libraries are left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.comparison.significance import impersonal
from telemetry.reports.endings import Endings
from telemetry.reports.findings import FailureFound
from telemetry.reports.parameters import value_of
from telemetry.spans import Event, Span

_ENGINE: Final = names.engine("")
_DEATHS: Final = ("death", "hang")
_TWO_ENDS: Final = ("stage", "engine")  # what is told when it begins, and again when it ends
# How a call came to its result, not what it is: whether the engine had the model already.
_UNTOLD: Final = frozenset(
    [f"{names.ENGINE_RESULT}already_loaded", f"{names.ENGINE_RESULT}seconds", names.ENGINE_FILES]
)
_OF_STAGES: Final = (
    names.INPUT_PICTURES,
    names.INPUT_VIDEOS,
    names.INPUT_BYTES,
    names.LORA_COUNT,
    names.LORA_BYTES,
    names.DEFAULTS_TYPE,
    names.DEFAULTS_COUNT,
    names.DEFAULTS_BEFORE,
    names.DEFAULTS_AFTER,
    names.OUTPUT_FRAMES,
    names.OUTPUT_CRF,
)
_OF_ITERATIONS: Final = (names.PARAM_NEW, names.PARAM_SOURCE, names.PARAM_OLD)
_OF_STEPS: Final = (
    names.STEP_COUNT,
    names.STEP_PHASE,
    names.STEP_EXPERT,
    names.STEP_TIMESTEP,
    names.STEP_GUIDANCE,
    names.STEP_LORA_SCALES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One thing that an attempt did.

    Attributes:
        kind: "stage", "iteration", "parameter", "engine", "step", "failure".
        name: What it is: the same thing has the same name in another attempt.
        where: It, for people.
        at_ms: When, from the begin of the attempt.
        fields: What of it can be compared.
        ended: How it ended: "ok", "failed", "cut off"; "" for what has no end.
        number: Which of its name it is, from 1.
    """

    kind: str
    name: str
    where: str
    at_ms: float
    fields: Mapping[str, Any] = field(default_factory=dict)
    ended: str = ""
    number: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all others of its attempt."""
        return self.name, self.number


def course(attempt: Attempt, failure: FailureFound | None, row: TaskRow) -> list[Occurrence]:
    """Return what an attempt did, in order; a failure stands where what it ended would have ended.

    The order is that of spans within one another: no tie between two moments changes it.
    """
    spans = attempt.spans
    start_ns = spans[0].start_ns if spans else 0
    endings = Endings.of(attempt)
    ended = ended_by_failure(attempt)
    innermost = next(iter(ended), None)
    end = None if failure is None else _failure(failure, row, _failed_ms(attempt, start_ns))
    found: list[Occurrence] = []
    for span, event, begins in _walked(spans):
        if event is not None:
            found.append(_parameter(event, start_ns))
        elif begins or span.span_id not in ended:
            found += _of_span(span, start_ns, endings, begins=begins)
        elif end is not None and span.span_id == innermost:
            found.append(end)
    if end is not None and innermost is None:
        found.append(end)
    return list(_numbered(found, row))


def ended_by_failure(attempt: Attempt) -> dict[bytes, Span]:
    """Return the spans that ended because of the failure, the innermost first.

    They are those around the one that it was raised in, and all that a death cut off.
    """
    endings = Endings.of(attempt)
    error = attempt.error
    spans = {one.span_id: one for one in attempt.spans}
    found: dict[bytes, Span] = {}
    span = spans.get(error.span_id or b"") if error is not None else None
    while span is not None and span.span_id not in found:
        if endings.how(span) != "ok":
            found[span.span_id] = span
        span = spans.get(span.parent_id or b"")
    cut = [one for one in reversed(attempt.spans) if endings.how(one) == "cut off"]
    return {**found, **{one.span_id: one for one in cut}}


def raised_ns(attempt: Attempt) -> int | None:
    """Return when the failure ended the innermost span that it left; None without its record.

    The record is written later than that: an exception is caught at the boundary of the task.
    """
    if attempt.error is None:
        return None
    endings = Endings.of(attempt)
    ends = [endings.end_ns(one) for one in ended_by_failure(attempt).values()]
    return min([attempt.error.at_ns, *(end_ns for end_ns in ends if end_ns is not None)])


def _walked(spans: Sequence[Span]) -> Iterator[tuple[Span, Event | None, bool]]:
    """Yield each span when it begins and when it ends, and between these what is within it."""
    known = {span.span_id for span in spans}
    within: dict[bytes, list[Span]] = {}
    for span in spans:
        within.setdefault(span.parent_id if span.parent_id in known else b"", []).append(span)
    waiting: list[tuple[Span, Event | None, bool]] = [
        (span, None, True) for span in reversed(within.get(b"", []))
    ]
    while waiting:
        span, event, begins = waiting.pop()
        yield span, event, begins
        if event is not None or not begins:
            continue
        inner: list[tuple[int, Span, Event | None, bool]] = [
            (one.start_ns, one, None, True) for one in within.get(span.span_id, [])
        ]
        inner += [
            (one.at_ns, span, one, False) for one in span.events if one.name == names.PARAM_EVENT
        ]
        waiting.append((span, None, False))
        waiting += [told[1:] for told in sorted(inner, key=lambda told: -told[0])]


def _of_span(span: Span, start_ns: int, endings: Endings, *, begins: bool) -> Iterator[Occurrence]:
    kind, name, where = _named(span)
    if not kind or (begins and kind not in _TWO_ENDS):
        return
    at_ns = span.start_ns if begins else endings.end_ns(span)
    if at_ns is None:
        return
    suffix = "" if begins or kind not in _TWO_ENDS else " ended"
    yield Occurrence(
        kind=kind,
        name=f"{kind} {name}{suffix}",
        where=where + suffix.replace("ended", "when it ended"),
        at_ms=(at_ns - start_ns) / 1e6,
        fields=_given(span, kind, begins=begins),
        ended="" if begins else endings.how(span),
    )


def _named(span: Span) -> tuple[str, str, str]:
    """Return what kind of thing a span is, its name, and how people call it; "" where it is none.

    Which parameter an iteration is about makes its name, and its place in the loop does not.
    """
    given = span.attributes
    if stage := given.get(names.STAGE_NAME):
        return "stage", str(stage), f"stage {stage}"
    if span.name == names.LOOP_ITERATION:
        key = str(given.get(names.PARAM_KEY, ""))
        return "iteration", key, f"iteration {given.get(names.LOOP_INDEX)} of the loop ({key})"
    if span.name == names.DENOISE_STEP:
        index = str(given.get(names.STEP_INDEX))
        return "step", index, f"denoising step {index}"
    if span.name.startswith(_ENGINE):
        call = span.name.removeprefix(_ENGINE)
        return "engine", call, f"engine call {call}"
    return "", "", ""


def _given(span: Span, kind: str, *, begins: bool) -> Mapping[str, Any]:
    given = span.attributes
    match kind:
        case "iteration":
            return _fields(given, _OF_ITERATIONS)
        case "step":
            return _fields(given, _OF_STEPS)
        case "engine" if begins:
            model = value_of(given, names.ENGINE_MODEL)
            return {"model": model, **_prefixed(given, names.ENGINE_PARAM)}
        case "engine":
            return _prefixed(given, names.ENGINE_RESULT)
    return {} if begins else _fields(given, _OF_STAGES)


def _parameter(event: Event, start_ns: int) -> Occurrence:
    key = str(event.attributes.get(names.PARAM_KEY, ""))
    return Occurrence(
        kind="parameter",
        name=f"iteration {key}",  # a version may decide in the loop what another does not
        where=f"parameter {key}",
        at_ms=(event.at_ns - start_ns) / 1e6,
        fields=_fields(event.attributes, _OF_ITERATIONS),
    )


def _failure(failure: FailureFound, row: TaskRow, at_ms: float) -> Occurrence:
    what = failure.fingerprint or str(impersonal(failure.sentence, row))
    said = f"{failure.type}: {failure.message}" if failure.message else failure.type
    where = failure.message if failure.kind in _DEATHS else f"it failed with {said}"
    return Occurrence(kind="failure", name=f"failure {what}", where=where, at_ms=at_ms)


def _failed_ms(attempt: Attempt, start_ns: int) -> float:
    endings = Endings.of(attempt)
    ends = (endings.end_ns(span) or span.start_ns for span in attempt.spans)
    return ((raised_ns(attempt) or max(ends, default=start_ns)) - start_ns) / 1e6


def _numbered(found: Iterable[Occurrence], row: TaskRow) -> Iterator[Occurrence]:
    """Number what occurs more than once, and take out of its fields what is the task's own."""
    seen: Counter[str] = Counter()
    for one in found:
        seen[one.name] += 1
        fields = {key: impersonal(value, row) for key, value in one.fields.items()}
        yield replace(one, number=seen[one.name], fields=fields)


def _fields(given: Mapping[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    return {name.rpartition(".")[2]: value_of(given, name) for name in wanted if name in given}


def _prefixed(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value_of(given, name)
        for name in given
        if name.startswith(prefix) and not name.endswith(names.IS_NULL) and name not in _UNTOLD
    }
