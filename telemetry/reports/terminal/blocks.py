"""What reports for a terminal are drawn with: headings, sentences, tables, lines of source.

Every text is escaped here, so a block may be given what strangers wrote. Nothing is wider than the
console: sentences are folded, the cells of a table and lines of source are cut.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from telemetry.reports.findings import SourceLine
from telemetry.reports.wording import cut, one_line, printable

INDENT: Final = 2
_LONGEST: Final = 1000  # characters of a sentence
_LONGEST_ALL: Final = 4000  # of any text when everything is asked for
_LONGEST_CELL: Final = 200
_WIDEST_NAME: Final = 28  # columns of a table's first cells
_MARK: Final = ">"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Indented:
    """Something that is drawn some columns to the right, without spaces at the ends of lines.

    Rich's own padding fills every line up, and people copy from terminals.
    """

    drawn: RenderableType
    indent: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, as rich asks."""
        inner = options.update(width=max(1, options.max_width - self.indent))
        for line in console.render_lines(self.drawn, inner, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                text, style, control = line[-1]
                line[-1] = Segment(text.rstrip(), style, control)
                yield Segment(" " * self.indent)
            yield from line
            yield Segment.line()


def heading(title: str, aside: str = "") -> Text:
    """Name a section; `aside` says quietly how to read it."""
    text = Text(one_line(title, _LONGEST_CELL), style="bold", overflow="fold")
    return (
        text.append(f"  {one_line(aside, _LONGEST_CELL)}", style="not bold dim") if aside else text
    )


def section(title: str, blocks: Iterable[RenderableType], aside: str = "") -> Group:
    """Put a blank line and a heading before some blocks."""
    return Group(Text(""), heading(title, aside), *blocks)


def said(text: str, style: str = "", indent: int = INDENT) -> Indented:
    """Write a sentence, folded between words."""
    return _indented(Text(one_line(text, _LONGEST), style=style, overflow="fold"), indent)


def styled(text: Text, indent: int = INDENT) -> Indented:
    """Indent a text that was put together, of parts that are printable."""
    return _indented(text, indent)


def kept(text: str, style: str = "", indent: int = INDENT) -> Indented:
    """Write a text on one line, cut where the console ends."""
    line = Text(one_line(text, _LONGEST), style=style, no_wrap=True, overflow="ellipsis")
    return _indented(line, indent)


def listed(items: Iterable[str], indent: int = INDENT) -> Indented:
    """Number some sentences."""
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for number, item in enumerate(items, 1):
        grid.add_row(Text(f"{number}."), Text(one_line(item, _LONGEST), overflow="fold"))
    return _indented(grid, indent)


def table(
    rows: Iterable[Sequence[str | Text]],
    titles: Sequence[str] = (),
    *,
    whole: bool = False,
    indent: int = INDENT,
) -> Indented:
    """Draw rows without lines; the first column keeps its width while the others are cut.

    Args:
        rows: A cell is a text, or one that has a style.
        titles: Of the columns; none where the rows speak for themselves.
        whole: Whether long cells are folded, not cut.
        indent: Columns to the left of it.
    """
    drawn = Table(
        box=None,
        show_header=bool(titles),
        header_style="dim",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    cells = [[_cell(cell, whole=whole) for cell in row] for row in rows]
    for number in range(max(len(titles), *map(len, cells), 0)):
        title = one_line(titles[number]) if titles else ""
        drawn.add_column(title, no_wrap=not number, max_width=None if number else _WIDEST_NAME)
    for row in cells:
        drawn.add_row(*row)
    return _indented(drawn, indent)


def source(
    lines: Sequence[SourceLine], failing: int, around: tuple[int, int] = (2, 2)
) -> Iterator[Indented]:
    """Write the lines of source around one, which is marked; lines that are blank at the ends go.

    Args:
        lines: The lines as they were recorded.
        failing: The number of the one that failed.
        around: How many lines before it and after it, at most.
    """
    shown = [one for one in lines if -around[0] <= one.number - failing <= around[1]]
    while shown and not shown[0].text.strip():
        del shown[0]
    while shown and not shown[-1].text.strip():
        del shown[-1]
    digits = max((len(str(one.number)) for one in shown), default=0)
    for one in shown:
        is_failing = one.number == failing
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{_MARK if is_failing else ' '} ", style="bold red")
        text.append(f"{one.number:>{digits}}  ", style="dim")
        text.append(code(one.text), style="bold" if is_failing else "")
        yield _indented(text, INDENT)


def code(line: str) -> str:
    """Return a line of source as it may be shown: its indentation stays."""
    return cut(printable(line.rstrip("\r\n").expandtabs(4).replace("\n", " ")), _LONGEST_CELL)


def first(
    items: Sequence[Item], most: int, what: str, *, everything: bool = False, indent: int = INDENT
) -> tuple[Sequence[Item], list[RenderableType]]:
    """Return the first of some things, and what says that there are more; `everything`: all."""
    shown = items if everything else items[:most]
    left = len(items) - len(shown)
    return shown, [said(left_out(left, what), "dim", indent)] if left else []


def left_out(count: int, what: str) -> str:
    """Say that something, named in the plural, was left out, and how to see it."""
    return f"… {count:,} more {what.removesuffix('s') if count == 1 else what} (--all)"


def as_text(drawn: RenderableType, width: int) -> str:
    """Return what is drawn as plain text of so many columns, without spaces at the ends."""
    out = io.StringIO()
    Console(
        file=out,
        width=width,
        color_system=None,
        force_terminal=False,
        highlight=False,
        markup=False,
    ).print(drawn)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def _cell(cell: str | Text, *, whole: bool) -> Text:
    text = cell.plain if isinstance(cell, Text) else cell
    style = cell.style if isinstance(cell, Text) else ""
    if whole:
        return Text(one_line(text, _LONGEST_ALL), style=style, overflow="fold")
    return Text(one_line(text, _LONGEST_CELL), style=style, no_wrap=True, overflow="ellipsis")


def _indented(drawn: RenderableType, indent: int) -> Indented:
    return Indented(drawn=drawn, indent=indent)
