"""The text of a log record, made without running any code of what is logged.

A `%s` of a tensor copies it from its device, and crashes after a CUDA error; a list of tensors, or
an object that holds one, does the same by its `repr`. So only what is plain through and through is
formatted by Python; the rest is written by us, within limits.
"""

import enum
import itertools
from collections.abc import Sequence
from typing import Any, Final

from telemetry.recorder.exceptions import message
from telemetry.recorder.values import are_plain, described, scalar, type_name

_DEPTH: Final = 4
_ITEMS: Final = 64
_MOST_VALUES: Final = 512  # of one argument, in all its depths
_LONGEST_TEXT: Final = 64 * 1024
_BRACKETS: Final[dict[Any, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    dict: ("{", "}"),
}
# Whose text is made of plain values by a library that holds no tensors.
_TRUSTED: Final = frozenset({"httpx.URL", "yarl.URL"})


class _Shown(str):
    """A text that stands for an object, also where its `repr` is asked for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str.__str__(self)


def rendered(said: Any, args: Any) -> str:
    """Return a log record's message: `said % args` where all is plain, else the same by ourselves.

    Raises `TypeError`, `ValueError` or `OverflowError` for plain arguments that do not fit.
    """
    text: str = said if type(said) is str else _shown(said)
    if not args:
        return text
    if type(args) is tuple and are_plain(args):
        return text % args
    shown = _arguments(args)
    try:
        return str(text % shown)
    except (TypeError, ValueError, KeyError, OverflowError):
        # A number was asked for and an object is there; or it is a wrong number of arguments.
        if _is_plain(args):
            raise
        return f"{text} {_shown(args)}"


def _arguments(args: Any) -> Any:
    if type(args) is tuple:
        return tuple(map(_argument, args))
    if type(args) is dict:  # logging unwraps the one that `%(name)s` is looked up in
        first = itertools.islice(args.items(), _MOST_VALUES)
        return {_argument(key): _argument(value) for key, value in first}
    return _argument(args)


def _argument(value: Any) -> Any:
    found = None if value is None else scalar(value)
    if found is not None:
        return found
    return value if _is_plain(value) else _Shown(_shown(value))


def _is_plain(value: Any, depth: int = _DEPTH) -> bool:
    """Whether a value, and what it holds, are of plain types and within the limits."""
    kind = type(value)
    if kind is dict:
        return _are_all_plain((*value.keys(), *value.values()), 2 * _ITEMS, depth)
    if kind is list or kind is tuple:
        return _are_all_plain(value, _ITEMS, depth)
    return value is None or kind is bytes or are_plain((value,))


def _are_all_plain(values: Sequence[Any], most: int, depth: int) -> bool:
    return depth > 0 and len(values) <= most and all(_is_plain(one, depth - 1) for one in values)


def _shown(value: Any) -> str:
    """Return a value's text, of our own making."""
    parts: list[str] = []
    _write(value, parts, _DEPTH, top=True)
    return "".join(parts)[:_LONGEST_TEXT]


def _write(value: Any, parts: list[str], depth: int, *, top: bool = False) -> None:
    kind = type(value)
    found = None if value is None else scalar(value)
    base = next((base for base in _BRACKETS if issubclass(kind, base)), None)
    if value is None or found is not None:
        parts.append(found if top and type(found) is str else repr(found))
    elif base is not None:
        _write_items(base, value, parts, depth)
    elif issubclass(kind, BaseException):
        parts.append(message(value) if top else f"{type_name(kind)}({message(value)!r})")
    else:
        parts.append(_object(value, kind))


def _object(value: Any, kind: type) -> str:
    if type_name(kind) in _TRUSTED:
        return str(value)
    if issubclass(kind, enum.Enum):
        name = dict.get(object.__getattribute__(value, "__dict__"), "_name_")
        return f"{type_name(kind)}.{name}" if type(name) is str else described(value)
    return described(value)


def _write_items(base: Any, value: Any, parts: list[str], depth: int) -> None:
    count = base.__len__(value)
    if depth <= 0 or len(parts) > _MOST_VALUES:
        parts.append(f"<{type_name(type(value))} {count}>")
        return
    opening, closing = _BRACKETS[base]
    try:
        each = dict.items(value) if base is dict else base.__iter__(value)
        first = list(itertools.islice(each, _ITEMS))
    except RuntimeError:  # another thread changes it
        first = []
    parts.append(opening)
    for number, item in enumerate(first):
        if number:
            parts.append(", ")
        if base is dict:
            _write(item[0], parts, depth - 1)
            parts.append(": ")
            item = item[1]  # noqa: PLW2901 - the other half of the pair
        _write(item, parts, depth - 1)
    if count > len(first):
        parts.append(f", … {count - len(first)} more")
    parts.append(closing)
