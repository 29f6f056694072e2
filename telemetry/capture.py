"""An exception taken down whole while it is in hand: its chain, frames, locals and fingerprint."""

import hashlib
import linecache
import secrets
import time
import types
from collections.abc import Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, NamedTuple

from telemetry.attributes import shortened
from telemetry.locals import Snapshot
from telemetry.records import Error, ExceptionFacts, Frame
from telemetry.redaction import Redactor, redacted
from telemetry.values import described, scalar, type_name

SOURCE_LINES: Final = 3  # on either side of the line
LONGEST_MESSAGE: Final = 8192
LONGEST_STACK: Final = 16384
_LONGEST_SOURCE_LINE: Final = 400
_LONGEST_CHAIN: Final = 24
_OUTER_FRAMES: Final = 32
_INNER_FRAMES: Final = 96
_PLAIN_ITEMS: Final = 32

_OWN_OF: Final = BaseException.__dict__["__dict__"].__get__
_ARGS_OF: Final = BaseException.__dict__["args"].__get__
_CAUSE_OF: Final = BaseException.__dict__["__cause__"].__get__
_CONTEXT_OF: Final = BaseException.__dict__["__context__"].__get__
_SUPPRESSED_IN: Final = BaseException.__dict__["__suppress_context__"].__get__
_TRACEBACK_OF: Final = BaseException.__dict__["__traceback__"].__get__
_MEMBERS_OF: Final = BaseExceptionGroup.__dict__["exceptions"].__get__
_QUALNAME_OF: Final = type.__dict__["__qualname__"].__get__
_MODULE_OF: Final = type.__dict__["__module__"].__get__
_MRO_OF: Final = type.__dict__["__mro__"].__get__
_NAMESPACE_OF: Final = type.__dict__["__dict__"].__get__


class Place(NamedTuple):
    """Where in a task something happens: the stage, and the iteration of the parameter loop."""

    stage: str = ""
    loop_index: int = 0
    loop_count: int = 0


NOWHERE: Final = Place()
_HEADINGS: Final = {"": "", "cause": "Caused by: ", "context": "Raised while handling: "}


class Linked(NamedTuple):
    """An exception of a chain, and how it is related to the one before it in the chain."""

    exception: BaseException
    relation: str


def capture(  # noqa: PLR0913 - each is a fact of the error that the exception does not hold
    exc: BaseException,
    *,
    redactor: Redactor,
    in_app: Sequence[str] = (),
    kind: str = "exception",
    place: Place = NOWHERE,
    trace_id: bytes | None = None,
    span_id: bytes | None = None,
    handled: bool = False,
    task_id: str = "",
) -> Error:
    """Take down an exception with everything that is behind it.

    `file`, `line` and `function` are those of the frame that raised `exc` itself; the exceptions
    that caused it follow in the chain. `in_app` are the packages whose frames are our own.
    """
    snapshot = Snapshot(redactor, in_app=in_app)
    linked = chain(exc)
    facts = [_facts(each, snapshot, in_app) for each in linked]
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
        fingerprint=fingerprint(type_, frames, place.stage),
        trace_id=trace_id,
        span_id=span_id,
        handled=handled,
        task_id=task_id,
        context=_context(linked, snapshot),
    )


def chain(exc: BaseException) -> list[Linked]:
    """Return an exception and those behind it: the members of a group, then cause or context."""
    found: list[Linked] = []
    waiting = [Linked(exc, "")]
    seen: set[int] = set()
    while waiting and len(found) < _LONGEST_CHAIN:
        link = waiting.pop()
        if id(link.exception) in seen:
            continue
        seen.add(id(link.exception))
        found.append(link)
        # The last to be put there is the first to be taken: members stand next to their group.
        cause, context = _CAUSE_OF(link.exception), _CONTEXT_OF(link.exception)
        if cause is not None:
            waiting.append(Linked(cause, "cause"))
        elif context is not None and not _SUPPRESSED_IN(link.exception):
            waiting.append(Linked(context, "context"))
        if issubclass(type(link.exception), BaseExceptionGroup):
            members = _MEMBERS_OF(link.exception)
            waiting.extend(Linked(member, "member") for member in reversed(members))
    return found


def message(exc: BaseException) -> str:
    """Return an exception's text, without a chance for it to do harm.

    The built-in texts are made of the arguments, so those must be plain. A class with a text of
    its own is asked for it: pydantic, httpx and supabase say there what went wrong.
    """
    args = _ARGS_OF(exc)
    if issubclass(type(exc), BaseExceptionGroup):
        args = args[:1]  # its text shows the members' number alone
    if _has_builtin_text(type(exc)) and not all(map(_is_plain, args)):
        return redacted(shortened(", ".join(map(_text, args)), LONGEST_MESSAGE))
    try:
        text = str.__str__(str(exc))
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # noqa: BLE001 - foreign code, which may raise anything
        text = f"<no message: its __str__ raised {type_name(type(fault))}>"
    return redacted(shortened(text, LONGEST_MESSAGE))


