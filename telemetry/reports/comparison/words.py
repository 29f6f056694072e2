"""What the forms of a comparison say in the same words: cells, marks, titles.

The texts may hold what strangers wrote: each form escapes them in its own way.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from telemetry.reports.comparison.significance import LEAST_MS, LEAST_RATIO
from telemetry.reports.comparison.value import (
    ComparedFound,
    Comparison,
    CrashPoint,
    Divergence,
    ParamCompared,
    ParamSide,
    Side,
    TimingCompared,
)
from telemetry.reports.moments import MomentFound
from telemetry.reports.places import CALLED_AT
from telemetry.reports.sentences import counted
from telemetry.reports.wording import cut, duration, one_line, value_text

BUILT: Final = 5  # so many rows tell how the defaults are built; those of the keys follow
_UNKNOWN: Final = "unknown"
_NONE: Final = "-"
_DIGEST: Final = 12  # characters that tell two digests apart
_SMALL: Final = 0.01  # a ratio below this is not told exactly, nor one above its inverse
_NEAR: Final = 6  # records up to a failure
Row = ComparedFound | ParamCompared | TimingCompared


def mark(row: Row) -> str:
    """Return a sign: it differs and matters, it differs, it is not known, or it is alike."""
    if row.matters:
        return "\N{NOT EQUAL TO}"
    if isinstance(row, TimingCompared):
        return ""
    return "~" if row.differs else "?" if row.unknown else ""


def legend() -> str:
    """Say what the signs mean."""
    return "\N{NOT EQUAL TO} differs and matters, ~ differs, ? is not known of a side"


def cell(row: ComparedFound, side: Side, longest: int, *, plain: bool = True) -> str:
    """Write one side of a row: a text as it reads where it is `plain`, else as Python would."""
    value = row.a if side == "a" else row.b
    if side in row.unknown and value in ("", None):
        return _UNKNOWN
    if value is None:
        return _NONE
    kind, written = _WRITTEN.get(row.name, (str, str))
    if plain and isinstance(value, kind):
        return one_line(written(value), longest)
    return value_text(value, longest)


def default_cell(row: ComparedFound, side: Side, longest: int) -> str:
    """Write one side of a key of the defaults, where None is a value."""
    value = row.a if side == "a" else row.b
    if value is None and side in row.unknown:
        return _UNKNOWN
    only = row.why.endswith(" alone") and not row.why.endswith(f"{side.upper()} alone")
    return _NONE if only else value_text(value, longest)


def param_cell(row: ParamCompared, side: Side, longest: int) -> str:
    """Write the value of a parameter on one side."""
    one = _of(row, side)
    if one is None or not one.source:
        return _UNKNOWN if side in row.unknown else "not decided"
    return value_text(one.value, longest)


def both(row: ParamCompared, name: str) -> str:
    """Write the type or the layer of a parameter: once where both have the same."""
    texts = [str(getattr(one, name)) if one else "" for one in (row.a, row.b)]
    if not all(texts) or texts[0] == texts[1]:
        return one_line(texts[0] or texts[1], 40)
    return one_line(" / ".join(texts), 60)


def took(row: TimingCompared, side: Side, found: Comparison) -> str:
    """Write how long something took on one side."""
    ms = row.a_ms if side == "a" else row.b_ms
    one = found.a if side == "a" else found.b
    if ms is not None:
        return duration(ms)
    return _NONE if one.recorded and one.completeness.complete else _UNKNOWN


def ratio(row: TimingCompared) -> str:
    """Write by what factor B took longer."""
    if row.ratio is None:
        return ""
    if row.ratio < _SMALL:
        return f"<{_SMALL:g}x"
    return f"{row.ratio:,.0f}x" if row.ratio >= 1 / _SMALL else f"{row.ratio:.2f}x"


def threshold() -> str:
    """Say from where on durations differ."""
    return f"a difference from {LEAST_RATIO:g}x and {LEAST_MS:g} ms on matters"


def when(one: Divergence) -> str:
    """Say how long after the begin of each attempt a divergence was."""
    told = [
        f"{duration(max(0.0, ms))} into {name}"
        for name, ms in (("A", one.a_ms), ("B", one.b_ms))
        if ms is not None
    ]
    return ", ".join(told)


def then(one: Divergence) -> str:
    """Say what a later divergence is to the first."""
    return "there they part" if one.parts else "then"


def nearest(crash: CrashPoint) -> list[MomentFound]:
    """Return the failure, the few records before it, and the one after it."""
    before = [one for one in crash.around if one.offset_ms <= 0]
    after = [one for one in crash.around if one.offset_ms > 0]
    return [*before[-_NEAR:], *after[:1]]


def left(rows: Sequence[Row], what: str) -> str:
    """Say what is not shown of some rows because it does not matter, and of how many none knows."""
    unknown = sum(bool(one.unknown) for one in rows if not isinstance(one, TimingCompared))
    alike = len(rows) - unknown
    said = []
    if alike:
        verb = "is alike, or differs" if alike == 1 else "are alike, or differ"
        said.append(f"{counted(alike, what)} {verb} in nothing that matters")
    if unknown:
        verb = "is" if unknown == 1 else "are"
        said.append(f"{counted(unknown, what)} {verb} not known of a side")
    return "; ".join(said)


def no_divergence(found: Comparison) -> str:
    """Say why no divergence is told."""
    if not (found.a.recorded and found.b.recorded):
        return "not known: a side has no record"
    if found.a.completeness.complete and found.b.completeness.complete:
        return "none: from the first record to the last the runs are alike"
    return "none is in the records, which are not complete"


def _of(row: ParamCompared, side: Side) -> ParamSide | None:
    return row.a if side == "a" else row.b


def _short_place(text: str) -> str:
    """Leave of a place's path the file's name; a line of ours comes first, for room is short."""
    raised, called, own = text.partition(f", {CALLED_AT} ")
    before, at, path = raised.partition(" at ")
    said = f"{before}{at}{PurePath(path).name}" if at else raised
    return f"{CALLED_AT} {PurePath(own).name}, {said}" if called else said


def _named_value(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value_text(one)}" for name, one in value.items())


# How facts are written that are no plain texts, and of which type these are: a fact of the same
# name may be a stranger's.
_WRITTEN: Final[Mapping[str, tuple[type, Callable[[Any], str]]]] = {
    "place": (str, _short_place),
    "value": (Mapping, _named_value),
    "digest before": (str, lambda digest: cut(digest, _DIGEST)),
    "digest after": (str, lambda digest: cut(digest, _DIGEST)),
}
