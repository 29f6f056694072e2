"""A span that is in the journal from the moment it begins."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags, TraceState

from telemetry import names
from telemetry.recorder.attributes import clean
from telemetry.recorder.exceptions import message, raised_at, stack_text
from telemetry.recorder.marks import Mark, mark_of
from telemetry.recorder.redaction import redacted
from telemetry.records import Error, Kind, SpanEnd, SpanEvent, SpanUpdate, Status

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

# A member of an enumeration is slow to look up.
_SPAN_UPDATE: Final = Kind.SPAN_UPDATE
_SPAN_END: Final = Kind.SPAN_END
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
# The key of the span in a context, which OpenTelemetry keeps to itself. Its own functions take
# ten times as long to set and get it, for every span and every log record.
SPAN_KEY: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))


class RecordedSpan(trace.Span):
    """An OpenTelemetry span; whatever is done to it is written before the call returns.

    Calls after its end do nothing.
    """

    # Defaults of the class: most spans never set them, and a span is made per loop iteration.
    _status: int = 0
    _description: str = ""
    _context: SpanContext | None = None

    def __init__(
        self,
        recorder: "Recorder | None",
        trace_id: bytes,
        span_id: bytes,
        start_ns: int = 0,
        trace_state: TraceState | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self._recorder = recorder  # None once it has ended
        self._start_ns = start_ns
        self._trace_state = trace_state

    def get_span_context(self) -> SpanContext:
        """Return its ids, for propagation and links."""
        if self._context is None:
            self._context = SpanContext(
                int.from_bytes(self.trace_id),
                int.from_bytes(self.span_id),
                is_remote=False,
                trace_flags=_SAMPLED,
                trace_state=self._trace_state,
            )
        return self._context

    def is_recording(self) -> bool:
        """Whether it is open."""
        return self._recorder is not None

    def set(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Set attributes, in one record; of any type, see `telemetry.recorder.attributes`."""
        self.set_attributes({**(values or {}), **more} if more else values or {})

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes, in one record."""
        recorder = self._recorder
        if recorder is None or not attributes:
            return
        try:
            cleaned = clean(attributes, recorder.redactor)
            update = SpanUpdate(span_id=self.span_id, attributes=cleaned)
            recorder.writer.append(_SPAN_UPDATE, update)
        except Exception as fault:  # noqa: BLE001 - telemetry never raises into a task
            recorder.guard.contain(fault)

    def update_name(self, name: str) -> None:
        """Give it another name."""
        self._update(name=name)

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Link it to another span."""
        self._update(links=[trace.Link(context, attributes)])

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Add an event, `timestamp` in nanoseconds since the epoch."""
        recorder = self._recorder
        if recorder is None:
            return
        with recorder.guard:
            event = SpanEvent(
                span_id=self.span_id,
                name=redacted(name),
                at_ns=timestamp or time.time_ns(),
                attributes=clean(attributes, recorder.redactor) if attributes else {},
            )
            recorder.writer.append(Kind.SPAN_EVENT, event)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002, FBT001, FBT002 - OpenTelemetry's signature
    ) -> None:
        """Add the exception event, unless a span of this journal has had it already."""
        recorder = self._recorder
        if recorder is None:
            return
        with recorder.guard:
            mark, is_new = self._leaving(recorder, exception)
            if is_new:
                self.add_exception(exception, mark, attributes, timestamp)

    def set_status(self, status: trace.Status | StatusCode, description: str | None = None) -> None:
        """Set the status: OK is final, UNSET changes nothing."""
        recorder = self._recorder
        if recorder is None:
            return
        with recorder.guard:
            if isinstance(status, trace.Status):
                code, description = status.status_code, status.description
            else:
                code = status
            if code is StatusCode.UNSET or self._status == Status.OK:
                return
            self._status = code.value
            self._description = redacted(description) if description else ""

    def fail(self, exc: BaseException) -> None:
        """Give it the status ERROR, and the exception event if no span has had that yet."""
        recorder = self._recorder
        if recorder is None:
            return
        with recorder.guard:
            mark, is_new = self._leaving(recorder, exc)
            if is_new:
                self.add_exception(exc, mark)
            self.set_attributes({names.ERROR_TYPE: mark.type})
            if self._status != Status.ERROR:
                self._status = int(Status.ERROR)
                self._description = f"{mark.type}: {message(exc)}"

    def end(self, end_time: int | None = None, attributes: Mapping[str, Any] | None = None) -> None:
        """End it, `end_time` in nanoseconds since the epoch, with attributes in the same record."""
        recorder = self._recorder
        if recorder is None:
            return
        self._recorder = None
        try:
            end_ns = end_time or time.time_ns()
            end = SpanEnd(
                span_id=self.span_id,
                # The clock may have been set back meanwhile.
                end_ns=end_ns if end_ns > self._start_ns else self._start_ns,  # noqa: FURB136 - faster
                status=self._status,
                description=self._description,
                attributes=clean(attributes, recorder.redactor) if attributes else {},
            )
            recorder.writer.append(_SPAN_END, end)
        except Exception as fault:  # noqa: BLE001 - telemetry never raises into a task
            recorder.guard.contain(fault)

    def __exit__(self, kind: object, exc: BaseException | None, trace_: object) -> None:
        """End it; ERROR when an exception leaves the block."""
        if exc is not None:
            self.fail(exc)
        self.end()

    def _update(self, *, name: str = "", links: list[trace.Link] | None = None) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        with recorder.guard:
            update = SpanUpdate(
                span_id=self.span_id,
                attributes={},
                name=redacted(name),
                links=packed_links(links or [], recorder),
            )
            recorder.writer.append(_SPAN_UPDATE, update)

    def _leaving(self, recorder: "Recorder", exc: BaseException) -> tuple[Mark, bool]:
        """Return what is remembered of an exception that leaves, and whether it is new.

        The first time it is taken down, before anything else is written.
        """
        mark = mark_of(exc, recorder.journal)
        is_new = mark is None
        if mark is None:
            mark = recorder.errors.remember(exc, self.trace_id, self.span_id)
        if not mark.is_told:
            recorder.errors.leaving(exc, mark)
        return mark, is_new

    def add_exception(
        self,
        exc: BaseException,
        mark: Mark,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Add the exception event; `record_exception` and `Recorder.error` see that it is once."""
        facts: dict[str, Any] = {
            names.EXCEPTION_TYPE: mark.type,
            names.EXCEPTION_MESSAGE: message(exc),
            names.EXCEPTION_STACKTRACE: stack_text(exc),
        }
        raised = raised_at(exc)
        if raised is not None:
            facts[names.CODE_FILE], facts[names.CODE_LINE], facts[names.CODE_FUNCTION] = raised
        if mark.expression:
            facts[names.ERROR_EXPRESSION] = mark.expression
        if mark.raised_id:
            facts[names.ERROR_ID] = mark.raised_id
        if mark.taken is not None:
            facts[names.ERROR_FINGERPRINT] = mark.taken.fingerprint
            facts |= _own_place(mark.taken)
        self.add_event(names.EXCEPTION_EVENT, {**facts, **(attributes or {})}, timestamp)


