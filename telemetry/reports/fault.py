"""What failed, and where: the record of the error, or what the queue's row kept of it."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec

from telemetry.recorder.own_code import own_caller
from telemetry.records import Error, ExceptionFacts, Frame
from telemetry.reports.case import TaskRow, well_formed
from telemetry.reports.findings import (
    ExceptionFound,
    FailureFound,
    FrameFound,
    Location,
    RootCauseFound,
    SourceLine,
    ValueFound,
)
from telemetry.reports.origins import values
from telemetry.reports.places import location_of, told_location, told_own
from telemetry.reports.progress import moment
from telemetry.reports.spoken import NO_INDEX, NO_KEY, NOT_RECORDED, shown_as

HANDLED: Final = "handled before"  # the relation of what is behind a failure, and not in its chain


def failure(
    error: Error | None, row: TaskRow, recorded: Sequence[Error] = ()
) -> FailureFound | None:
    """Return what the task ended with; None where neither record nor row knows of a failure.

    The row tells what the record lacks: the sentence that people were given, a death's signal.
    Among what is `recorded` is the exception that the error names as its cause.
    """
    if error is None:
        return _of_row(row) if row.error else None
    own = [_exception(facts) for facts in error.chain]
    frames = _deciding(error, own)
    place = Location(file=error.file, line=error.line, function=error.function)
    called = told_own(msgspec.structs.asdict(error)) or _own_of(frames)
    context = well_formed(error.context)
    caused_by = context.get("caused_by", {})
    before = _before(own, caused_by, recorded)
    root = _of_link(own, error.expression) or _of_handled(caused_by, before)
    if root is not None and (root.location, root.own) == (place, called) and place.file:
        root = None  # it says nothing new: the same line failed again
    death = context.get("death", {})
    return FailureFound(
        kind=str(row.error.get("kind", error.kind)),
        type=error.type,
        message=error.message,
        sentence=str(row.error.get("sentence") or row.error_message or _sentence(error)),
        place=error.place,
        location=place,
        stage=error.stage,
        at=moment(error.at_ns),
        expression=error.expression,
        values=_values(error, own, frames, before, root),
        frames=frames,
        chain=[*own, *before],
        fingerprint=error.fingerprint or str(row.error.get("fingerprint", "")),
        handled=error.handled,
        caused_by=caused_by,
        signal=str(death.get("signal", "")),
        exit_code=death.get("exit_code"),
        last_words=context.get("last_words", []),
        root=root,
        own=called,
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
        location=told_location(told),
        stage=str(told.get("stage", "")),
        at=row.returned,
        expression=str(told.get("expression", "")),
        values=[],
        frames=[],
        chain=[],
        fingerprint=str(told.get("fingerprint", "")),
        handled=False,
        caused_by=told.get("caused_by", {}),
        signal=str(told.get("signal", "")),
        exit_code=told.get("exit_code"),
        last_words=told.get("last_words", []),
        root=_of_handled(told.get("caused_by", {}), []),
        own=told_own(told),
    )


def _deciding(error: Error, chain: list[ExceptionFound]) -> list[FrameFound]:
    """Return the frames of the exception that the error's place is of; else of the first."""
    for one in chain:
        if one.frames and (one.frames[-1].file, one.frames[-1].line) == (error.file, error.line):
            return one.frames
    return chain[0].frames if chain else []


def _before(
    own: Sequence[ExceptionFound], cause: Mapping[str, Any], recorded: Sequence[Error]
) -> list[ExceptionFound]:
    """Return the exceptions of what was handled before; [] where the failure's chain has them."""
    named = cause.get("event_id")
    behind = next((one for one in recorded if named and one.event_id == named), None)
    found = [_exception(facts) for facts in behind.chain] if behind else []
    if not found or _key(found[0]) in map(_key, own[1:]):
        return []
    return [msgspec.structs.replace(found[0], relation=HANDLED), *found[1:]]


