"""The comparison of two tasks as Markdown that fits a GitHub comment.

Everything is side by side in tables: what differs and matters stands first in each, and long lists
are folded.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

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
from telemetry.reports.markdown import blocks as md
from telemetry.reports.markdown.blocks import Block
from telemetry.reports.places import place_text

# Characters of a value; the first that lets it fit, else the last, and rows are left out.
_LONGEST: Final = (300, 120, 60)
_MOST_DIVERGENCES: Final = 20
_Row = TypeVar("_Row", ComparedFound, TimingCompared)


def markdown(found: Comparison) -> str:
    """Return the comparison."""
    for longest in _LONGEST[:-1]:
        text = "\n\n".join(str(block).strip("\n") for block in _blocks(found, longest)) + "\n"
        if len(text) <= md.MOST:
            return text
    return md.joined(_blocks(found, _LONGEST[-1]))


def _blocks(found: Comparison, longest: int) -> Iterator[Block]:
    yield from _head(found)
    yield from _divergences(found)
    if found.a.crash or found.b.crash:
        yield from _crash(found, longest)
    yield from _params(found, longest)
    yield from _asked(found, longest)
    yield from _defaults(found, longest)
    yield md.heading("Lifecycle")
    yield _facts(found.lifecycle, longest)
    yield from _timings(found)
    yield md.heading("Environment")
    yield _facts(found.environment, longest)
    yield md.paragraph(f"{words.legend()}.")


def _head(found: Comparison) -> Iterator[Block]:
    yield md.heading(f"Comparison: {found.alike}", 1)
    rows = [(name, *_task(side)) for name, side in (("A", found.a), ("B", found.b))]
    yield md.table(("", "task", "type", "status"), rows)
    yield md.paragraph(f"**{md.prose(found.says)}**")
    if found.caveats:
        yield md.warning(map(md.prose, found.caveats))


def _task(side: SideFound) -> tuple[str, ...]:
    task = side.task
    return md.code(task.id, 60), md.code(task.type, 60), md.code(task.status, 40)


def _divergences(found: Comparison) -> Iterator[Block]:
    yield md.heading("The first divergence")
    told = found.divergences
    if not told:
        yield md.paragraph(md.prose(words.no_divergence(found)))
        return
    lines = [
        f"{words.then(one) + ': ' if number else ''}{md.prose(one.says)} ({words.when(one)})"
        for number, one in enumerate(told)
    ]
    # Where the ways part is the last: it is told, however many there are before it.
    shown = (
        lines if len(lines) <= _MOST_DIVERGENCES else [*lines[: _MOST_DIVERGENCES - 1], lines[-1]]
    )
    yield md.bullets(shown, numbered=True)


def _crash(found: Comparison, longest: int) -> Iterator[Block]:
    yield md.heading("Crash points")
    yield _facts(found.crash, longest)
    for name, side in (("A", found.a), ("B", found.b)):
        if side.crash is None:
            yield md.paragraph(f"**{name}**: {md.prose(side.says)}")
            continue
        failure = side.crash.failure
        where = place_text(failure.location, failure.place, failure.own) or failure.sentence
        yield md.paragraph(f"**{name}**: {md.code(where, 700)}; {md.prose(side.crash.pattern)}")
        if side.crash.around:
            yield md.folded(f"The records around the failure of {name}", _around(side.crash))


def _around(crash: CrashPoint) -> Block:
    return md.fence(
        f"{one.at}  {one.offset_ms:+12.3f} ms  {one.kind:<8} {one.text}" for one in crash.around
    )


def _params(found: Comparison, longest: int) -> Iterator[Block]:
    yield md.heading("Parameters at the crash point" if _failed(found) else "Parameters")
    if not found.params:
        yield md.paragraph("None is in either record.")
        return
    titles = ("", "parameter", "A", "B", "type", "layer", "how")
    first = [one for one in found.params if one.matters]
    others = [one for one in found.params if not one.matters]
    if first:
        yield md.table(titles, (_param(one, longest) for one in first), "parameters")
    if others:
        listed = md.table(titles, (_param(one, longest) for one in others), "parameters")
        yield md.folded(words.left(others, "parameter"), listed)


def _param(row: ParamCompared, longest: int) -> tuple[str, ...]:
    return (
        words.mark(row),
        md.code(row.name, 80),
        *(md.code(words.param_cell(row, side, longest), longest) for side in SIDES),
        md.prose(words.both(row, "type")),
        md.prose(words.both(row, "source")),
        md.prose(row.why, 80),
    )


def _asked(found: Comparison, longest: int) -> Iterator[Block]:
    first = [one for one in found.asked if one.matters]
    if first:
        yield md.heading("What was asked")
        yield _facts(first, longest, plain=False)


def _defaults(found: Comparison, longest: int) -> Iterator[Block]:
    yield md.heading("Model defaults")
    yield _facts(found.defaults[: words.BUILT], longest)
    keys = found.defaults[words.BUILT :]
    first = [one for one in keys if one.matters]
    titles = ("", "key", "A", "B", "how")
    if first:
        yield md.table(titles, (_default(one, longest) for one in first), "keys")
    if said := words.left([one for one in keys if not one.matters], "key"):
        yield md.paragraph(f"{said}.")


def _default(row: ComparedFound, longest: int) -> tuple[str, ...]:
    cells = (md.code(words.default_cell(row, side, longest), longest) for side in SIDES)
    return (words.mark(row), md.code(row.name, 80), *cells, md.prose(row.why, 80))


def _timings(found: Comparison) -> Iterator[Block]:
    yield md.heading("Timings")
    rows = [
        (
            words.mark(one),
            md.code(one.name, 80),
            *(words.took(one, side, found) for side in SIDES),
            words.ratio(one),
            md.prose(one.why, 80),
        )
        for one in _first(found.timings)
    ]
    yield md.table(("", "part", "A", "B", "B / A", ""), rows)
    yield md.paragraph(f"{words.threshold()}.")


def _facts(rows: Sequence[ComparedFound], longest: int, *, plain: bool = True) -> Block:
    told = [
        (
            words.mark(one),
            md.prose(one.name, 80),
            *(md.code(words.cell(one, side, longest, plain=plain), longest) for side in SIDES),
        )
        for one in _first(rows)
    ]
    return md.table(("", "", "A", "B"), told)


def _first(rows: Iterable[_Row]) -> list[_Row]:
    """Put what differs and matters first; the order stays within each."""
    return sorted(rows, key=lambda one: not one.matters)


def _failed(found: Comparison) -> bool:
    return bool(found.a.crash or found.b.crash)
