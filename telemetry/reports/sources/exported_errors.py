"""Errors as far as exported spans tell them: by their exception events, and by how they ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from telemetry import names
from telemetry.death.ends import HANG
from telemetry.records import Error, ExceptionFacts, ProcessEnd, Status
from telemetry.reports.sources.lineage import Lineage
from telemetry.reports.sources.stack_text import read_stack, split_type
from telemetry.spans import CLOSED_BY_DEATH, CLOSED_BY_END, Event, Span, innermost

_RAISED_AT: Final = "raised at"
_OPENED_AT: Final = "opened at"
_EXCEPTION: Final = "exception"
_DEATH: Final = "death"
# Outcomes of an attempt that an exception has ended.
_FAILED: Final = ("Failed", "Retry")


def errors_of(spans: Sequence[Span], lineage: Lineage) -> list[Error]:
    """Return the errors that the spans of one process tell, by time.

    What they do not hold is left empty: ids and fingerprint where the event has none, locals.
    """
    found = [_raised(span, event, lineage) for span, event in _exceptions(spans)]
    end = end_of(spans)
    if end is not None:
        found.append(_death(end, spans, lineage))
    return sorted(found, key=lambda error: error.at_ns)


def end_of(spans: Iterable[Span]) -> ProcessEnd | None:
    """Return how the process of these spans died, None where no span says that it did."""
    died = [span for span in spans if span.closed_by == CLOSED_BY_DEATH]
    if not died:
        return None
    said = died[0].attributes
    code = said.get(names.DEATH_EXIT_CODE)
    return ProcessEnd(
        at_ns=max(span.end_ns or 0 for span in died),
        kind=str(said.get(names.DEATH_KIND, "")),
        signal=str(said.get(names.DEATH_SIGNAL, "")),
        exit_code=code if type(code) is int else None,
        message=died[0].description,
    )


def _exceptions(spans: Iterable[Span]) -> Iterator[tuple[Span, Event]]:
    for span in spans:
        for event in span.events:
            if event.name == names.EXCEPTION_EVENT and not _tells_of_death(span, event):
                yield span, event


def _tells_of_death(span: Span, event: Event) -> bool:
    """Whether an event was added by what closed the span: it has the death's kind for a type."""
    kind = span.attributes.get(names.DEATH_KIND)
    said = event.attributes
    closed = span.closed_by == CLOSED_BY_DEATH and names.EXCEPTION_STACKTRACE not in said
    return closed and said.get(names.EXCEPTION_TYPE) == kind


def _raised(span: Span, event: Event, lineage: Lineage) -> Error:
    said = event.attributes
    type_, message = _text(said, names.EXCEPTION_TYPE), _text(said, names.EXCEPTION_MESSAGE)
    chain = read_stack(_text(said, names.EXCEPTION_STACKTRACE), type_, message)
    if not chain:
        module, own = split_type(type_)
        chain = [ExceptionFacts(type=own, module=module, message=message, frames=[])]
    file, line, function = _place(said, chain)
    return Error(
        event_id=_text(said, names.ERROR_ID),
        at_ns=event.at_ns,
        kind=_EXCEPTION,
        chain=chain,
        type=type_,
        message=message,
        file=file,
        line=line,
        function=function,
        place=_RAISED_AT if file else "",
        handled=_handled(span, event, lineage),
        expression=_text(said, names.ERROR_EXPRESSION),
        fingerprint=_text(said, names.ERROR_FINGERPRINT),
        own_file=_text(said, names.ERROR_OWN_FILE),
        own_line=_number(said, names.ERROR_OWN_LINE),
        own_function=_text(said, names.ERROR_OWN_FUNCTION),
        **_whereabouts(span, event.at_ns, lineage),
    )


def _death(end: ProcessEnd, spans: Sequence[Span], lineage: Lineage) -> Error:
    died = [span for span in spans if span.closed_by == CLOSED_BY_DEATH]
    span = innermost(died, None) or died[-1]
    opened = span.attributes
    file = _text(opened, names.CODE_FILE)
    facts = {"kind": end.kind, "signal": end.signal, "exit_code": end.exit_code}
    return Error(
        event_id="",
        at_ns=end.at_ns,
        kind=HANG if end.kind == HANG else _DEATH,
        chain=[],
        type=end.kind,
        message=end.message,
        file=file,
        line=_number(opened, names.CODE_LINE),
        function=_text(opened, names.CODE_FUNCTION),
        place=_OPENED_AT if file else "",
        fingerprint="",
        context={"death": facts, "open_spans": [one.name for one in died]},
        **_whereabouts(span, end.at_ns, lineage),
    )


def _whereabouts(span: Span, at_ns: int, lineage: Lineage) -> dict[str, Any]:
    """Return the fields of an error that its span and the spans around it tell."""
    index, count = lineage.iteration(span, at_ns)
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "task_id": lineage.task_id(span),
        "stage": lineage.stage(span),
        "loop_index": index,
        "loop_count": count,
    }


def _handled(span: Span, event: Event, lineage: Lineage) -> bool:
    """Whether an exception has ended no attempt: somebody has caught it before."""
    if event.attributes.get(names.ERROR_HANDLED) is False:
        return False
    left = all(_left(one, event) for one in lineage.within_process(span))
    return not (left and lineage.outcome(span) in (*_FAILED, None))


def _left(span: Span, event: Event) -> bool:
    """Whether an exception has left a span: another one of its type would have its own event."""
    return (
        span.status == Status.ERROR
        and span.closed_by == CLOSED_BY_END
        and span.attributes.get(names.ERROR_TYPE) == event.attributes.get(names.EXCEPTION_TYPE)
    )


def _place(said: Mapping[str, Any], chain: Sequence[ExceptionFacts]) -> tuple[str, int, str]:
    if names.CODE_FILE in said:
        function = _text(said, names.CODE_FUNCTION)
        return _text(said, names.CODE_FILE), _number(said, names.CODE_LINE), function
    if not chain[0].frames:
        return "", 0, ""
    raised = chain[0].frames[-1]
    return raised.file, raised.line, raised.function


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name, "")
    return value if isinstance(value, str) else str(value)


def _number(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name)
    return value if type(value) is int else 0
