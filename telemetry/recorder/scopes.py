"""The `with` blocks of the recorder: a span that is current, a place, a task."""

import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Link, set_span_in_context

from telemetry.recorder.capture import NOWHERE, Place
from telemetry.recorder.recorded_span import INERT, RecordedSpan
from telemetry.records import Kind, TaskBegin, TaskEnd

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

PLACE: Final = ContextVar("loop26.place", default=NOWHERE)


class SpanScope:
    """Begins a span, makes it the current one, and ends it: as ERROR if an exception leaves."""

    __slots__ = (
        "_attributes",
        "_context",
        "_ids",
        "_kind",
        "_links",
        "_name",
        "_recorder",
        "_span",
        "_start_ns",
        "_token",
    )

    def __init__(
        self,
        recorder: "Recorder",
        name: str,
        attributes: Mapping[str, Any] | None,
        kind: int,
        context: Context | None = None,
        links: Sequence[Link] = (),
        start_ns: int | None = None,
        ids: tuple[bytes | None, bytes | None] = (None, None),
    ) -> None:
        self._recorder = recorder
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._context = context
        self._links = links
        self._start_ns = start_ns
        self._ids = ids
        self._span = INERT
        self._token: Token[Context] | None = None

    def __enter__(self) -> RecordedSpan:
        recorder = self._recorder
        try:
            context = otel_context.get_current() if self._context is None else self._context
            span = recorder.begin(
                self._name,
                self._attributes,
                self._kind,
                context,
                self._links,
                self._start_ns,
                self._ids,
                sys._getframe(1),  # noqa: SLF001 - the line that opens the span, in 0.2 µs
            )
            self._span = span
            self._token = otel_context.attach(set_span_in_context(span, context))
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


class PlacedScope(SpanScope):
    """A span that is also the place which an error in it is attributed to."""

    __slots__ = ("_outer", "_place")

    def at(self, place: Place) -> Self:
        """Set the place."""
        self._place = place
        return self

    def __enter__(self) -> RecordedSpan:
        self._outer = PLACE.get()
        PLACE.set(self._place)
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, exc, trace)
        PLACE.set(self._outer)


class TaskScope:
    """One attempt at a task in this process.

    Attributes:
        task_id: Its id.
        outcome: Class name of its outcome; set it before the block ends.
        iteration: Index and count of the newest loop iteration begun in it; (0, 0) before.
    """

    __slots__ = ("_begin", "_recorder", "iteration", "outcome", "task_id")

    def __init__(self, recorder: "Recorder", begin: TaskBegin) -> None:
        self._recorder = recorder
        self._begin = begin
        self.task_id = begin.task_id
        self.outcome = ""
        self.iteration = (0, 0)

    def __enter__(self) -> Self:
        with self._recorder.guard:
            self._recorder.task_scope = self
            self._recorder.writer.append(Kind.TASK_BEGIN, self._begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._recorder.guard:
            end = TaskEnd(
                task_id=self.task_id,
                attempt=self._begin.attempt,
                at_ns=time.time_ns(),
                outcome=self.outcome,
            )
            self._recorder.writer.append(Kind.TASK_END, end)
            self._recorder.task_scope = None


class InertScope:
    """What stands for a scope where nothing is recorded."""

    __slots__ = ()

    def __enter__(self) -> RecordedSpan:
        return INERT

    def __exit__(self, *exc_info: object) -> None:
        pass


INERT_SCOPE: Final = InertScope()
