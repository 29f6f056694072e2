"""What failed, and where: the record of the error, or what the queue's row kept of it."""

from typing import Any

from telemetry.records import Error, ExceptionFacts, Frame
from telemetry.reports.case import TaskRow
from telemetry.reports.findings import (
    ExceptionFound,
    FailureFound,
    FrameFound,
    Location,
    SourceLine,
)
from telemetry.reports.origins import values
from telemetry.reports.progress import moment


def failure(error: Error | None, row: TaskRow) -> FailureFound | None:
    """Return what the task ended with; None where neither record nor row knows of a failure.

    The row tells what the record lacks: the sentence that people were given, a death's signal.
    """
    if error is None:
        return _of_row(row) if row.error else None
    chain = [_exception(facts) for facts in error.chain]
    frames = _deciding(error, chain)
    death = error.context.get("death", {})
    return FailureFound(
        kind=str(row.error.get("kind", error.kind)),
        type=error.type,
        message=error.message,
        sentence=str(row.error.get("sentence") or row.error_message or _sentence(error)),
        place=error.place,
        location=Location(file=error.file, line=error.line, function=error.function),
        stage=error.stage,
        at=moment(error.at_ns),
        expression=error.expression,
        values=values(error.expression, frames),
        frames=frames,
        chain=chain,
        fingerprint=error.fingerprint or str(row.error.get("fingerprint", "")),
        handled=error.handled,
        caused_by=dict(error.context.get("caused_by", {})),
        signal=str(death.get("signal", "")),
        exit_code=death.get("exit_code"),
        last_words=list(error.context.get("last_words", [])),
    )


def _of_row(row: TaskRow) -> FailureFound:
    """Return what the row kept: the place, and no stack."""
    told: dict[str, Any] = row.error
    return FailureFound(
        kind=str(told.get("kind", "")),
        type=str(told.get("type", "")),
        message=str(told.get("message", "")),
        sentence=str(told.get("sentence") or row.error_message),
        place=str(told.get("place", "")),
        location=Location(
            file=str(told.get("file", "")),
            line=int(told.get("line", 0)),
            function=str(told.get("function", "")),
        ),
        stage=str(told.get("stage", "")),
        at=row.returned,
        expression=str(told.get("expression", "")),
        values=[],
        frames=[],
        chain=[],
        fingerprint=str(told.get("fingerprint", "")),
        handled=False,
        caused_by=dict(told.get("caused_by", {})),
        signal=str(told.get("signal", "")),
        exit_code=told.get("exit_code"),
        last_words=list(told.get("last_words", [])),
    )


def _deciding(error: Error, chain: list[ExceptionFound]) -> list[FrameFound]:
    """Return the frames of the exception that the error's place is of; else of the first."""
    for one in chain:
        if one.frames and (one.frames[-1].file, one.frames[-1].line) == (error.file, error.line):
            return one.frames
    return chain[0].frames if chain else []


def _exception(facts: ExceptionFacts) -> ExceptionFound:
    return ExceptionFound(
        type=facts.type,
        module=facts.module,
        message=facts.message,
        relation=facts.relation,
        frames=[_frame(frame) for frame in facts.frames],
    )


def _frame(frame: Frame) -> FrameFound:
    lines = enumerate(frame.source, frame.source_first_line)
    return FrameFound(
        file=frame.file,
        line=frame.line,
        function=frame.function,
        locals=dict(frame.locals),
        module=frame.module,
        in_app=frame.in_app,
        source=[SourceLine(number=number, text=text) for number, text in lines],
    )


def _sentence(error: Error) -> str:
    said = f"{error.type}: {error.message}" if error.message else error.type
    where = f" ({error.place} {error.file}:{error.line} in {error.function})" if error.file else ""
    return f"{said}{where}"