def _own_place(error: Error) -> dict[str, Any]:
    """Return our own line as attributes, where a library raised: the other is the convention's."""
    if not error.own_file:
        return {}
    return {
        names.ERROR_OWN_FILE: error.own_file,
        names.ERROR_OWN_LINE: error.own_line,
        names.ERROR_OWN_FUNCTION: error.own_function,
    }


def packed_links(
    links: "list[trace.Link] | tuple[trace.Link, ...]", recorder: "Recorder"
) -> list[tuple[bytes, bytes, dict[str, Any]]]:
    """Return links as a record holds them."""
    return [
        (
            link.context.trace_id.to_bytes(16),
            link.context.span_id.to_bytes(8),
            clean(link.attributes or {}, recorder.redactor),
        )
        for link in links
    ]


def parent_of(
    context: Context | None,
) -> tuple[bytes | None, bytes | None, TraceState | None]:
    """Return the trace id, span id and trace state of the span that a context holds.

    The current context where none is given.
    """
    if context is None:
        context = get_current()
    parent = context.get(SPAN_KEY)
    if type(parent) is RecordedSpan:
        return parent.trace_id, parent.span_id, parent._trace_state  # noqa: SLF001 - of this module
    found = trace.get_current_span(context).get_span_context()
    if not found.is_valid:
        return None, None, None
    return found.trace_id.to_bytes(16, "big"), found.span_id.to_bytes(8, "big"), found.trace_state


# What callers get where nothing is recorded; it has ended, so whatever is done to it does nothing.
INERT: Final = RecordedSpan(None, bytes(16), bytes(8))
