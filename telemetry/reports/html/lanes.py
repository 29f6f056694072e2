"""Which bars of a timeline are drawn, in which lane and row, and which are drawn as one.

The picture has room for some hundred bars. Those of one row that are too narrow to be told apart
are drawn as one bar that says how many it stands for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from telemetry.reports.html.scale import Scale, usable
from telemetry.reports.moments import BarFound, TimelineFound
from telemetry.reports.wording import duration, one_line

# The kinds of bars and the lane of each, from the top; what has no other goes into the last.
LANES: Final = {
    "process": "attempt",
    "stage": "stages",
    "iteration": "parameter loop",
    "engine": "engine calls",
    "step": "denoising steps",
    "queue": "queue",
    "other": "other spans",
}
_NARROW: Final = 0.7  # percent of the width: narrower bars are drawn as one,
_CLOSE: Final = 0.35  # where no more than this is between them
_MOST_ROWS: Final = 6
_MOST_DRAWN: Final = 300  # in one row


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One bar of the picture, and how many spans it stands for."""

    first: BarFound
    last: BarFound
    slowest: BarFound
    end_ms: float
    count: int

    @property
    def ended(self) -> str:
        """How the spans ended: "ok", "failed", "cut off", "open", "unknown"."""
        return self.first.ended

    @property
    def label(self) -> str:
        """What stands in the bar, where it has room."""
        if self.count > 1:
            return f"{self.count:,}\N{MULTIPLICATION SIGN}"
        bar = self.first
        if bar.kind in ("step", "iteration") and bar.label:
            return one_line(bar.label.partition(",")[0], 60)
        return one_line(bar.name.removeprefix(f"{bar.kind} "), 60) or bar.kind

    @property
    def title(self) -> str:
        """What is told of it when it is pointed at."""
        bar = self.first
        if self.count == 1:
            took = duration(max(0.0, bar.end_ms - bar.start_ms))
            ended = bar.ended
            if ended == "unknown":
                took, ended = f"at least {took}", "its end is not in the record"
            return " \N{MIDDLE DOT} ".join(
                part for part in (_named(bar), took, ended, f"at {duration(bar.start_ms)}") if part
            )
        slowest = duration(max(0.0, self.slowest.end_ms - self.slowest.start_ms))
        names = f"{_named(bar)} to {_named(self.last)}"
        return f"{self.count:,} spans, {names}; the slowest took {slowest} ({_named(self.slowest)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane of the picture: bars of a kind, one row for each depth."""

    kind: str
    title: str
    rows: list[list[Drawn]] = field(default_factory=list)
    left_out: int = 0

    @property
    def grouped(self) -> int:
        """How many spans are drawn together with others."""
        return sum(one.count for row in self.rows for one in row if one.count > 1)


def lanes(timeline: TimelineFound, scale: Scale) -> list[Lane]:
    """Return the lanes that have something to show on a scale."""
    shown: dict[str, dict[int, list[BarFound]]] = {}
    for bar in timeline.bars:
        if _drawable(bar) and scale.shows(bar.start_ms, bar.end_ms):
            kind = bar.kind if bar.kind in LANES else "other"
            shown.setdefault(kind, {}).setdefault(bar.depth, []).append(bar)
    return [_lane(kind, shown[kind], scale) for kind in LANES if kind in shown]


def _lane(kind: str, by_depth: dict[int, list[BarFound]], scale: Scale) -> Lane:
    rows, left_out = [], 0
    for number, depth in enumerate(sorted(by_depth)):
        drawn = list(_grouped(by_depth[depth], scale)) if number < _MOST_ROWS else []
        rows += [drawn[:_MOST_DRAWN]] if drawn else []
        left_out += len(by_depth[depth]) - sum(one.count for one in drawn[:_MOST_DRAWN])
    return Lane(kind=kind, title=LANES[kind], rows=rows, left_out=left_out)


def _grouped(bars: Iterable[BarFound], scale: Scale) -> Iterator[Drawn]:
    """Put together what is narrow, close to the one before, and ended like it."""
    waiting: Drawn | None = None
    for bar in sorted(bars, key=lambda one: (one.start_ms, one.end_ms)):
        if waiting is not None and _joins(waiting, bar, scale):
            waiting = _joined(waiting, bar)
            continue
        if waiting is not None:
            yield waiting
        waiting = Drawn(first=bar, last=bar, slowest=bar, end_ms=bar.end_ms, count=1)
    if waiting is not None:
        yield waiting


def _joins(drawn: Drawn, bar: BarFound, scale: Scale) -> bool:
    gap = scale.across(bar.start_ms) - scale.across(drawn.end_ms)
    return (
        bar.ended == drawn.ended
        and gap < _CLOSE
        and _width(bar, scale) < _NARROW
        and _width(drawn.last, scale) < _NARROW
    )


def _joined(drawn: Drawn, bar: BarFound) -> Drawn:
    slowest = max(drawn.slowest, bar, key=lambda one: one.end_ms - one.start_ms)
    return Drawn(
        first=drawn.first,
        last=bar,
        slowest=slowest,
        end_ms=max(drawn.end_ms, bar.end_ms),
        count=drawn.count + 1,
    )


def _width(bar: BarFound, scale: Scale) -> float:
    return scale.across(bar.end_ms) - scale.across(bar.start_ms)


def _drawable(bar: BarFound) -> bool:
    return usable(bar.start_ms) and usable(bar.end_ms)


def _named(bar: BarFound) -> str:
    return one_line(f"{bar.name} ({bar.label})" if bar.label else bar.name, 120)
