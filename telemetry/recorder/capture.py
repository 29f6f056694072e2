"""An exception taken down whole while it is in hand: its chain, frames, locals and fingerprint."""

import hashlib
import linecache
import secrets
import time
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import FrameType
from typing import Any, Final, NamedTuple

from telemetry.recorder.exceptions import (
    LONGEST_MESSAGE,
    Linked,
    chain,
    frames_of,
    message,
    own_attributes,
)
from telemetry.recorder.guard import Guard
from telemetry.recorder.locals import Snapshot
from telemetry.recorder.own_code import NO_CODE, OwnCode, own_caller
from telemetry.recorder.redaction import Redactor, redacted, redacted_lines, shortened
from telemetry.recorder.values import plain_text, type_name
from telemetry.records import Error, ExceptionFacts, Frame

SOURCE_LINES: Final = 3  # on either side of the line
_LONGEST_SOURCE_LINE: Final = 400
_QUALNAME_OF: Final = type.__dict__["__qualname__"].__get__
_MODULE_OF: Final = type.__dict__["__module__"].__get__


class Place(NamedTuple):
    """Where in a task something happens: the stage, and the iteration of the parameter loop."""

    stage: str = ""
    loop_index: int = 0
    loop_count: int = 0


NOWHERE: Final = Place()


def capture(  # noqa: PLR0913 - each is a fact of the error that the exception does not hold
    exc: BaseException,
    *,
    redactor: Redactor,
    own: OwnCode = NO_CODE,
    kind: str = "exception",
    place: Place = NOWHERE,
    trace_id: bytes | None = None,
    span_id: bytes | None = None,
    handled: bool = False,
    task_id: str = "",
    expression: str = "",
    context: Mapping[str, Any] | None = None,
    guard: Guard | None = None,
) -> Error:
    """Take down an exception with everything that is behind it.

    `file`, `line` and `function` are those of the frame that raised `exc` itself, and where that
    is a library's, `own_file` and its like those of ours that called it; the exceptions that
    caused it follow in the chain. `own` is whose frames are our own.
    """
    snapshot = Snapshot(redactor, own=own, guard=guard)
    linked = chain(exc)
    if not redactor.record_prompts:
        for link in linked:
            snapshot.learn_prompts(frame for frame, _ in frames_of(link.exception)[0])
    facts = [_facts(each, snapshot, own) for each in linked]
    frames = facts[0].frames
    raised = frames[-1] if frames else Frame(file="", line=0, function="")
    type_ = type_name(type(exc))
    return Error(
        event_id=secrets.token_hex(16),
        at_ns=time.time_ns(),
        kind=kind,
        chain=facts,
        type=type_,
        message=facts[0].message,
        file=raised.file,
        line=raised.line,
        function=raised.function,
        place="raised at" if frames else "",
        stage=place.stage,
        loop_index=place.loop_index,
        loop_count=place.loop_count,
        fingerprint=fingerprint(type_, _told_by(facts, own), place.stage),
        trace_id=trace_id,
        span_id=span_id,
        handled=handled,
        task_id=task_id,
        expression=expression,
        context={**_context(linked, snapshot), **(context or {})},
        **own_place(frames),
    )


def own_place(frames: Sequence[Frame]) -> dict[str, Any]:
    """Return the fields of an error that name our own line, where a library's frame raised."""
    found = own_caller(frames)
    if found is None:
        return {}
    return {"own_file": found.file, "own_line": found.line, "own_function": found.function}


def bare_error(exc: BaseException, kind: str, place: Place) -> Error:
    """Return the least that can be said, when taking an exception down has failed."""
    type_ = type_name(type(exc))
    return Error(
        event_id=secrets.token_hex(16),
        at_ns=time.time_ns(),
        kind=kind,
        chain=[],
        type=type_,
        message="",
        file="",
        line=0,
        function="",
        place="",
        stage=place.stage,
        loop_index=place.loop_index,
        loop_count=place.loop_count,
        fingerprint="",
        trace_id=None,
        span_id=None,
    )


