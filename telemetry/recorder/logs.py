"""Standard logging into the journal: each log record with the span it was written in."""

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace

from telemetry import names
from telemetry.recorder.attributes import clean, shortened
from telemetry.recorder.exceptions import message, stack_text
from telemetry.recorder.recorded_span import RecordedSpan
from telemetry.recorder.redaction import redacted
from telemetry.recorder.values import described, type_name
from telemetry.records import Kind, Log

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

LONGEST_MESSAGE: Final = 64 * 1024
# Severity numbers of OpenTelemetry's log data model: TRACE, DEBUG, INFO, WARN, ERROR, FATAL.
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))
_STANDARD: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "asctime",
}


def severity(level: int) -> int:
    """Return the severity number for a level of standard logging."""
    return next((number for least, number in _SEVERITIES if level >= least), 1)


class JournalHandler(logging.Handler):
    """Writes every log record that reaches it into the journal, before `emit` returns."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()
        self._recorder = recorder

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Have no lock: the writer has one, and a second one is a second way to a deadlock."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        recorder = self._recorder
        with recorder.guard:
            trace_id, span_id = current_ids()
            log = Log(
                at_ns=int(record.created * 1e9),
                severity=severity(record.levelno),
                logger=record.name,
                message=redacted(shortened(_message(record), LONGEST_MESSAGE)),
                trace_id=trace_id,
                span_id=span_id,
                attributes=clean(_attributes(record), recorder.redactor),
            )
            recorder.writer.append(Kind.LOG, log)


def current_ids() -> tuple[bytes | None, bytes | None]:
    """Return the trace id and the span id of the current span, if there is one."""
    span = trace.get_current_span()
    if type(span) is RecordedSpan:
        return span.trace_id, span.span_id
    context = span.get_span_context()
    if not context.is_valid:
        return None, None
    return context.trace_id.to_bytes(16), context.span_id.to_bytes(8)


def _message(record: logging.LogRecord) -> str:
    args = record.args
    if type(args) is tuple and args:
        # Formatting a tensor copies it from its device, and crashes after a CUDA error.
        args = tuple(described(arg) if _is_of_torch(arg) else arg for arg in args)
        return str(record.msg) % args
    return record.getMessage()


def _is_of_torch(value: Any) -> bool:
    return type_name(type(value)).startswith("torch.")


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    found = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    found[names.CODE_FILE] = record.pathname
    found[names.CODE_LINE] = record.lineno
    found[names.CODE_FUNCTION] = record.funcName
    found["thread.name"] = record.threadName
    exc = record.exc_info[1] if record.exc_info else None
    if exc is not None:
        found[names.EXCEPTION_TYPE] = type_name(type(exc))
        found[names.EXCEPTION_MESSAGE] = message(exc)
        found[names.EXCEPTION_STACKTRACE] = stack_text(exc)
    return found
