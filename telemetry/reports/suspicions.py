"""By which marks of a value or an exception a suspicion is known to be true."""

import ast
import re
from collections.abc import Mapping
from typing import Any, Final

from telemetry.reports.evidence import TEXT_ALONE
from telemetry.reports.statements import parsed

# How the system and torch's watchdog begin to say it: what follows may be anybody's words.
_TIMED_OUT: Final = re.compile(
    r"(\[Rank \d+\] )?Watchdog caught collective operation timeout"
    r"|(<urlopen error )?(\[Errno \w+\] )?((Connection|Operation) )?timed out(>|$)"
    r"|(_ssl\.c:\d+: )?The (read|write|handshake) operation timed out"
)
_OF_SYSTEMS: Final = frozenset(
    {"RuntimeError", "OSError", "URLError", "SSLError", "DistBackendError", "DistStoreError"}
)
# What a class is called that says it; what is no longer valid was not waited for.
_TIMEOUTS_NAME: Final = re.compile(
    r"timed?_?out|deadline"
    r"|(?<!token)(?<!certificate)(?<!signature)(?<!session)(?<!credentials)"
    r"expired(error|exception)?$",
    re.IGNORECASE,
)
_SPEAKS_OF_IT: Final = re.compile(r"tim(ed?|ing)[ _-]?out|deadline exceeded", re.IGNORECASE)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_ITERATOR_MARKS: Final = (
    "size during iteration",
    "mutated during iteration",
    "keys changed during iteration",
)
_ITERATORS: Final = ("RuntimeError", TEXT_ALONE)
_LAZY_MARKS: Final = ("proxy", "lazy", "promise", "deferred")
# What makes its values when it is asked for them. A text of people's is hardly one of these.
_ITERATOR: Final = re.compile(
    r"(async_)?generator|coroutine|map|filter|zip|enumerate|reversed|itertools\.\w+"
    r"|\w+_(reverse)?(key|value|item)?iterator|dict_\w+iterator"
)
_THEMSELVES: Final = ("collections.deque", "array.array", "re.Pattern", "re.Match")
_ASSIGNED: Final = re.compile(r"assigned at [^:]*:\d+ in [^:]*: ")
_ONE_WORD: Final = re.compile(r"<([\w.]+)>")
# How a snapshot writes an object: its class, in a module.
_OBJECT: Final = re.compile(r"<((?:\w|\.|<locals>)+)(?: [^<>]*)?>")


def is_timeout(kind: str, message: str) -> bool:
    """Whether an exception says that something took too long: by its type, or in known words."""
    name = kind.rpartition(".")[2]
    said = _TIMED_OUT.match(message) if name in _OF_SYSTEMS else None
    return _TIMEOUTS_NAME.search(name) is not None or said is not None


def may_be_timeout(message: str) -> bool:
    """Whether a message speaks of a timeout in whosever words; what it quotes is a value."""
    return _SPEAKS_OF_IT.search(_QUOTED.sub("", message)) is not None


def is_iterators(kind: str, message: str) -> bool:
    """Whether an exception says that what is iterated over has changed."""
    return kind in _ITERATORS and any(mark in message for mark in _ITERATOR_MARKS)


def is_lazy(kind: str) -> bool:
    """Whether a class stands for another value: by its own name, not by its module's."""
    name = kind.rpartition(".")[2].lower()
    return any(mark in name for mark in _LAZY_MARKS)


def iterator_of(value: Any) -> str:
    """Return the class of an iterator that a snapshot shows; "" where it shows something else."""
    found = _ONE_WORD.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found and is_iterator(found[1]) else ""


def is_iterator(kind: str) -> bool:
    """Whether a class is one of Python's own that make values when they are asked for."""
    return _ITERATOR.fullmatch(kind) is not None


def opaque(value: Any) -> str:
    """Return the class of an object of which a snapshot shows nothing else; "" where it does."""
    kind = class_of(value)
    return kind if kind not in ("", *_THEMSELVES) and value == f"<{kind}>" else ""


def made_lazy(origin: str) -> str:
    """Return the lazy class that an origin says to have made a value; "" where it names none.

    A snapshot may show what a proxy stands for. A function of such a name may return anything.
    """
    found = _ASSIGNED.match(origin)
    tree = parsed(origin[found.end() :]) if found else None
    match tree.body if tree else []:
        case [ast.Expr(value=ast.Call(func=ast.Name() | ast.Attribute() as called))]:
            kind = ast.unparse(called)
            return kind if is_lazy(kind) and kind.rpartition(".")[2][:1].isupper() else ""
    return ""


def lazy_within(value: Any) -> str:
    """Return the class of a lazy object that is somewhere within a value; "" where none is seen."""
    waiting = _held(value)
    while waiting:
        one = waiting.pop()
        if is_lazy(kind := class_of(one)):
            return kind
        waiting += _held(one)
    return ""


def _held(value: Any) -> list[Any]:
    match value:
        case Mapping():
            return [one for name, one in value.items() if name != "<class>"]
        case list() | tuple():
            return list(value)
    return []


def class_of(value: Any) -> str:
    """Return the class that a snapshot shows instead of a value; "" where it shows the value.

    A text of people's may have angle brackets, too; a class that stands for another value has a
    module.
    """
    if isinstance(value, Mapping):
        return str(value.get("<class>", ""))
    found = _OBJECT.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found and "." in found[1] else ""
