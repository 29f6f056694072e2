"""From the record of an error to the failure on the task's row: one sentence, and the facts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from telemetry.records import Error
from worker.errors import InputError, InvalidTask, UnknownModel, WorkerError
from worker.task import Failed, Failure, Outcome, Retry

_REFUSALS = (InvalidTask, InputError, UnknownModel)


def failure_of(error: Error, cause: BaseException | None = None, *, more: str = "") -> Failure:
    """Make the failure that an error record tells of.

    `cause` is the exception itself, where there is one: it says whether the input was refused
    and whether another attempt may succeed. `more` joins the sentence.
    """
    said = sentence(error, named=not isinstance(cause, WorkerError))
    refused = isinstance(cause, _REFUSALS)
    death = error.context.get("death", {})
    return Failure(
        kind="refused" if refused else error.kind,
        type=error.type,
        message=error.message,
        sentence=f"{said}; {more}" if more else said,
        file=error.file,
        line=error.line,
        function=error.function,
        place=error.place,
        stage=error.stage,
        loop_index=error.loop_index,
        loop_count=error.loop_count,
        fingerprint=error.fingerprint,
        trace_id=error.trace_id.hex() if error.trace_id else "",
        span_id=error.span_id.hex() if error.span_id else "",
        event_id=error.event_id,
        expression=error.expression,
        caused_by=dict(error.context.get("caused_by", {})),
        retryable=isinstance(cause, WorkerError) and cause.retryable,
        signal=death.get("signal", ""),
        exit_code=death.get("exit_code"),
        last_words=tuple(error.context.get("last_words", ())),
        own_file=error.own_file,
        own_line=error.own_line,
        own_function=error.own_function,
    )


def with_record(outcome: Outcome, record: Mapping[str, Any]) -> Outcome:
    """Return an outcome whose failure, if it is one, says how complete the record of it is."""
    if isinstance(outcome, Failed | Retry):
        return replace(outcome, failure=replace(outcome.failure, record=dict(record)))
    return outcome


def sentence(error: Error, *, named: bool = True) -> str:
    """Say in one sentence what failed, and where; `named` puts the error's type in front.

    An error of our own explains itself; a foreign one needs its type, its line and what was None to
    be understood. What was handled before and is behind it is told in any case.
    """
    said = error.message
    if named and error.kind == "exception":
        said = f"{error.type}: {said}" if said else error.type
    if named and error.expression:
        said = f"{said}; {error.expression} was None" if "None" in error.message else said
    if named and error.file:
        where = _where(error.file, error.line, error.function)
        if error.own_file:
            where += f", called at {_where(error.own_file, error.own_line, error.own_function)},"
        during = f" during {error.stage}" if error.stage else ""
        said = f"{said} ({error.place} {f'{where}{during}'.rstrip(',')})"
    cause = error.context.get("caused_by")
    return f"{said}; {_cause(cause)}" if cause else said


def _cause(cause: Mapping[str, Any]) -> str:
    """Say what was handled before, where, and how it is known to be behind the failure."""
    said = f"{cause['known_by']}: {cause['type']}: {cause['message']}"
    if not cause.get("file"):
        return said
    where = _where(cause["file"], cause["line"], cause["function"])
    if cause.get("own_file"):
        own = _where(cause["own_file"], cause["own_line"], cause["own_function"])
        where = f"{where}, called at {own}"
    return f"{said} ({cause['place']} {where})"


def _where(file: str, line: int, function: str) -> str:
    return f"{PurePath(file).name}:{line} in {function}"
