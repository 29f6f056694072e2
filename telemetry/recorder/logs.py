"""Standard logging into the journal: each log record with the span it was written in."""

import logging
import threading
import time
from functools import lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from telemetry import names
from telemetry.recorder import active
from telemetry.recorder.attributes import clean
from telemetry.recorder.exceptions import message, stack_text
from telemetry.recorder.recorded_span import parent_of
from telemetry.recorder.redaction import Redactor, redacted, shortened
from telemetry.recorder.rendering import rendered
from telemetry.recorder.values import type_name
from telemetry.records import Kind, Log

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

LONGEST_MESSAGE: Final = 64 * 1024
# Severity numbers of OpenTelemetry's log data model: TRACE, DEBUG, INFO, WARN, ERROR, FATAL.
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))
_BARE: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None)))
_STANDARD: Final = _BARE | {"message", "asctime"}
_PLAIN_RECORD: Final = logging.LogRecord
_LOG: Final = Kind.LOG  # a member of an enumeration is slow to look up


@lru_cache(maxsize=64)
def severity(level: int) -> int:
    """Return the severity number for a level of standard logging."""
    return next((number for least, number in _SEVERITIES if level >= least), 1)


class _NoLock:
    """What logging may take and give back, at no risk."""

    def acquire(self) -> None:
        pass

    release = __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        pass


_NO_LOCK: Final[Any] = _NoLock()


class JournalHandler(logging.Handler):
    """Writes every log record that reaches it into the journal, before `emit` returns."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()
        self._recorder = recorder

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Have no lock: the writer has one, and a second one is a second way to a deadlock."""
        self.lock = _NO_LOCK

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        recorder = active.chosen() or self._recorder
        try:
            name: Any = record.name
            self._write(
                recorder,
                int(record.created * 1e9),
                record.levelno,
                name if type(name) is str else "",  # made by hand, it may have none
                rendered(record.msg, record.args),
                _attributes(record, recorder.redactor),
            )
        except Exception as fault:  # noqa: BLE001 - telemetry never raises into a task
            recorder.guard.contain(fault)

    def write(self, logger: logging.Logger, level: int, message: str, frame: FrameType) -> None:
        """Write what `logger.log` would have brought here; `frame` is the line that logs."""
        recorder = self._recorder
        try:
            code, thread = frame.f_code, threading.current_thread().name
            origin = _origin(code.co_filename, frame.f_lineno, code.co_name, thread)
            self._write(recorder, time.time_ns(), level, logger.name, message, origin)
        except Exception as fault:  # noqa: BLE001 - as above
            recorder.guard.contain(fault)

    def is_all_that_hears(self, logger: logging.Logger) -> bool:
        """Whether nothing but this handler would see a record of the logger, or change it."""
        listening: logging.Logger | None = logger
        if logger.filters or self.filters or logging.getLogRecordFactory() is not _PLAIN_RECORD:
            return False
        while listening is not None:
            if listening.handlers and listening.handlers != [self]:
                return False
            listening = listening.parent if listening.propagate else None
        return True

    @staticmethod
    def _write(
        recorder: "Recorder",
        at_ns: int,
        level: int,
        logger: str,
        message: str,
        attributes: dict[str, Any],
    ) -> None:
        trace_id, span_id, _ = parent_of(None)
        log = Log(
            at_ns=at_ns,
            severity=severity(level),
            logger=redacted(logger),
            message=shortened(message, LONGEST_MESSAGE),
            trace_id=trace_id,
            span_id=span_id,
            attributes=attributes,
        )
        recorder.writer.append(_LOG, log)


def current_ids() -> tuple[bytes | None, bytes | None]:
    """Return the trace id and the span id of the current span, if there is one."""
    trace_id, span_id, _ = parent_of(None)
    return trace_id, span_id


def _attributes(record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
    origin = _origin(record.pathname, record.lineno, record.funcName, record.threadName)
    exc = record.exc_info[1] if record.exc_info else None
    if exc is None and len(vars(record)) == len(_BARE):
        return origin
    added = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    found = clean(added, redactor) | origin
    if exc is not None:
        facts = {
            names.EXCEPTION_TYPE: type_name(type(exc)),
            names.EXCEPTION_MESSAGE: message(exc),
            names.EXCEPTION_STACKTRACE: stack_text(exc),
        }
        found |= clean(facts, redactor)
    return found


@lru_cache(maxsize=1024)
def _origin(file: str, line: int, function: str | None, thread: str | None) -> dict[str, Any]:
    """Return what the records of one line have in common; whoever gets it only reads it."""
    facts = {
        names.CODE_FILE: file,
        names.CODE_LINE: line,
        names.CODE_FUNCTION: function,
        "thread.name": thread,
    }
    return clean(facts, Redactor())  # none of these keys is one that a redactor decides by
