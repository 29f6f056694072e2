"""Folds the records of one process's journal into spans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from telemetry import names, records
from telemetry.journal import JournalRecord

# Between two tasks too a process may live long, and fail often.
_MOST_FAILED = 512
CLOSED_BY_END = "end"
CLOSED_BY_DEATH = "death"


class Event(NamedTuple):
    """An event of a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Any]


class Link(NamedTuple):
    """A link from a span to another, perhaps in another trace."""

    trace_id: bytes
    span_id: bytes
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span as far as its journal tells it.

    Attributes:
        kind: Number of an `opentelemetry.trace.SpanKind`.
        end_ns: None while it is open.
        status: Number of an `opentelemetry.trace.StatusCode`.
        seq: Sequence number of its begin record.
        closed_by: "end" by the process itself, "death" by the process's end, "" while open.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    name: str
    kind: int
    start_ns: int
    end_ns: int | None
    status: int
    description: str
    attributes: Mapping[str, Any]
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    seq: int
    closed_by: str

    @property
    def duration_ns(self) -> int | None:
        """Nanoseconds from start to end; None while it is open."""
        return None if self.end_ns is None else self.end_ns - self.start_ns


_Begun = TypeVar("_Begun", Span, records.SpanBegin)


@dataclass(slots=True)
class _Open:
    begin: records.SpanBegin
    seq: int
    name: str
    attributes: dict[str, Any]
    links: list[Link]
    events: list[Event] = field(default_factory=list)

    def span(self, *, end_ns: int | None, status: int, description: str, closed_by: str) -> Span:
        begin = self.begin
        return Span(
            trace_id=begin.trace_id,
            span_id=begin.span_id,
            parent_id=begin.parent_id,
            name=self.name,
            kind=begin.kind,
            start_ns=begin.start_ns,
            end_ns=end_ns,
            status=status,
            description=description,
            attributes=dict(self.attributes),
            events=tuple(self.events),
            links=tuple(self.links),
            seq=self.seq,
            closed_by=closed_by,
        )


