"""The figures of one run of the benchmarks: what each is, the table of them, and their JSON.

Every figure is a cost, so that less is better, and its ratio is ours over the other's: below 1
we are cheaper. Samples that were taken in turns are compared turn by turn: what else the machine
did weighed on both halves of a turn alike.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

SCHEMA = "loop26-benchmarks/1"
HEADINGS = ("", "what", "size", "ours", "beside", "theirs", "ratio", "grows", "goal")


class Spread(NamedTuple):
    """Where a figure's samples lie."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Find them; there is at least one sample."""
        return cls(statistics.median(samples), min(samples), max(samples))

    def __str__(self) -> str:
        if self.least == self.most:
            return _plain(self.median)
        return f"{_plain(self.median)} ({_plain(self.least)}..{_plain(self.most)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One cost, at one size, beside that of another way to do the same if there is one.

    Attributes:
        name: Which benchmark it belongs to, as in docs/benchmarks.md.
        what: What costs that, for people.
        size: How much of it there was; figures of one name, `what` and `beside` grow by it.
        unit: Of the samples.
        ours: One sample a turn.
        beside: What it is compared with; "" where there is nothing of the kind.
        theirs: Its samples, of the same turns.
        goal: What was aimed at, for people.
    """

    name: str
    what: str
    unit: str
    ours: tuple[float, ...]
    size: str = ""
    beside: str = ""
    theirs: tuple[float, ...] = ()
    goal: str = ""

    def __post_init__(self) -> None:
        if not self.ours:
            raise ValueError(f"{self.name}, {self.what}: there are no samples")
        if self.theirs and len(self.theirs) != len(self.ours):
            raise ValueError(
                f"{self.name}, {self.what}: {len(self.ours)} samples beside {len(self.theirs)}; "
                "take them in turns"
            )

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over theirs, turn by turn; none where there is nothing to compare with."""
        if not self.theirs:
            return ()
        return tuple(mine / other for mine, other in zip(self.ours, self.theirs, strict=True))

    @property
    def series(self) -> tuple[str, str, str]:
        """What it has in common with the same figure at other sizes."""
        return (self.name, self.what, self.beside)


@dataclass(slots=True)
class Report:
    """Collects the figures of a run.

    Attributes:
        quick: Whether sizes were cut down: the figures only show that all of it works.
    """

    quick: bool = False
    figures: list[Figure] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        """Take in a figure."""
        self.figures.append(figure)

    def ordered(self) -> list[Figure]:
        """List the figures by name; those of one name as they came."""
        return sorted(self.figures, key=lambda figure: _order(figure.name))

    def growth(self, figure: Figure) -> float | None:
        """Say how much more it costs than at the first size; None for a series of one."""
        series = [other for other in self.figures if other.series == figure.series]
        first = statistics.median(series[0].ours)
        if len(series) == 1 or not first:
            return None
        return statistics.median(figure.ours) / first

    def table(self) -> Table:
        """Draw all of them, a name said once."""
        title = _TITLE_QUICK if self.quick else None
        made = Table(box=box.SIMPLE_HEAD, title=title, pad_edge=False)
        for heading in HEADINGS:
            made.add_column(heading, overflow="fold", max_width=_MOST_WIDTHS.get(heading))
        before = ""
        for figure in self.ordered():
            name, *rest = self.cells(figure)
            made.add_row("" if name == before else name, *rest)
            before = name
        return made

    def cells(self, figure: Figure) -> tuple[str, ...]:
        """Write what a figure's row says, under `HEADINGS`."""
        growth = self.growth(figure)
        return (
            figure.name,
            figure.what,
            figure.size,
            f"{Spread.of(figure.ours)} {figure.unit}",
            figure.beside,
            f"{Spread.of(figure.theirs)} {figure.unit}" if figure.theirs else "",
            str(Spread.of(figure.ratios)) if figure.theirs else "",
            "" if growth is None else f"{_plain(growth)} x",
            figure.goal,
        )

    def as_json(self, machine: dict[str, Any]) -> dict[str, Any]:
        """Write all of them down, samples too; docs/benchmarks.md says what the fields are."""
        return {
            "schema": SCHEMA,
            "quick": self.quick,
            "machine": machine,
            "headings": list(HEADINGS),
            "figures": [self._as_json(figure) for figure in self.ordered()],
        }

    def _as_json(self, figure: Figure) -> dict[str, Any]:
        return {
            "name": figure.name,
            "what": figure.what,
            "size": figure.size,
            "unit": figure.unit,
            "ours": _samples(figure.ours),
            "beside": figure.beside,
            "theirs": _samples(figure.theirs),
            "ratio": _samples(figure.ratios),
            "grows": self.growth(figure),
            "goal": figure.goal,
            "cells": list(self.cells(figure)),
        }


# What is in words is folded; figures are not.
_MOST_WIDTHS = {"what": 42, "size": 22, "beside": 30, "goal": 14}
_TITLE_QUICK = "Quick sizes: these figures show that all of it works, and no more"


def _order(name: str) -> tuple[str, int]:
    """Have P2 come before P10, and what has no P last."""
    letter, number = name[:1], name[1:]
    return ("~" if letter != "P" else letter, int(number) if number.isdigit() else 0)


def _samples(samples: Sequence[float]) -> dict[str, Any] | None:
    if not samples:
        return None
    median, least, most = Spread.of(samples)
    return {"median": median, "min": least, "max": most, "samples": list(samples)}


def _plain(value: float) -> str:
    """Write a number as far as it says something: two or three figures, near 1 four."""
    if value == 0:
        return "0"
    if 0.9 <= abs(value) < 1.1:
        return f"{value:.4g}"
    if abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
