"""The comparison of two tasks as a terminal shows it: the answer, then what differs and matters.

Lifecycle, crash points, timings and environment are shown side by side in any case; of what is
many, parameters and defaults, only what matters, unless everything is asked for.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from rich.console import Group, RenderableType
from rich.text import Text

from telemetry.reports.comparison import words
from telemetry.reports.comparison.value import (
    SIDES,
    ComparedFound,
    Comparison,
    CrashPoint,
    ParamCompared,
    SideFound,
    TimingCompared,
)
from telemetry.reports.places import place_text
from telemetry.reports.terminal import blocks
from telemetry.reports.wording import one_line

_ALIKE_STYLES: Final = {
    "no significant difference": "bold green",
    "not decidable": "bold yellow",
    "the same failure": "bold red",
}
_STATUS_STYLES: Final = {"Failed": "bold red", "Complete": "green", "In Progress": "cyan"}
_LONGEST: Final = 48
_LONGEST_ALL: Final = 4000
_MOST: Final = 5  # divergences, and records before a failure, unless everything is asked for
_QUIET: Final = frozenset({"worker_id", "supervisor_pid", "pid"})
_MATTERS: Final = "bold yellow"
_Row = TypeVar("_Row", ComparedFound, ParamCompared)


def renderable(found: Comparison, *, everything: bool = False) -> Group:
    """Return the comparison for a rich console; `everything` leaves out nothing."""
    return Group(_head(found), *_sections(found, everything=everything))


def plain(found: Comparison, *, width: int = 80, everything: bool = False) -> str:
    """Return the comparison as text of so many columns."""
    return blocks.as_text(renderable(found, everything=everything), width)


def _head(found: Comparison) -> Group:
    drawn: list[RenderableType] = []
    for name, side in (("A", found.a), ("B", found.b)):
        task = side.task
        line = Text(f"{name}  {one_line(task.type, 40)} {one_line(task.id, 60)}  ", style="bold")
        drawn.append(line.append(one_line(task.status, 40), _STATUS_STYLES.get(task.status, "")))
    style = _ALIKE_STYLES.get(found.alike, "bold")
    drawn.append(blocks.said(found.says, style, indent=0))
    drawn += [blocks.said(one, "yellow", indent=0) for one in found.caveats]
    return Group(*drawn)


def _sections(found: Comparison, *, everything: bool) -> Iterator[RenderableType]:
    yield _divergence(found, everything=everything)
    if found.a.crash or found.b.crash:
        yield _crash(found, everything=everything)
    yield from _rest(found, everything=everything)


def _rest(found: Comparison, *, everything: bool) -> Iterator[RenderableType]:
    yield _params(found, everything=everything)
    asked = _shown(found.asked, everything=everything)
    if asked:
        yield blocks.section("What was asked", [_facts(asked, everything=everything, plain=False)])
    yield _defaults(found, everything=everything)
    yield blocks.section("Lifecycle", [_facts(found.lifecycle, everything=everything)])
    yield _timings(found, everything=everything)
    ran_on = [one for one in found.environment if everything or one.name not in _QUIET]
    yield blocks.section("Environment", [_facts(ran_on, everything=everything)], words.legend())


def _divergence(found: Comparison, *, everything: bool) -> Group:
    told = found.divergences
    if not told:
        return blocks.section("The first divergence", [blocks.said(words.no_divergence(found))])
    first, others = told[0], told[1:]
    drawn: list[RenderableType] = [
        blocks.said(first.says, "bold"),
        blocks.said(words.when(first), "dim", indent=4),
    ]
    # Where the ways part is the last: it is told, however many there are before it.
    shown = others if everything or len(others) <= _MOST else others[: _MOST - 1]
    drawn += [blocks.said(f"{words.then(one)}: {one.says}") for one in shown]
    if left := len(others) - len(shown):
        drawn.append(blocks.said(blocks.left_out(left - 1, "divergences"), "dim"))
        drawn.append(blocks.said(f"{words.then(others[-1])}: {others[-1].says}"))
    return blocks.section("The first divergence", drawn, "in the order of the attempts")


def _crash(found: Comparison, *, everything: bool) -> Group:
    drawn: list[RenderableType] = [_facts(found.crash, everything=everything)]
    for name, side in (("A", found.a), ("B", found.b)):
        drawn += [Text(""), blocks.said(f"{name}: {_ended(side)}", "bold")]
        if side.crash:
            drawn += _point(side.crash, everything=everything)
    return blocks.section("Crash points", drawn)


def _ended(side: SideFound) -> str:
    if side.crash is None:
        return side.says
    failure = side.crash.failure
    return (
        place_text(failure.location, failure.place, failure.own) or failure.sentence or failure.type
    )


def _point(crash: CrashPoint, *, everything: bool) -> Iterator[RenderableType]:
    yield blocks.said(crash.pattern, indent=4)
    around = crash.around if everything else words.nearest(crash)
    if around:
        rows = [
            (f"{one.offset_ms:+.3f} ms", one.kind, Text(one.text, _style(one.kind)))
            for one in around
        ]
        yield blocks.table(rows, whole=everything, indent=4)


def _style(kind: str) -> str:
    return "bold red" if kind == "failure" else ""


def _params(found: Comparison, *, everything: bool) -> Group:
    title = "Parameters at the crash point" if found.a.crash or found.b.crash else "Parameters"
    if not found.params:
        return blocks.section(title, [blocks.said("none is in either record")])
    longest = _LONGEST_ALL if everything else _LONGEST
    shown = _shown(found.params, everything=everything)
    drawn: list[RenderableType] = []
    if shown:
        rows = [_param(one, longest) for one in shown]
        drawn.append(blocks.table(rows, ("", "", "A", "B", "type", "layer"), whole=everything))
    drawn += [] if everything else _left(found.params, "parameter")
    return blocks.section(title, drawn)


def _param(row: ParamCompared, longest: int) -> tuple[Text | str, ...]:
    texts = (
        words.mark(row),
        row.name,
        words.param_cell(row, "a", longest),
        words.param_cell(row, "b", longest),
        words.both(row, "type"),
        words.both(row, "source"),
    )
    return tuple(Text(text, style=_MATTERS if row.matters else "") for text in texts)


def _defaults(found: Comparison, *, everything: bool) -> Group:
    built = found.defaults[: words.BUILT]
    keys = found.defaults[words.BUILT :]
    if all(len(one.unknown) == len(SIDES) for one in found.defaults):
        return blocks.section("Model defaults", [blocks.said("they are in neither record")])
    drawn: list[RenderableType] = [_facts(built, everything=everything)]
    shown = _shown(keys, everything=everything)
    if shown:
        longest = _LONGEST_ALL if everything else _LONGEST
        rows = [
            (
                words.mark(one),
                Text(one.name, style=_MATTERS if one.matters else ""),
                words.default_cell(one, "a", longest),
                words.default_cell(one, "b", longest),
                one.why,
            )
            for one in shown
        ]
        drawn.append(blocks.table(rows, ("", "", "A", "B", ""), whole=everything))
    drawn += [] if everything else _left(keys, "key")
    return blocks.section("Model defaults", drawn)


def _timings(found: Comparison, *, everything: bool) -> Group:
    rows = [one for one in found.timings if everything or _is_told(one)]
    drawn = [
        (
            words.mark(one),
            Text(one.name, style=_MATTERS if one.matters else ""),
            words.took(one, "a", found),
            words.took(one, "b", found),
            words.ratio(one),
            Text(one.why, style="dim"),
        )
        for one in rows
    ]
    table = blocks.table(drawn, ("", "", "A", "B", "B / A", ""), whole=everything)
    return blocks.section("Timings", [table], words.threshold())


def _is_told(row: TimingCompared) -> bool:
    """Whether a timing is told without being asked for: an engine's calls are within stages."""
    some = row.a_ms is not None or row.b_ms is not None
    return row.matters or (some and not row.name.startswith("engine "))


def _facts(
    rows: Sequence[ComparedFound], *, everything: bool, plain: bool = True
) -> RenderableType:
    longest = _LONGEST_ALL if everything else _LONGEST
    drawn = []
    for one in rows:
        style = _MATTERS if one.matters else ""
        texts = [words.mark(one), one.name]
        texts += [words.cell(one, side, longest, plain=plain) for side in SIDES]
        drawn.append([Text(text, style=style) for text in texts])
    return blocks.table(drawn, ("", "", "A", "B"), whole=everything)


def _shown(rows: Sequence[_Row], *, everything: bool) -> list[_Row]:
    return [one for one in rows if everything or one.matters]


def _left(rows: Sequence[_Row], what: str) -> Iterator[RenderableType]:
    if said := words.left([one for one in rows if not one.matters], what):
        yield blocks.said(f"{said} (--all)", "dim")
