"""What was planted against what was found, line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from telemetry.reports.findings import FailureFound, FrameFound, Investigation
from telemetry.reports.sentences import root_exception
from telemetry.reports.wording import one_line, value_text
from worker.drill.planted import Place, Planted
from worker.drill.running import Drilled
from worker.engines.drill import faults
from worker.engines.drill.models import defaults
from worker.wording import clock

# From the fault to the settled row, beside what makes a hang one: a loaded machine takes its time.
SETTLED_WITHIN_S: Final = 10.0
NOTHING: Final = "nothing"
LINE: Final = "line"
LOCALS: Final = "locals"
SPANS: Final = "spans"
SETTLED: Final = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was planted, as a person reads it, and what was found of it.

    `part` says of which task, where a drill has several.
    """

    name: str
    planted: str
    found: str
    ok: bool
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was found of the exception or death that was planted."""

    type: str
    known_as: str
    place: Place
    values: Mapping[str, Any]
    expression: str


def of_failure(planted: Planted, drilled: Drilled) -> list[Check]:
    """Hold all that a fault must leave against what an investigation finds of it."""
    seen = _seen(planted, drilled)
    if seen is None:
        return [Check(name="failure", planted=planted.type, found=NOTHING, ok=False)]
    return [
        Check(
            name="failure",
            planted=planted.type,
            found=one_line(seen.type, 60) or NOTHING,
            ok=seen.type.rpartition(".")[2] == planted.type,
        ),
        _line(planted, seen.known_as, seen.place),
        *([_passed_on(drilled)] if planted.swallowed else [_row(planted, drilled)]),
        *_values(planted, seen),
        *of_course(planted, drilled.found),
        spans(drilled.found),
        _settled(planted, drilled),
    ]


def of_course(planted: Planted, found: Investigation) -> list[Check]:
    """Hold how far the task got against how far it must have got."""
    loop, steps = found.loop, found.steps
    total = len(defaults())
    stage = found.failure.stage if found.failure else ""
    checks = [
        Check(
            name="loop",
            planted=f"{total} of {total} iterations",
            found=f"{loop.completed} of {loop.total}",
            ok=(loop.completed, loop.total) == (total, total),
        ),
        Check(name="stage", planted="generate", found=one_line(stage, 30), ok=stage == "generate"),
    ]
    if planted.steps:
        checks.append(
            Check(
                name="steps",
                planted=f"{planted.steps} done before it",
                found=f"{steps.completed} of {steps.total}",
                ok=steps.completed == planted.steps,
            )
        )
    return checks


def spans(found: Investigation) -> Check:
    """See that no span and no other record of the attempt is missing."""
    record = found.completeness
    cut = f", {record.cut_off} cut off" if record.cut_off else ""
    missing = "" if record.complete else "; incomplete"
    return Check(
        name=SPANS,
        planted="all that begun, none lost",
        found=f"{record.begun} begun: {record.arrived} ended{cut}; {record.lost} lost{missing}",
        ok=record.complete
        and record.begun > 0
        and record.begun == record.arrived + record.cut_off
        and not record.lost,
    )


def _seen(planted: Planted, drilled: Drilled) -> _Seen | None:
    failure = drilled.found.failure
    if failure is None:
        return None
    if planted.swallowed:
        return _cause(failure)
    frames = failure.frames
    return _Seen(
        type=failure.type,
        known_as=failure.place,
        place=Place(
            file=failure.location.file,
            line=failure.location.line,
            function=failure.location.function,
        ),
        values=_locals(frames),
        expression=failure.expression,
    )


def _cause(failure: FailureFound) -> _Seen | None:
    """Return the exception that the engine kept to itself, as the report tells of it."""
    root = failure.root
    if root is None:
        return None
    shown = root_exception(failure)
    return _Seen(
        type=root.type,
        known_as=root.place,
        place=Place(
            file=root.location.file, line=root.location.line, function=root.location.function
        ),
        values=_locals(shown.frames) if shown else {},
        expression=root.expression,
    )


def _locals(frames: list[FrameFound]) -> Mapping[str, Any]:
    return frames[-1].locals if frames else {}


def _line(planted: Planted, known_as: str, place: Place) -> Check:
    return Check(
        name=LINE,
        planted=f"{planted.known_as} {planted.place}",
        found=one_line(f"{known_as} {place}", 100),
        ok=(known_as, place) == (planted.known_as, planted.place),
    )


def _row(planted: Planted, drilled: Drilled) -> Check:
    """See that the task's own row names the line, which is all that an application sees."""
    error = drilled.task.error or {}
    place = Place(
        file=str(error.get("file", "")),
        line=int(error.get("line", 0)),
        function=str(error.get("function", "")),
    )
    status = drilled.task.status
    return Check(
        name="row",
        planted=f"Failed, {planted.place}",
        found=one_line(f"{status}, {place}", 100),
        ok=(status, place) == ("Failed", planted.place),
    )


def _passed_on(drilled: Drilled) -> Check:
    """See that the row tells, beside the vague words that were passed on, what is behind them."""
    said = drilled.task.error_message or ""
    told = "IndexError" in said
    return Check(
        name="row",
        planted=f"{faults.VAGUE!r}, and what is behind it",
        found=f"{faults.VAGUE!r}, {'and what is behind it' if told else 'and nothing else'}",
        ok=told and faults.VAGUE in said,
    )


def _values(planted: Planted, seen: _Seen) -> list[Check]:
    checks = []
    if planted.values:
        there = {name: seen.values[name] for name in planted.values if name in seen.values}
        checks.append(
            Check(
                name=LOCALS,
                planted=_assigned(planted.values),
                found=_assigned(there) or NOTHING,
                ok=there == dict(planted.values),
            )
        )
    if planted.expression:
        checks.append(
            Check(
                name="was None",
                planted=planted.expression,
                found=one_line(seen.expression, 60) or NOTHING,
                ok=seen.expression == planted.expression,
            )
        )
    return checks


def _assigned(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{one_line(name, 40)} = {value_text(v, 40)}" for name, v in values.items())


def _settled(planted: Planted, drilled: Drilled) -> Check:
    limit = SETTLED_WITHIN_S + planted.hang_after_s
    after = drilled.settled_after_s
    return Check(
        name=SETTLED,
        planted=f"within {limit:g} s of the fault",
        found=NOTHING if after is None else f"after {clock(max(0.0, after))}",
        ok=after is not None and after <= limit,
    )


def short_place(place: Place) -> str:
    """Write a line as a table of many has room for."""
    return f"{PurePath(place.file).name}:{place.line}"
