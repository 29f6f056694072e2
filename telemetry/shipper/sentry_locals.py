"""Which local variables a Sentry event shows: those that hosted Sentry leaves standing.

On arrival hosted Sentry sorts a frame's variables by name and keeps about 2,048 bytes of them, 5
levels deep, about 50 names; the rest is gone without a word. (Relay, `trimming.rs`: its objects are
ordered maps, so the order that they are sent in is lost.) So what is sent is less than that, and
chosen here. All of it stays in the journal.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

MOST_BYTES: Final = 2000
MOST_VARIABLES: Final = 48
CUT: Final = "…"  # stands where something was left out
# No variable of Python can be called so: beside this name stand those of variables that are None.
NONES: Final = "None"

_MOST_NONES: Final = 8
_NONES_BYTES: Final = 800
_LEFT_OUT_BYTES: Final = 48
_WORD: Final = re.compile(r"[^\W\d]\w*")
# Ranks, and the bytes that one variable of each may take.
_EXPRESSION, _LINE, _NONE, _KEY, _KEYS, _REST = range(6)
_ROOM: Final = (400, 160, _NONES_BYTES, 64, 240, 80)


class Interest(NamedTuple):
    """What a reader looks for among the variables of a frame.

    `expression` is what was None, `line` the source line that was running, `keys` the names of the
    task's parameters.
    """

    expression: str = ""
    line: str = ""
    keys: Collection[str] = frozenset()

    def rank(self, name: str, value: Any) -> int:
        """Return how much a variable matters; 0 is the most."""
        if name in _WORD.findall(self.expression):
            return _EXPRESSION
        if name in _WORD.findall(self.line):
            return _LINE
        if value is None or value == NONES:
            return _NONE
        if name in self.keys:
            return _KEY
        holds_keys = isinstance(value, Mapping) and any(key in value for key in self.keys)
        return _KEYS if holds_keys else _REST


def chosen(variables: Mapping[str, Any], interest: Interest) -> dict[str, Any]:
    """Return the variables of a frame that matter, cut to what hosted Sentry keeps.

    First what is in the expression that failed and in its line, then what is None, then the
    task's parameters, then as many others as fit. "…" says how many were left out.
    """
    pairs = [(name, shown(value)) for name, value in variables.items()]
    if len(pairs) <= MOST_VARIABLES and size(dict(pairs)) <= MOST_BYTES:
        return dict(sorted(pairs, key=lambda pair: interest.rank(*pair)))
    ranked = _ranked(pairs, interest)
    kept: dict[str, Any] = {}
    left, told = MOST_BYTES - _LEFT_OUT_BYTES, 0
    for rank, name, value in ranked:
        room = min(_ROOM[rank], left) - size(name) - 2
        part = fitted(value, room, interest)
        if len(kept) < MOST_VARIABLES and size(part) <= room:
            kept[name] = part
            left -= size(name) + size(part) + 2
            told += len(value.split()) if (rank, name) == (_NONE, NONES) else 1
    if told < len(pairs):
        kept[CUT] = f"{len(pairs) - told} more are in the journal"
    return kept


def shown(value: Any) -> Any:
    """Make a value one that JSON has: no NaN, and None as the text that Sentry shows."""
    match value:
        case None:
            return NONES
        case float() if not math.isfinite(value):
            return repr(value)
        case dict():
            return {str(key): shown(one) for key, one in value.items()}
        case list() | tuple():
            return [shown(one) for one in value]
        case bytes():
            return value.hex()
        case _:
            return value


def fitted(value: Any, room: int, interest: Interest) -> Any:
    """Cut a value to so many bytes of JSON; what can be no shorter stays longer."""
    if size(value) <= room:
        return value
    match value:
        case str():
            return _text(value, room)
        case dict():
            ranked = sorted(value.items(), key=lambda pair: interest.rank(*pair))
            return _mapping(ranked, room, interest)
        case list():
            return _sequence(value, room, interest)
        case _:
            return value


def size(value: Any) -> int:
    """Return the bytes of a value's JSON in UTF-8, as it is sent."""
    return len(msgspec.json.encode(value))


def _ranked(pairs: Iterable[tuple[str, Any]], interest: Interest) -> list[tuple[int, str, Any]]:
    """Sort variables by their rank; where many are None, their names become one variable."""
    ranked = [(interest.rank(name, value), name, value) for name, value in pairs]
    nones = [name for rank, name, _ in ranked if rank == _NONE]
    if len(nones) > _MOST_NONES:
        ranked = [one for one in ranked if one[0] != _NONE]
        ranked.append((_NONE, NONES, " ".join(nones)))
    return sorted(ranked, key=lambda one: one[0])


def _text(text: str, room: int) -> str:
    kept = text[: max(0, room - size(CUT))]
    while kept and size(kept + CUT) > room:  # what is not ASCII, or escaped, takes more
        kept = kept[: len(kept) * 3 // 4]
    return kept + CUT


def _mapping(pairs: Iterable[tuple[str, Any]], room: int, interest: Interest) -> dict[str, Any]:
    items = list(pairs)
    kept: dict[str, Any] = {}
    left = room - size({CUT: f"{len(items)} more"})
    for name, value in items:
        allowed = min(left, room // 2) - size(name) - 2
        part = fitted(value, allowed, interest)
        if size(part) <= allowed:
            kept[name] = part
            left -= size(name) + size(part) + 2
    return {**kept, CUT: f"{len(items) - len(kept)} more"} if len(kept) < len(items) else kept


def _sequence(items: list[Any], room: int, interest: Interest) -> list[Any]:
    kept: list[Any] = []
    left = room - size([f"{CUT} {len(items)} more"])
    for value in items:
        part = fitted(value, min(left, room // 2), interest)
        if size(part) + 1 > left:
            break
        kept.append(part)
        left -= size(part) + 1
    more = len(items) - len(kept)
    return [*kept, f"{CUT} {more} more"] if more else kept