class Folder:
    """Turns one journal's records, in their order, into spans.

    What it keeps is bounded, however long the process lives: the open spans, and what belongs to
    the task in hand (`errors`, `logs`, `failed`, `parameters`), which the next `TaskBegin` clears.

    Attributes:
        task: The newest task begun, or None.
        task_end: That task's end, or None while it runs.
        errors: Errors of the task in hand, in order; before the first task, the process's.
        logs: Likewise; empty with `keep_logs=False`.
        failed: The spans of the task in hand that ended as ERROR, by id.
        parameters: What its loop iterations have set so far, by key.
        iteration: Index and count of the newest loop iteration begun in the task; (0, 0) if none.
        leaving: The exception that has left the task's newest spans, until it is told of as an
            error, or the task is seen to go on: a span begins, or one around it ends well.
        end: How the process ended, once its journal says so.
        left_open: The spans that the process's end closed, in order of opening.
        orphans: Updates, events and ends of spans whose begin was not among the records.
    """

    def __init__(self, *, keep_logs: bool = True) -> None:
        self.task: records.TaskBegin | None = None
        self.task_end: records.TaskEnd | None = None
        self.errors: list[records.Error] = []
        self.logs: list[records.Log] = []
        self.failed: dict[bytes, Span] = {}
        self.parameters: dict[str, Any] = {}
        self.iteration = (0, 0)
        self.leaving: records.Error | None = None
        self.end: records.ProcessEnd | None = None
        self.left_open: tuple[Span, ...] = ()
        self.orphans = 0
        self._keep_logs = keep_logs
        self._open: dict[bytes, _Open] = {}

    @property
    def open_spans(self) -> tuple[Span, ...]:
        """The spans that have begun and not ended, in order of opening."""
        return tuple(
            one.span(end_ns=None, status=records.Status.UNSET, description="", closed_by="")
            for one in self._open.values()
        )

    @property
    def task_in_hand(self) -> records.TaskBegin | None:
        """The newest task, while it runs."""
        return self.task if self.task_end is None else None

    def lineage(self, span_id: bytes | None) -> list[Span]:
        """Return a span that is open or has failed, and its ancestors, innermost first."""
        found: list[Span] = []
        open_spans = {span.span_id: span for span in self.open_spans}
        while span_id is not None:
            span = self.failed.get(span_id) or open_spans.get(span_id)
            if span is None or span in found:
                break
            found.append(span)
            span_id = span.parent_id
        return found

    def feed(self, record: JournalRecord) -> list[Span]:
        """Take the next record; return the spans that it finished."""
        match record.body:
            case records.SpanBegin() as begin:
                self._begin(begin, record.seq)
            case records.SpanUpdate() as update:
                self._update(update)
            case records.SpanEvent() as event:
                self._event(event)
            case records.SpanEnd() as end:
                return self._finish(end)
            case records.ProcessEnd() as end:
                return self._close(end)
            case other:
                self._note(other)
        return []

    def _begin(self, begin: records.SpanBegin, seq: int) -> None:
        links = [Link(*link) for link in begin.links]
        self._open[begin.span_id] = _Open(begin, seq, begin.name, dict(begin.attributes), links)
        if begin.name == names.LOOP_ITERATION:
            get = begin.attributes.get
            self.iteration = (get(names.LOOP_INDEX, 0), get(names.LOOP_COUNT, 0))
        if self.leaving is not None and self.leaving.trace_id == begin.trace_id:
            self.leaving = None

    def _update(self, update: records.SpanUpdate) -> None:
        if (span := self._open.get(update.span_id)) is None:
            self.orphans += 1
        else:
            span.attributes.update(update.attributes)
            span.name = update.name or span.name
            span.links += (Link(*link) for link in update.links)

    def _event(self, event: records.SpanEvent) -> None:
        if (span := self._open.get(event.span_id)) is None:
            self.orphans += 1
        else:
            span.events.append(Event(event.name, event.at_ns, event.attributes))

    def _finish(self, end: records.SpanEnd) -> list[Span]:
        if (span := self._open.pop(end.span_id, None)) is None:
            self.orphans += 1
            return []
        if self.leaving is not None and end.status != records.Status.ERROR:
            self._ended_well(span.begin)
        span.attributes.update(end.attributes)
        finished = span.span(
            end_ns=end.end_ns,
            status=end.status,
            description=end.description,
            closed_by=CLOSED_BY_END,
        )
        if finished.status == records.Status.ERROR:
            self.failed[finished.span_id] = finished
            if len(self.failed) > _MOST_FAILED:
                del self.failed[next(iter(self.failed))]
        elif names.PARAM_KEY in finished.attributes:
            key, value = (finished.attributes.get(n) for n in (names.PARAM_KEY, names.PARAM_NEW))
            self.parameters[str(key)] = value
        return [finished]

    def _ended_well(self, ended: records.SpanBegin) -> None:
        """Forget the exception that was leaving the spans inside of one that ends without it."""
        left = self.leaving.span_id if self.leaving else None
        around = [left, *(span.parent_id for span in self.lineage(left))]
        if ended.span_id in around:
            self.leaving = None

    def _close(self, end: records.ProcessEnd) -> list[Span]:
        self.end = end
        left = list(self._open.values())
        task = self.task_in_hand
        begun = innermost((span.begin for span in left), task.trace_id if task else None)
        if begun is not None:
            _record_death(self._open[begun.span_id], end)
        self._open.clear()
        closed = [_closed_by_death(span, end) for span in left]
        self.left_open = tuple(closed) or self.left_open
        closed.reverse()  # children before their parents, as a living process ends them
        return closed

    def _note(self, body: Any) -> None:
        match body:
            case records.TaskBegin():
                self.task, self.task_end = body, None
                self.errors, self.logs, self.failed = [], [], {}
                self.parameters, self.iteration, self.leaving = {}, (0, 0), None
            case records.TaskEnd():
                self.task_end, self.leaving = body, None
            case records.Raised():
                task = self.task_in_hand
                if task is None or body.error.trace_id == task.trace_id:  # none of a library's own
                    self.leaving = body.error
            case records.Error():
                self.errors.append(body)
                if self.leaving is not None and self.leaving.event_id == body.event_id:
                    self.leaving = None
            case records.Log() if self._keep_logs:
                self.logs.append(body)


def innermost(spans: Iterable[_Begun], trace_id: bytes | None) -> _Begun | None:
    """Return the span that is nested deepest, of as deep ones the last; None where there is none.

    Args:
        spans: Open ones, or the begins of such, in the order of their opening.
        trace_id: That of the task: what libraries open in threads of their own is in others. Of
            no task, None: then all count.
    """
    depths: dict[bytes, int] = {}
    found: _Begun | None = None
    deepest = 0
    for span in spans:
        if trace_id is None or span.trace_id == trace_id:
            depth = depths.get(span.parent_id or b"", 0) + 1
            depths[span.span_id] = depth
            if depth >= deepest:
                found, deepest = span, depth
    return found


def death_attributes(end: records.ProcessEnd) -> dict[str, Any]:
    """Return what a span says that ended because its process did."""
    said = {
        names.DEATH_KIND: end.kind,
        names.DEATH_SIGNAL: end.signal or None,
        names.DEATH_EXIT_CODE: end.exit_code,
    }
    return {name: value for name, value in said.items() if value is not None}


def _record_death(innermost: _Open, end: records.ProcessEnd) -> None:
    """Give the innermost span its exception event, unless an exception has given it one."""
    if any(event.name == names.EXCEPTION_EVENT for event in innermost.events):
        return
    facts = {names.EXCEPTION_TYPE: end.kind, names.EXCEPTION_MESSAGE: end.message}
    innermost.events.append(Event(names.EXCEPTION_EVENT, end.at_ns, facts))


def _closed_by_death(span: _Open, end: records.ProcessEnd) -> Span:
    span.attributes.setdefault(names.ERROR_TYPE, end.kind)
    span.attributes.update(death_attributes(end))
    return span.span(
        end_ns=max(end.at_ns, span.begin.start_ns),
        status=records.Status.ERROR,
        description=end.message or f"the process ended ({end.kind}) while this was open",
        closed_by=CLOSED_BY_DEATH,
    )
