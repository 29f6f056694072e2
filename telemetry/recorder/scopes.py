"""The `with` blocks of the recorder: a span that is current, a place, a task."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Link

from telemetry.recorder.capture import NOWHERE, Place
from telemetry.recorder.recorded_span import INERT, SPAN_KEY, RecordedSpan, parent_of
from telemetry.recorder.suspects import Suspects
from telemetry.records import Kind, TaskBegin, TaskEnd

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

_log = logging.getLogger(__name__)

PLACE: Final = ContextVar("loop26.place", default=NOWHERE)


class SpanScope:
    """Begins a span, makes it the current one, and ends it: as ERROR if an exception leaves.

    With a `place`, errors in the block are attributed to that.
    """

    __slots__ = ("_context", "_given", "_outer", "_place", "_recorder", "_span", "_token")

    def __init__(  # noqa: PLR0913 - each is a fact of the span
        self,
        recorder: "Recorder",
        name: str,
        attributes: Mapping[str, Any] | None,
        kind: int,
        context: Context | None = None,
        links: Sequence[Link] = (),
        start_ns: int | None = None,
        ids: tuple[bytes | None, bytes | None] = (None, None),
        *,
        place: Place | None = None,
    ) -> None:
        self._recorder = recorder
        self._given = (name, attributes, kind, links, start_ns, ids)
        self._context = context
        self._place = place
        self._outer = NOWHERE
        self._span = INERT
        self._token: Token[Context] | None = None

    def __enter__(self) -> RecordedSpan:
        recorder = self._recorder
        if self._place is not None:
            self._outer = PLACE.get()
            PLACE.set(self._place)
        try:
            context = otel_context.get_current() if self._context is None else self._context
            frame = sys._getframe(1)  # noqa: SLF001 - the line that opens the span, in 0.2 µs
            span = recorder.begin(context, frame, *self._given)
            self._span = span
            self._token = otel_context.attach(Context({**context, SPAN_KEY: span}))
        except Exception as fault:  # noqa: BLE001 - telemetry never raises into a task
            recorder.guard.contain(fault)
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if exc is not None:
            self._span.fail(exc)
        self._span.end()
        if self._token is not None:
            otel_context.detach(self._token)
        if self._place is not None:
            PLACE.set(self._outer)


class TaskScope:
    """One attempt at a task in this process.

    Attributes:
        task_id: Its id.
        outcome: Class name of its outcome; set it before the block ends.
        ids: Trace id and span id that it began with: of what has no span of its own.
        place: The newest stage begun in it, and the newest loop iteration.
        suspects: The exceptions handled in it.
    """

    __slots__ = ("_begin", "_recorder", "ids", "outcome", "place", "suspects", "task_id")

    def __init__(self, recorder: "Recorder", begin: TaskBegin) -> None:
        self._recorder = recorder
        self._begin = begin
        self.task_id = begin.task_id
        self.outcome = ""
        # Zeros stand for no trace.
        trace_id = begin.trace_id if any(begin.trace_id) else None
        self.ids: tuple[bytes | None, bytes | None] = (trace_id, None)
        self.place = NOWHERE
        self.suspects = Suspects()

    def __enter__(self) -> Self:
        with self._recorder.guard:
            trace_id, span_id, _ = parent_of(None)
            if trace_id == self._begin.trace_id:
                self.ids = (trace_id, span_id)
            self._recorder.task_scope = self
            self._recorder.errors.renew_allowance()
            self._recorder.writer.append(Kind.TASK_BEGIN, self._begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._recorder.guard:
            self._recorder.task_scope = None
            counted = self.suspects.summary()
            if counted:
                _log.warning("exceptions handled and not written one by one: %s", counted)
            if left_out := self._recorder.errors.renew_allowance():
                _log.warning("exceptions that left spans and were not taken down: %d", left_out)
            end = TaskEnd(
                task_id=self.task_id,
                attempt=self._begin.attempt,
                at_ns=time.time_ns(),
                outcome=self.outcome,
            )
            self._recorder.writer.append(Kind.TASK_END, end)


class InertScope:
    """What stands for a scope where nothing is recorded."""

    __slots__ = ()

    def __enter__(self) -> RecordedSpan:
        return INERT

    def __exit__(self, *exc_info: object) -> None:
        pass


INERT_SCOPE: Final = InertScope()
