"""By which marks of a value or an exception a suspicion is known to be true."""

import re
from collections.abc import Mapping
from typing import Any, Final

from telemetry.reports.evidence import TEXT_ALONE

_ITERATOR_MARKS: Final = (
    "size during iteration",
    "mutated during iteration",
    "keys changed during iteration",
)
_ITERATORS: Final = ("RuntimeError", TEXT_ALONE)
_LAZY_MARKS: Final = ("proxy", "lazy", "promise", "deferred")
# How a snapshot writes an object: its class, in a module.
_OBJECT: Final = re.compile(r"<((?:\w|\.|<locals>)+)(?: [^<>]*)?>")


def is_timeout(kind: str) -> bool:
    """Whether an exception of this type says that something took too long."""
    return "timeout" in kind.rpartition(".")[2].lower()


def is_iterators(kind: str, message: str) -> bool:
    """Whether an exception says that what is iterated over has changed."""
    return kind in _ITERATORS and any(mark in message for mark in _ITERATOR_MARKS)


def is_lazy(kind: str) -> bool:
    """Whether a class stands for another value: by its own name, not by its module's."""
    name = kind.rpartition(".")[2].lower()
    return any(mark in name for mark in _LAZY_MARKS)


def class_of(value: Any) -> str:
    """Return the class that a snapshot shows instead of a value; "" where it shows the value.

    A text of people's may have angle brackets, too; a class that stands for another value has a
    module.
    """
    if isinstance(value, Mapping):
        return str(value.get("<class>", ""))
    found = _OBJECT.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found and "." in found[1] else ""
