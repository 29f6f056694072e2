"""Writes exceptions down: each once, with the place it had, and what may have caused it."""

import secrets
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from opentelemetry import trace

from telemetry import names
from telemetry.recorder.capture import (
    Place,
    bare_error,
    capture,
    fingerprint,
    fingerprint_of_both,
    passes_through,
)
from telemetry.recorder.exceptions import LONGEST_MESSAGE, chain, message, raised_at
from telemetry.recorder.expression import expression_of
from telemetry.recorder.leaving import Allowance, as_first_taken, inside_of_span, let_go
from telemetry.recorder.logs import current_ids
from telemetry.recorder.marks import Mark, mark_of, new_mark
from telemetry.recorder.own_code import OwnCode
from telemetry.recorder.recorded_span import RecordedSpan
from telemetry.recorder.redaction import redacted, shortened
from telemetry.recorder.suspects import cause, form_of, holds, is_watched
from telemetry.recorder.values import type_name
from telemetry.records import Error, Kind, Raised

if TYPE_CHECKING:
    from telemetry.recorder.recorder import Recorder

_REPORTED: Final = "Reported"  # the type of an error of which there is a text alone


class ErrorWriter:
    """Writes a recorder's errors. None of its methods raises because of a fault of telemetry."""

    def __init__(self, recorder: "Recorder", own: OwnCode) -> None:
        self._recorder = recorder
        self._own = own
        self._busy = threading.local()
        self._allowance = Allowance()

    def error(self, exc: BaseException, *, kind: str, handled: bool) -> Error:
        """Write an exception; see `Recorder.error`."""
        error: Error | None = None
        with self._recorder.guard:
            error = self._error(exc, kind=kind, handled=handled)
        return bare_error(exc, kind, self._recorder.place) if error is None else error

    def handled(self, exc: BaseException, found: str, *, escaped: bool = False) -> Error | None:
        """Write an exception that was found where it is handled, if a task runs.

        Args:
            exc: What is being handled.
            found: Where it showed: "log", "traceback", "thread", …
            escaped: Whether it ends the process: then it is no handled one, and needs no task.
        """
        scope = self._recorder.task_scope
        # To take an exception down, its text is asked for, which may log, and so on for ever.
        if (scope is None and not escaped) or getattr(self._busy, "now", False):
            return None
        self._busy.now = True
        try:
            with self._recorder.guard:
                known = self._known(exc)
                if known is not None:
                    return known
                context = {"found": found, "thread": threading.current_thread().name}
                if scope is None or escaped:
                    return self._error(exc, handled=False, context=context)
                key = _key(exc)
                if not scope.suspects.admits(key, message(exc)):
                    return None
                error = self._error(exc, handled=True, context=context)
                scope.suspects.add(key, error)
                return error
        finally:
            self._busy.now = False
        return None

    def told(self, text: str, frame: FrameType) -> Error | None:
        """Write the exception that an engine has passed on as a text; `frame` was given it.

        Where none is found, neither in hand nor among those handled before, the text is written.
        """
        scope = self._recorder.task_scope
        if scope is None:
            return None
        with self._recorder.guard:
            found = scope.suspects.told_by(text)
            exc = _of_text(text) or (sys.exc_info()[1] if found is None else None)
            if exc is not None:
                return self.handled(exc, "callback")
            key = (_REPORTED, text)
            if found is not None or not scope.suspects.admits(key, text):
                return found
            error = self._reported(text, frame)
            scope.suspects.add(key, error)
            return error
        return None

    def leaving(self, exc: BaseException, mark: Mark) -> None:
        """Take an exception down as it leaves the innermost span, while that is current.

        What may change its frames' values, or end the process, runs after this.
        """
        mark.is_told = True
        if getattr(self._busy, "now", False) or not self._allowance.admits(exc, mark):
            let_go(exc)  # what `remember` has read of it
            return
        self._busy.now = True
        started = time.perf_counter()
        try:
            with self._recorder.guard:
                error = self._with_cause(inside_of_span(self._taken(exc, mark)), exc, None)
                self._recorder.writer.append(Kind.RAISED, Raised(error=error))
                mark.raised_id = error.event_id
        finally:
            self._busy.now = False
            self._allowance.spend(time.perf_counter() - started)

    def renew_allowance(self) -> int:
        """Begin to count anew what leaves spans; return how many were not taken down there."""
        before, self._allowance = self._allowance, Allowance()
        return before.left_out

    def remember(self, exc: BaseException, trace_id: bytes | None, span_id: bytes | None) -> Mark:
        """Remember an exception that is seen for the first time, in the span with these ids."""
        journal, place = self._recorder.journal, self._placed(self._recorder.place, trace_id)
        mark = new_mark(exc, journal, *self._ids(trace_id, span_id), place)
        with self._recorder.guard:
            mark.expression = expression_of(exc)
        return mark

    def _error(
        self,
        exc: BaseException,
        *,
        handled: bool,
        kind: str = "exception",
        context: dict[str, Any] | None = None,
    ) -> Error:
        recorder = self._recorder
        mark = mark_of(exc, recorder.journal)
        before = None if mark is None else mark.error
        if before is not None and (handled or not before.handled):
            return before
        seen = mark is not None
        if mark is None:
            mark = self.remember(exc, *current_ids())
        error = self._taken(exc, mark, kind=kind, handled=handled, context=context)
        if mark.raised_id:
            error = msgspec.structs.replace(error, event_id=mark.raised_id)
        if not handled:
            error = self._with_cause(error, exc, before)
        recorder.writer.append(Kind.ERROR, error)
        # One that is handled, and then goes on, leaves its next span as a new one.
        mark.error, mark.raised_id, mark.is_told = error, "", not handled
        span = trace.get_current_span()
        if type(span) is RecordedSpan:
            if not seen:
                facts = {names.ERROR_ID: error.event_id, names.ERROR_HANDLED: handled}
                span.add_exception(exc, mark, facts)
            if not handled and (not seen or span.span_id == mark.span_id):
                span.fail(exc)
        return error

    def _taken(
        self,
        exc: BaseException,
        mark: Mark,
        *,
        kind: str = "exception",
        handled: bool = False,
        context: dict[str, Any] | None = None,
    ) -> Error:
        error = capture(
            exc,
            redactor=self._recorder.redactor,
            own=self._own,
            kind=kind,
            place=mark.place,
            trace_id=mark.trace_id,
            span_id=mark.span_id,
            handled=handled,
            task_id=self._task_id(),
            expression=mark.expression,
            context=context,
            guard=self._recorder.guard,
        )
        let_go(exc)
        mark.taken = as_first_taken(error, exc, self._recorder.journal)
        return mark.taken

    def _with_cause(self, error: Error, exc: BaseException, before: Error | None) -> Error:
        """Say in an error's context which handled one is behind it."""
        if before is not None:  # it was handled, and then let go on
            return _adding(error, written_before=before.event_id)
        scope = self._recorder.task_scope
        for link in chain(exc)[1:]:
            written = self._known(link.exception)
            if written is not None:
                return self._caused(error, written, "in its chain")
        found = None if scope is None else scope.suspects.cause_of(error)
        return self._caused(error, *found) if found else error

    def _caused(self, error: Error, behind: Error, known_by: str) -> Error:
        """Say what is behind an error; what our packages say of a folder's code is known by it."""
        spoken_of = not is_watched(behind)  # a replay watches, and is to know its failure again
        if spoken_of and self._own.folders and not passes_through(error.chain[0], self._own):
            both = fingerprint_of_both(error, behind)
            error = msgspec.structs.replace(error, fingerprint=both)
        scope = self._recorder.task_scope
        if scope is not None and behind.type == _REPORTED:
            # A text says less than an exception of which nobody has said a word.
            watched = scope.suspects.watched_in(behind.stage)
            if watched is not None:
                behind, known_by = watched, "handled before, in the same stage"
        return _adding(error, caused_by=cause(behind, known_by))

    def _reported(self, text: str, frame: FrameType) -> Error:
        code = frame.f_code
        stage, index, count = self._placed(self._recorder.place, current_ids()[0])
        trace_id, span_id = self._ids(*current_ids())
        error = Error(
            event_id=secrets.token_hex(16),
            at_ns=time.time_ns(),
            kind="exception",
            chain=[],
            type=_REPORTED,
            message=shortened(text, LONGEST_MESSAGE),
            file=redacted(code.co_filename),
            line=frame.f_lineno,
            function=code.co_qualname,
            place="reported at",
            stage=stage,
            loop_index=index,
            loop_count=count,
            fingerprint=fingerprint(f"{_REPORTED} {form_of(text) or code.co_qualname}", (), stage),
            trace_id=trace_id,
            span_id=span_id,
            handled=True,
            task_id=self._task_id(),
        )
        self._recorder.writer.append(Kind.ERROR, error)
        return error

    def _known(self, exc: BaseException) -> Error | None:
        mark = mark_of(exc, self._recorder.journal)
        return None if mark is None else mark.error

    def _ids(
        self, trace_id: bytes | None, span_id: bytes | None
    ) -> tuple[bytes | None, bytes | None]:
        """Return a span's ids; where there is no span, in a thread of the engine, the task's."""
        scope = self._recorder.task_scope
        return (trace_id, span_id) if trace_id or scope is None else scope.ids

    def _placed(self, place: Place, trace_id: bytes | None) -> Place:
        """Complete a place: how far the loop had come, of an error that is raised outside of it.

        A thread of the engine has no place of its own, nor spans in the task's trace.
        """
        scope = self._recorder.task_scope
        if scope is None or place.loop_count:
            return place
        elsewhere = not place.stage and trace_id != scope.ids[0]
        return scope.place if elsewhere else scope.place._replace(stage=place.stage)

    def _task_id(self) -> str:
        scope = self._recorder.task_scope
        return "" if scope is None else scope.task_id


def _adding(error: Error, **context: Any) -> Error:
    return msgspec.structs.replace(error, context=error.context | context)


def _key(exc: BaseException) -> tuple[str, ...]:
    """Return what exceptions of one kind have in common: type and line."""
    file, line, _ = raised_at(exc) or ("", 0, "")
    return type_name(type(exc)), file, str(line)


def _of_text(text: str) -> BaseException | None:
    """Return the exception that a text is of, if it is being handled now.

    An engine may work in a thread of its own, and its callbacks run in another.
    """
    of_all_threads: Any = sys._current_exceptions().values()  # noqa: SLF001 - documented
    for found in (sys.exc_info(), *of_all_threads):
        current = found[1] if isinstance(found, tuple) else found  # from 3.12 on the exception
        for link in chain(current) if current is not None else ():
            if holds(text, message(link.exception)):
                return link.exception
    return None
