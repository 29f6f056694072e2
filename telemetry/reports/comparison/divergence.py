"""Where two attempts are not alike: the first record of their courses, and what follows from it.

Two courses are walked side by side. Where the same thing was done with other values, the walk goes
on; where one did what the other did not, their ways part, and it ends. Of a side whose record has
holes, what is not there may have happened all the same: it is passed over. Of a side at work,
nothing is said of what is still to come.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telemetry.reports.comparison.course import Occurrence
from telemetry.reports.comparison.significance import hidden, same, type_name
from telemetry.reports.comparison.value import Divergence
from telemetry.reports.wording import value_text

_LONGEST: Final = 60
_OF_PARAMETERS: Final = ("iteration", "parameter", "engine")
_ONE_PER_RECORD: Final = ("iteration", "parameter")
_ENDED: Final = {"ok": "ended well", "failed": "failed", "cut off": "was cut off"}
_DONE_WITH: Final = {"new": "the value", "source": "the layer that set it", "old": "the default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One side of the walk.

    Attributes:
        course: What it did, in order.
        whole: Whether its record has no holes: then what is not in it did not happen.
        over: Whether the attempt is over: then nothing comes after its last record.
    """

    course: Sequence[Occurrence]
    whole: bool
    over: bool


def divergences(a: Track, b: Track) -> list[Divergence]:
    """Return where two attempts are not alike, in order; [] where either has no record."""
    if not a.course or not b.course:
        return []
    seen: set[str] = set()
    found = []
    for one, other in _pairs(a, b):
        if one is None or other is None or one.key != other.key:
            found.append(_parting(one, other))
            break
        for told in _differing(one, other, whole=a.whole and b.whole):
            topic = _topic(one, told.field)
            if topic not in seen:
                seen.add(topic)
                found.append(told)
        if found and found[-1].parts:
            break
    return found


_Pair = tuple[Occurrence | None, Occurrence | None]


def _pairs(a: Track, b: Track) -> Iterator[_Pair]:
    """Yield what stands beside each other; a pair of two things, or of one, is the last."""
    ours, theirs = _comparable(a, b), _comparable(b, a)
    in_a, in_b = ({one.key for one in side} for side in (ours, theirs))
    at, beside = 0, 0
    while at < len(ours) and beside < len(theirs):
        one, other = ours[at], theirs[beside]
        if one.key == other.key:
            at, beside = at + 1, beside + 1
            yield one, other
        elif not b.whole and one.key not in in_b:
            at += 1
        elif not a.whole and other.key not in in_a:
            beside += 1
        else:
            yield one, other
            return
    if at < len(ours) and b.whole and b.over:
        yield ours[at], None
    elif beside < len(theirs) and a.whole and a.over:
        yield None, theirs[beside]


def _comparable(this: Track, other: Track) -> list[Occurrence]:
    """Leave out what was done several times, and of which a record with holes lacks some."""
    if this.whole and other.whole:
        return list(this.course)
    counts = [Counter(one.name for one in track.course) for track in (this, other)]
    several = {
        name for name in counts[0].keys() & counts[1].keys() if counts[0][name] != counts[1][name]
    }
    return [one for one in this.course if one.name not in several]


def _differing(one: Occurrence, other: Occurrence, *, whole: bool) -> Iterator[Divergence]:
    if one.ended != other.ended:
        yield _parting(one, other)
        return
    for name in dict.fromkeys([*one.fields, *other.fields]):
        if not whole and not (name in one.fields and name in other.fields):
            continue
        values = one.fields.get(name), other.fields.get(name)
        if same(*values) or any(map(hidden, values)):
            continue
        yield _valued(one, other, name, values)
        if one.kind in _ONE_PER_RECORD:
            return


def _valued(one: Occurrence, other: Occurrence, name: str, values: tuple[Any, Any]) -> Divergence:
    what = _DONE_WITH.get(name, name) if one.kind in _ONE_PER_RECORD else name
    texts = [_text(side, name) for side in (one, other)]
    if texts[0] == texts[1]:  # cut, or of another type
        texts = [f"{text} ({type_name(value)})" for text, value in zip(texts, values, strict=True)]
    return Divergence(
        kind=one.kind,
        where=one.where,
        field=name,
        a=values[0],
        b=values[1],
        a_ms=one.at_ms,
        b_ms=other.at_ms,
        says=f"{one.where}: {what} is {texts[0]} in A, {texts[1]} in B",
    )


def _text(one: Occurrence, name: str) -> str:
    return value_text(one.fields[name], _LONGEST) if name in one.fields else "not given"


def _parting(one: Occurrence | None, other: Occurrence | None) -> Divergence:
    failed = next((side for side in (one, other) if side and side.kind == "failure"), None)
    first = failed or one or other
    return Divergence(
        kind=first.kind if first else "end",
        where=first.where if first else "",
        field="",
        a=_did(one),
        b=_did(other),
        a_ms=one.at_ms if one else None,
        b_ms=other.at_ms if other else None,
        says=f"A: {_did(one)}; B: {_did(other)}",
        parts=True,
    )


def _did(one: Occurrence | None) -> str:
    if one is None:
        return "it was over"
    if one.kind == "failure":
        return one.where or "it failed"
    where = one.where.removesuffix(" when it ended")
    return f"{where} {_ENDED.get(one.ended, 'began')}"


def _topic(one: Occurrence, field: str) -> str:
    """Return what a difference is about: what follows from it later is about the same."""
    if one.kind in _ONE_PER_RECORD:
        return one.name.removeprefix("iteration ")
    if one.kind in _OF_PARAMETERS:
        return field
    return f"step {field}" if one.kind == "step" else f"{one.name} {field}"