def fingerprint(type_: str, frames: Sequence[Frame], stage: str) -> str:
    """Return what failures of one cause have in common: 16 hex digits, no line number in them."""
    own = [frame for frame in frames if frame.in_app] or frames
    place = f"{own[-1].module}.{own[-1].function}" if own else ""
    return hashlib.sha256(f"{type_}\n{place}\n{stage}".encode()).hexdigest()[:16]


def fingerprint_of_both(error: Error, cause: Error) -> str:
    """Return what failures have in common that are the same way of telling of the same cause."""
    both = f"{error.fingerprint}\n{cause.fingerprint}"
    return hashlib.sha256(both.encode()).hexdigest()[:16]


def passes_through(facts: ExceptionFacts, own: OwnCode) -> bool:
    """Whether an exception was raised in code of one of our folders, or passed through some."""
    return any(own.path_of(frame.file) is not None for frame in facts.frames)


def _told_by(chain: Sequence[ExceptionFacts], own: OwnCode) -> Sequence[Frame]:
    """Return the frames that a failure is known by: its own.

    What our packages raise from what was raised in a folder of ours is known by the latter: the
    line of theirs is the same for whatever goes wrong there.
    """
    through = (one for one in chain if passes_through(one, own)) if own.folders else iter(())
    return next(through, chain[0]).frames


def _facts(link: Linked, snapshot: Snapshot, own: OwnCode) -> ExceptionFacts:
    exc = link.exception
    frames, _ = frames_of(exc)
    # The budget is spent from the innermost frame outwards.
    taken = [_frame(frame, line, snapshot, own) for frame, line in reversed(frames)]
    module = _MODULE_OF(type(exc))
    return ExceptionFacts(
        type=plain_text(_QUALNAME_OF(type(exc))),
        module=plain_text(module) if type(module) is str else "",
        message=message(exc),
        frames=taken[::-1],
        relation=link.relation,
    )


def _frame(frame: FrameType, line: int, snapshot: Snapshot, own: OwnCode) -> Frame:
    code = frame.f_code
    module = _module_of(frame)
    first, source = source_around(code.co_filename, line)
    return Frame(
        file=redacted(code.co_filename),
        line=line,
        function=redacted(code.co_qualname),
        module=redacted(module),
        source=source,
        source_first_line=first,
        in_app=own.has(code.co_filename, module),
        locals=snapshot.of_frame(frame),
    )


def _module_of(frame: FrameType) -> str:
    name = dict.get(frame.f_globals, "__name__")
    if type(name) is not str:
        return ""
    spec = dict.get(frame.f_globals, "__spec__") if name == "__main__" else None
    # `python -m worker.process` runs as __main__; its spec knows its name.
    return str(spec.name) if type(spec) is ModuleSpec else name


def source_around(file: str, line: int) -> tuple[int, list[str]]:
    """Return the number of the first of the lines around a line, and the lines; (0, []) if none."""
    lines = linecache.getlines(file)
    if not 0 < line <= len(lines):
        return 0, []
    first = max(1, line - SOURCE_LINES)
    shown = lines[first - 1 : line + SOURCE_LINES]
    return first, redacted_lines([text.rstrip("\r\n") for text in shown], _LONGEST_SOURCE_LINE)


def _context(linked: Sequence[Linked], snapshot: Snapshot) -> dict[str, Any]:
    notes = {}
    for link in linked:
        found = dict.get(own_attributes(link.exception), "__notes__")
        if type(found) is list and found:
            name = type_name(type(link.exception))
            notes[name] = [
                shortened(note, LONGEST_MESSAGE) for note in found[:16] if type(note) is str
            ]
    left_out = sum(frames_of(link.exception)[1] for link in linked)
    facts = {"notes": notes, "frames_left_out": left_out, "locals_cut": snapshot.spent}
    return {name: value for name, value in facts.items() if value}