def _key(one: ExceptionFound) -> tuple[str, str, Location]:
    return one.module, one.type, _raised_at(one)


def _raised_at(one: ExceptionFound) -> Location:
    if not one.frames:
        return Location(file="", line=0, function="")
    return location_of(one.frames[-1])


def _own_of(frames: Sequence[FrameFound]) -> Location | None:
    """Return our own line of a stack that ends in a library, as an older record has it."""
    caller = own_caller(frames)
    return location_of(caller) if caller else None


def _innermost(chain: Sequence[ExceptionFound]) -> ExceptionFound:
    """Return the last cause of a chain; what the members of a group have is none of the group's."""
    return [chain[0], *takewhile(lambda one: one.relation != "member", chain[1:])][-1]


def _of_link(own: Sequence[ExceptionFound], expression: str) -> RootCauseFound | None:
    """Return the last cause in an error's own chain; None where that has the error alone."""
    if not own or (last := _innermost(own)) is own[0]:
        return None
    return RootCauseFound(
        type=last.type,
        message=last.message,
        relation=last.relation,
        place="raised at" if last.frames else "",
        location=_raised_at(last),
        expression=expression if _spoken_of(own) is last else "",
        own=_own_of(last.frames),
    )


def _of_handled(
    cause: Mapping[str, Any], before: Sequence[ExceptionFound]
) -> RootCauseFound | None:
    """Return what was handled before, or the last cause of that; None where nothing is known."""
    last = _innermost(before) if before else None
    if last is None or last is before[0]:
        named, text = (str(cause.get(name, "")) for name in ("type", "message"))
        if not (named or text):
            return None
        location, place = told_location(cause), str(cause.get("place", ""))
        own = told_own(cause) or _own_of(last.frames if last else [])
    else:
        named, text, location = last.type, last.message, _raised_at(last)
        place, own = "raised at" if last.frames else "", _own_of(last.frames)
    is_itself = last is None or last is before[0] or _spoken_of(before) is last
    return RootCauseFound(
        type=named,
        message=text,
        relation=HANDLED,
        place=place,
        location=location,
        known_by=str(cause.get("known_by", "")),
        expression=str(cause.get("expression", "")) if is_itself else "",
        own=own,
    )


def _spoken_of(chain: Sequence[ExceptionFound]) -> ExceptionFound | None:
    """Return the exception that an error's expression is of: itself, or a stated cause of it.

    A statement that raises names no expression; then it is of the next.
    """
    stated = takewhile(lambda one: one.relation == "cause", chain[1:])
    return next((one for one in [*chain[:1], *stated] if not _line(one).startswith("raise")), None)


def _line(one: ExceptionFound) -> str:
    last = one.frames[-1] if one.frames else None
    found = (line.text.strip() for line in last.source if line.number == last.line) if last else ()
    return next(iter(found), "")


def _values(
    error: Error,
    own: Sequence[ExceptionFound],
    frames: Sequence[FrameFound],
    before: Sequence[ExceptionFound],
    root: RootCauseFound | None,
) -> list[ValueFound]:
    """Return the values of the failing line; where it names none, those of the root cause's."""
    speaker = _spoken_of(own)
    if own and speaker is not own[0] and root is not None:
        found = values("", frames)
    else:
        raised = [(error.type, error.message), *((one.type, one.message) for one in own)]
        told = shown_as(raised)
        # What was asked for an item may be a proxy: it is not known that it had none.
        told = NOT_RECORDED if told in (NO_KEY, NO_INDEX) else told
        found = values(error.expression, frames, told)
    if found or root is None:
        return found
    chain = [one for one in (*own, *before) if one.frames]
    of = next((one for one in reversed(chain) if _raised_at(one) == root.location), None)
    told = shown_as([(root.type, root.message)])
    return values(root.expression, of.frames, told) if of else []


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
    return f"{said} ({error.where})" if error.file else said
