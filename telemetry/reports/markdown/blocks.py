"""What reports in Markdown are made of: blocks that can be cut, and texts that cannot break out.

GitHub turns `@name` into a mention, `#1` and addresses into links, wherever it finds them outside
of code, also when they were escaped as characters. So a stranger's text is code, where nothing is
looked for, or prose with word joiners in it.
"""

import html
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from telemetry.reports.company import DifferenceFound
from telemetry.reports.wording import cut, one_line, printable, value_text

MOST: Final = 65_536  # characters of a GitHub comment
_MOST_ROWS: Final = 1000  # of a block
_LONGEST: Final = 300  # characters of a text within a line
_LONGEST_SENTENCE: Final = 1000
_LONGEST_LINE: Final = 240  # of a block of code
_JOINER: Final = (
    "&#8288;"  # a word joiner: it is not seen, and no name or address goes on behind it
)
_PIPE: Final = "&#124;"
_TICKS: Final = re.compile(r"`+")
_PUNCTUATION: Final = re.compile(r"[\\`*\[\]~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=]")
_NAMES: Final = re.compile(r"@|#(?=\d)|\bGH-(?=\d)|\bwww(?=\.)|:(?=//)", re.IGNORECASE)
_NUMBER_FIRST: Final = re.compile(r"^(\d+)([.)])")
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/%?=&+-]*)?")


Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a report; its `rows` may be left out from the end where the report is too long.

    Attributes:
        rows: Lines, each of a bounded length.
        head: What stands before them.
        close: What stands behind them: the end of a block of code.
        end: What stands behind the word about what is left out: the end of a block that folds.
        unit: What a row is, for that word.
        left_out: How many rows are left out.
    """

    rows: tuple[str, ...] = ()
    head: str = ""
    close: str = ""
    end: str = ""
    unit: str = "lines"
    left_out: int = 0

    def __str__(self) -> str:
        """Return the block as text."""
        word = f"\n*… {self.left_out:,} more {self.unit} left out.*\n" if self.left_out else ""
        return "\n".join(filter(None, (self.head, *self.rows, self.close, word, self.end)))

    def shorter(self) -> "Block":
        """Return the block with half of its rows."""
        kept = len(self.rows) // 2
        left_out = self.left_out + len(self.rows) - kept
        return replace(self, rows=self.rows[:kept], left_out=left_out)


def joined(blocks: Iterable[Block], most: int = MOST) -> str:
    """Return the blocks as one text of at most so many characters, the largest cut as it must be.

    A report with more blocks than fit without any row is cut at its end.
    """
    held = list(blocks)
    sizes = [len(str(block)) + 2 for block in held]
    while sum(sizes) > most:
        able = [number for number, block in enumerate(held) if block.rows]
        if not able:
            break
        largest = max(able, key=sizes.__getitem__)
        held[largest] = held[largest].shorter()
        sizes[largest] = len(str(held[largest])) + 2
    return cut("\n\n".join(str(block).strip("\n") for block in held) + "\n", most)


def whole(blocks: Iterable[Block], most: int = MOST) -> str | None:
    """Return the blocks as one text; None, without going on, where that gets longer than `most`."""
    texts, size = [], 0
    for block in blocks:
        texts.append(str(block).strip("\n"))
        size += len(texts[-1]) + 2
        if size > most or block.left_out:
            return None
    return "\n\n".join(texts) + "\n"


def heading(title: str, level: int = 2) -> Block:
    """Name a section, in words of ours."""
    return Block(head=f"{'#' * level} {title}")


def paragraph(text: str) -> Block:
    """Hold a line of Markdown, made with `prose` and `code`."""
    return Block(head=text)


def bullets(lines: Iterable[str], *, numbered: bool = False) -> Block:
    """List lines of Markdown, made with `prose` and `code`."""
    kept, left_out = _first(lines)
    rows = tuple(f"{f'{n}.' if numbered else '-'} {line}" for n, line in enumerate(kept, 1))
    return Block(rows=rows, left_out=left_out)


def warning(lines: Iterable[str]) -> Block:
    """Set lines of Markdown apart, as GitHub shows a warning."""
    return Block(head="\n".join(["> [!WARNING]", *(f"> {line}" for line in lines)]))


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], unit: str = "rows") -> Block:
    """Draw a table; cells are Markdown, made with `prose` and `code`."""
    head = f"{_row(titles)}\n{_row(['---'] * len(titles))}"
    kept, left_out = _first(rows)
    return Block(head=head, rows=tuple(map(_row, kept)), unit=unit, left_out=left_out)


def fence(lines: Iterable[str], language: str = "text") -> Block:
    """Show lines as they are, in a block of code whose fence is longer than any in them."""
    kept, left_out = _first(lines)
    shown = [cut(printable(line.expandtabs(4).replace("\n", " ")), _LONGEST_LINE) for line in kept]
    ticks = "`" * max(3, 1 + _longest_run("\n".join(shown)))
    head = f"{ticks}{language}"
    return Block(head=head, rows=tuple(shown), close=ticks, left_out=left_out)


def folded(summary: str, block: Block) -> Block:
    """Fold a block away under a text, which is shown as code."""
    head = f"<details>\n<summary>{html_code(summary)}</summary>\n\n{block.head}"
    return replace(block, head=head, end=f"{block.end}\n</details>")


def under(line: str, block: Block) -> Block:
    """Put a line of Markdown above a block."""
    return replace(block, head=f"{line}\n\n{block.head}") if line else block


def html_code(text: str) -> str:
    """Write a text as code where HTML stands."""
    return f"<code>{html.escape(one_line(text, _LONGEST))}</code>"


def code(text: str, longest: int = _LONGEST) -> str:
    """Write a text as code within a line; "" stays ""."""
    text = one_line(text, longest)
    if not text:
        return ""
    ticks = "`" * (1 + _longest_run(text))
    pad = " " if "`" in (text[0], text[-1]) else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def prose(text: str, longest: int = _LONGEST_SENTENCE) -> str:
    """Write a text as words: none of it is markup, a mention or a link."""
    text = _NAMES.sub("\\g<0>\0", one_line(text, longest))
    text = html.escape(_PUNCTUATION.sub(r"\\\g<0>", text), quote=False)
    text = _NUMBER_FIRST.sub(r"\1\\\2", text)
    return text.replace("\0", _JOINER).replace("|", _PIPE)


def value(one: object, longest: int = _LONGEST) -> str:
    """Write a value as code, as Python would."""
    return code(value_text(one, longest), longest)


def link(address: str) -> str:
    """Write an address as a link where it is a plain one, else as code."""
    return f"<{address}>" if _ADDRESS.fullmatch(address) else code(address)


def differences(
    found: Iterable[DifferenceFound], this: str, other: str, longest: int = _LONGEST
) -> Block:
    """Compare two tasks in a table; what is equal says so."""
    rows = [
        (
            code(one.name, longest),
            value(one.this, longest),
            "the same" if one.this == one.other else value(one.other, longest),
        )
        for one in found
    ]
    return table(("", this, other), rows)


def _first(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Return as many rows as a comment may hold, and how many there are more."""
    made = iter(rows)
    return list(itertools.islice(made, _MOST_ROWS)), sum(1 for _ in made)


def _row(cells: Sequence[str]) -> str:
    # Within code, too, a pipe ends a cell unless it has a backslash.
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
