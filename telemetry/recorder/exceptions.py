"""What an exception says of itself, asked without a chance for it to do harm."""

import linecache
import types
from collections.abc import Iterable, Iterator
from pathlib import PosixPath
from types import FrameType, TracebackType
from typing import Any, Final, NamedTuple

from telemetry.recorder.hidden_prompts import without_hidden
from telemetry.recorder.redaction import redacted, shortened
from telemetry.recorder.values import described, scalar, type_name

LONGEST_MESSAGE: Final = 8192
LONGEST_STACK: Final = 16384
_LONGEST_CHAIN: Final = 24
_OUTER_FRAMES: Final = 32
_INNER_FRAMES: Final = 96
_PLAIN_ITEMS: Final = 32
_LONGEST_SOURCE_LINE: Final = 400
_MESSAGE: Final = "__loop26_message__"
_HEADINGS: Final = {"": "", "cause": "Caused by: ", "context": "Raised while handling: "}

_OWN_OF: Final = BaseException.__dict__["__dict__"].__get__
_ARGS_OF: Final = BaseException.__dict__["args"].__get__
_CAUSE_OF: Final = BaseException.__dict__["__cause__"].__get__
_CONTEXT_OF: Final = BaseException.__dict__["__context__"].__get__
_SUPPRESSED_IN: Final = BaseException.__dict__["__suppress_context__"].__get__
_TRACEBACK_OF: Final = BaseException.__dict__["__traceback__"].__get__
_MEMBERS_OF: Final = BaseExceptionGroup.__dict__["exceptions"].__get__
_MRO_OF: Final = type.__dict__["__mro__"].__get__
_NAMESPACE_OF: Final = type.__dict__["__dict__"].__get__

_TEXT_PARTS: Final = tuple(
    (kind, tuple(kind.__dict__[name] for name in found))
    for kind, found in (
        (OSError, ("errno", "strerror", "filename", "filename2")),
        (ImportError, ("msg",)),
        (SyntaxError, ("msg", "filename", "lineno")),
        (UnicodeDecodeError, ("reason",)),
        (UnicodeEncodeError, ("reason",)),
        (UnicodeTranslateError, ("reason",)),
    )
)


class Linked(NamedTuple):
    """An exception of a chain, and how it is related to the one before it in the chain."""

    exception: BaseException
    relation: str


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
    its own is asked for it: pydantic, httpx and supabase say there what went wrong. It is asked
    once in the exception's life, for that may take long, or log the exception again. A prompt that
    has been learned since then is hidden in what it said.
    """
    if _has_builtin_text(type(exc)):
        return _message(exc)  # as it is now: who lets it pass may add to its arguments
    own = own_attributes(exc)
    said = dict.get(own, _MESSAGE)
    if type(said) is not str:
        dict.__setitem__(own, _MESSAGE, "<no message: its __str__ has not returned>")
        said = _message(exc)
        dict.__setitem__(own, _MESSAGE, said)
    return without_hidden(said)


def _message(exc: BaseException) -> str:
    args = _ARGS_OF(exc)
    if issubclass(type(exc), BaseExceptionGroup):
        args = args[:1]  # its text shows the members' number alone
    parts = (*args, *_text_parts(exc))
    if _has_builtin_text(type(exc)) and not all(map(_is_plain, parts)):
        said = ", ".join(_text(part) for part in _once(parts) if part is not None)
        return shortened(said, LONGEST_MESSAGE)
    try:
        text = str.__str__(str(exc))
    except BaseException as fault:  # noqa: BLE001 - foreign code, which may raise anything
        text = f"<no message: its __str__ raised {type_name(type(fault))}>"
    return shortened(text, LONGEST_MESSAGE)


def stack_text(exc: BaseException) -> str:
    """Return the chain as a traceback in Python's form, for people: without locals."""
    parts = []
    for link in chain(exc):
        heading = f"{_HEADINGS.get(link.relation, 'Member: ')}Traceback (most recent call last):\n"
        lines = [
            f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_qualname}\n'
            f"    {_source_line(frame.f_code.co_filename, line)}\n"
            for frame, line in frames_of(link.exception)[0]
        ]
        last = f"{type_name(type(link.exception))}: {message(link.exception)}\n"
        parts.append(heading + "".join(lines) + last)
    text = redacted("\n".join(parts))
    return text if len(text) <= LONGEST_STACK else f"…{text[-LONGEST_STACK:]}"


def _source_line(file: str, line: int) -> str:
    return shortened(linecache.getline(file, line).strip(), _LONGEST_SOURCE_LINE)


def raised_at(exc: BaseException) -> tuple[str, int, str] | None:
    """Return file, line and function of the frame that raised, None when nothing has raised it."""
    last = raising(exc)
    if last is None:
        return None
    code = last.tb_frame.f_code
    return redacted(code.co_filename), last.tb_lineno or 0, code.co_qualname


def raising(exc: BaseException) -> TracebackType | None:
    """Return the traceback's entry of the frame that raised."""
    last: TracebackType | None = _TRACEBACK_OF(exc)
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last


def stated_causes(exc: BaseException) -> list[BaseException]:
    """Return an exception and what was named as its cause, and that one's (`raise … from`)."""
    found: list[BaseException] = []
    cause: BaseException | None = exc
    while cause is not None and len(found) < _LONGEST_CHAIN:
        found.append(cause)
        cause = _CAUSE_OF(cause)
    return found


def first_argument(exc: BaseException) -> str:
    """Return the text that the interpreter gave an exception, "" when it is no plain text."""
    args = _ARGS_OF(exc)
    return args[0][:LONGEST_MESSAGE] if args and type(args[0]) is str else ""


def own_attributes(exc: BaseException) -> dict[str, Any]:
    """Return the dictionary of an exception object, without asking its class."""
    found: dict[str, Any] = _OWN_OF(exc)
    return found


def frames_of(exc: BaseException) -> tuple[list[tuple[FrameType, int]], int]:
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


def _has_builtin_text(kind: type) -> bool:
    owner = next(base for base in _MRO_OF(kind) if "__str__" in _NAMESPACE_OF(base))
    return type(_NAMESPACE_OF(owner)["__str__"]) is types.WrapperDescriptorType


def _text_parts(exc: BaseException) -> list[Any]:
    """Return what a built-in text is made of beside the arguments."""
    kind = type(exc)
    return [
        part.__get__(exc) for base, parts in _TEXT_PARTS for part in parts if issubclass(kind, base)
    ]


def _once(values: Iterable[Any]) -> list[Any]:
    return list({id(value): value for value in values}.values())


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is tuple or kind is list:
        return len(value) <= _PLAIN_ITEMS and all(map(_is_plain_item, value))
    return _is_plain_item(value)


def _is_plain_item(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= LONGEST_MESSAGE
    return value is None or any(kind is plain for plain in (int, float, bool, PosixPath))


def _text(value: Any) -> str:
    if value is None:
        return "None"
    found = scalar(value)
    return described(value) if found is None else str(found)
