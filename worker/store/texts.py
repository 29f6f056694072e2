"""Texts on their way into a queue: what no queue can keep in them is marked, and the rest is kept.

What a worker has to tell of a task must be storable, or the task would be done again for ever:
half of a pair of surrogates is no Unicode, which neither SQLite nor JSON takes, and PostgreSQL has
no NUL in its texts.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

_MARK: Final = "\N{REPLACEMENT CHARACTER}"
_NUL: Final = "\x00"
_T = TypeVar("_T")


def storable(value: _T) -> _T:
    """Return a value with a mark in place of what no queue can keep in the texts that it holds.

    Goes into dataclasses, mappings, lists and tuples; what is none of them is returned as it is,
    and so is what is nested too deeply to be gone into.
    """
    with contextlib.suppress(RecursionError):
        found: _T = _storable(value)
        return found
    return value


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and _NUL not in value else _clean(value)
    if isinstance(value, Mapping):
        return {_storable(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_storable, value))
    if is_dataclass(value) and not isinstance(value, type):
        told = {each.name: getattr(value, each.name) for each in fields(value)}
        return replace(value, **_storable(told))
    return value


def _clean(text: str) -> str:
    # The halves of a pair that were told apart are one character.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace(_NUL, _MARK)