def stack_text(exc: BaseException) -> str:
    """Return the chain as a traceback in Python's form, for people: without locals."""
    parts = []
    for link in chain(exc):
        heading = f"{_HEADINGS.get(link.relation, 'Member: ')}Traceback (most recent call last):\n"
        lines = [
            f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_qualname}\n'
            f"    {linecache.getline(frame.f_code.co_filename, line).strip()}\n"
            for frame, line in _frames_of(link.exception)[0]
        ]
        last = f"{type_name(type(link.exception))}: {message(link.exception)}\n"
        parts.append(heading + "".join(lines) + last)
    text = redacted("\n".join(parts))
    return text if len(text) <= LONGEST_STACK else f"…{text[-LONGEST_STACK:]}"


def raised_at(exc: BaseException) -> tuple[str, int, str] | None:
    """Return file, line and function of the frame that raised, None when nothing has raised it."""
    last: TracebackType | None = _TRACEBACK_OF(exc)
    if last is None:
        return None
    while last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code
    return redacted(code.co_filename), last.tb_lineno or 0, code.co_qualname


def own_attributes(exc: BaseException) -> dict[str, Any]:
    """Return the dictionary of an exception object, without asking its class."""
    found: dict[str, Any] = _OWN_OF(exc)
    return found


def fingerprint(type_: str, frames: Sequence[Frame], stage: str) -> str:
    """Return what failures of one cause have in common: 16 hex digits, no line number in them."""
    own = [frame for frame in frames if frame.in_app] or frames
    place = f"{own[-1].module}.{own[-1].function}" if own else ""
    return hashlib.sha256(f"{type_}\n{place}\n{stage}".encode()).hexdigest()[:16]


def _facts(link: Linked, snapshot: Snapshot, in_app: Sequence[str]) -> ExceptionFacts:
    exc = link.exception
    frames, _ = _frames_of(exc)
    # The budget is spent from the innermost frame outwards.
    taken = [_frame(frame, line, snapshot, in_app) for frame, line in reversed(frames)]
    module = _MODULE_OF(type(exc))
    return ExceptionFacts(
        type=_QUALNAME_OF(type(exc)),
        module=module if type(module) is str else "",
        message=message(exc),
        frames=taken[::-1],
        relation=link.relation,
    )


def _frame(frame: FrameType, line: int, snapshot: Snapshot, in_app: Sequence[str]) -> Frame:
    code = frame.f_code
    module = _module_of(frame)
    first, source = _source(code.co_filename, line)
    return Frame(
        file=redacted(code.co_filename),
        line=line,
        function=code.co_qualname,
        module=module,
        source=source,
        source_first_line=first,
        in_app=any(module == name or module.startswith(f"{name}.") for name in in_app),
        locals=snapshot.of_frame(frame),
    )


def _frames_of(exc: BaseException) -> tuple[list[tuple[FrameType, int]], int]:
    """Return the frames of an exception's traceback, and how many were left out."""
    found = list(_walk(_TRACEBACK_OF(exc)))
    left_out = len(found) - _OUTER_FRAMES - _INNER_FRAMES
    if left_out <= 0:
        return found, 0
    return found[:_OUTER_FRAMES] + found[-_INNER_FRAMES:], left_out


def _walk(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno or 0
        trace = trace.tb_next


def _module_of(frame: FrameType) -> str:
    name = dict.get(frame.f_globals, "__name__")
    if name == "__main__":
        # `python -m worker.process` runs as __main__; its spec knows its name.
        name = getattr(dict.get(frame.f_globals, "__spec__"), "name", name)
    return name if type(name) is str else ""


def _source(file: str, line: int) -> tuple[int, list[str]]:
    lines = linecache.getlines(file)
    if not 0 < line <= len(lines):
        return 0, []
    first = max(1, line - SOURCE_LINES)
    shown = lines[first - 1 : line + SOURCE_LINES]
    return first, [redacted(text.rstrip("\r\n")[:_LONGEST_SOURCE_LINE]) for text in shown]


def _context(linked: Sequence[Linked], snapshot: Snapshot) -> dict[str, Any]:
    notes = {}
    for link in linked:
        found = dict.get(own_attributes(link.exception), "__notes__")
        if type(found) is list and found:
            name = type_name(type(link.exception))
            notes[name] = [redacted(note) for note in found[:16] if type(note) is str]
    left_out = sum(_frames_of(link.exception)[1] for link in linked)
    facts = {"notes": notes, "frames_left_out": left_out, "locals_cut": snapshot.spent}
    return {name: value for name, value in facts.items() if value}


def _has_builtin_text(kind: type) -> bool:
    owner = next(base for base in _MRO_OF(kind) if "__str__" in _NAMESPACE_OF(base))
    return type(_NAMESPACE_OF(owner)["__str__"]) is types.WrapperDescriptorType


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is tuple or kind is list:
        return len(value) <= _PLAIN_ITEMS and all(map(_is_plain_item, value))
    return _is_plain_item(value)


def _is_plain_item(value: Any) -> bool:
    kind = type(value)
    return value is None or any(kind is plain for plain in (str, int, float, bool, bytes))


def _text(value: Any) -> str:
    if value is None:
        return "None"
    found = scalar(value)
    return described(value) if found is None else str(found)
