"""OpenTelemetry's tracer provider and tracer, on the recorder of this process."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.util._decorator import (
    _agnosticcontextmanager,  # OpenTelemetry's own SDK needs it for the same method
)

from telemetry.recorder.active import current
from telemetry.recorder.recorded_span import INERT, RecordedSpan


class JournalTracer(trace.Tracer):
    """Begins spans in the journal of whichever recorder is installed at that moment."""

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002, FBT001, FBT002 - OpenTelemetry's signature
        set_status_on_exception: bool = True,  # noqa: ARG002, FBT001, FBT002 - the same
    ) -> Span:
        """Begin a span that does not become the current one."""
        recorder = current()
        if recorder is None:
            return INERT
        with recorder.guard:
            frame = sys._getframe(1)  # noqa: SLF001 - the line that begins the span
            return recorder.begin(
                context, frame, name, attributes, kind.value, links or (), start_time
            )
        return INERT

    @_agnosticcontextmanager
    def start_as_current_span(  # noqa: PLR0913, PLR0917 - OpenTelemetry's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - OpenTelemetry's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - OpenTelemetry's signature
        end_on_exit: bool = True,  # noqa: FBT001, FBT002 - OpenTelemetry's signature
    ) -> Iterator[Span]:
        """Begin a span and make it the current one; usable as a decorator, too."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with trace.use_span(
            span,
            end_on_exit=False,
            record_exception=False,
            set_status_on_exception=False,
        ):
            try:
                yield span
            except BaseException as exc:
                _failed(span, exc, record=record_exception, status=set_status_on_exception)
                raise
            finally:
                if end_on_exit:
                    span.end()


class JournalTracerProvider(trace.TracerProvider):
    """Gives the one tracer; spans do not name the library that made them."""

    def get_tracer(
        self,
        instrumenting_module_name: str,  # noqa: ARG002 - OpenTelemetry's signature
        instrumenting_library_version: str | None = None,  # noqa: ARG002 - the same
        schema_url: str | None = None,  # noqa: ARG002 - the same
        attributes: Mapping[str, Any] | None = None,  # noqa: ARG002 - the same
    ) -> trace.Tracer:
        """Return the tracer."""
        return JournalTracer()


def become_global() -> None:
    """Make the journal OpenTelemetry's global tracer provider; it can be set once a process."""
    if not isinstance(trace.get_tracer_provider(), JournalTracerProvider):
        trace.set_tracer_provider(JournalTracerProvider())


def _failed(span: Span, exc: BaseException, *, record: bool, status: bool) -> None:
    if type(span) is not RecordedSpan:
        return
    if record:
        span.record_exception(exc)
    if status:
        span.fail(exc)
