"""The syntax at the instruction that raised: from its columns in the source, nothing evaluated.

Only the text of the instruction is parsed, not its file: an engine's module has 11,000 lines.
"""

import ast
import itertools
import linecache
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple

_MOST_LINES: Final = 20  # of an expression, or of the head of a statement
_LONGEST: Final = 4096
_MOST_STARTS: Final = 200
_START: Final = re.compile(r"(?<!\w)\w|[\"'(\[{]")
_STATEMENT_BEFORE: Final = re.compile(r"(^|[:;=])\s*$")


class _Place(NamedTuple):
    """Lines from 1; columns count bytes of UTF-8."""

    first_line: int
    last_line: int
    start: int
    end: int


def node_of(trace: TracebackType) -> ast.AST | None:
    """Return the expression, or the statement with a block, whose instruction raised."""
    place, lines = _place(trace)
    return None if place is None else _node_at(place, lines)


def assigned_at(trace: TracebackType) -> ast.expr | None:
    """Return what is assigned to the names at which an assignment raised."""
    place, lines = _place(trace)
    if place is None or not _STATEMENT_BEFORE.search(_before(place, lines).rpartition("\n")[2]):
        return None
    head = "".join(lines[place.first_line - 1 : place.first_line - 1 + _MOST_LINES])
    found = _statement(_bytes_of(head, place.start))
    return found.value if isinstance(found, ast.Assign) else None


def _node_at(place: _Place, lines: Sequence[str]) -> ast.AST | None:
    # A loop's instruction is placed at the whole of the loop; its head is enough.
    shown = list(lines[place.first_line - 1 : place.last_line][:_MOST_LINES])
    if place.last_line < place.first_line + _MOST_LINES:
        shown[-1] = _bytes_of(shown[-1], 0, place.end)
    text = _bytes_of("".join(shown), place.start)
    before = _before(place, lines)
    if before.rstrip().endswith("."):
        return _chain(before, text)
    # From 3.12 on a field of a formatted string is placed without what makes it one.
    found = _expression(text)
    if found is None and text.startswith("{"):
        found = _expression(f'f"""{text}"""')
    return found or _statement(text)


def _place(trace: TracebackType) -> tuple[_Place | None, list[str]]:
    code = trace.tb_frame.f_code
    positions = code.co_positions()
    found = next(itertools.islice(positions, max(trace.tb_lasti, 0) // 2, None), None)
    if found is None:
        return None, []
    first, last, start, end = found
    lines = linecache.getlines(code.co_filename)
    if first is None or last is None or start is None or end is None or not first <= len(lines):
        return None, []
    return _Place(first, min(last, len(lines)), start, end), lines


def _before(place: _Place, lines: Sequence[str]) -> str:
    """Return the text of a few lines up to where the instruction's own begins."""
    above = lines[max(0, place.first_line - 1 - _MOST_LINES) : place.first_line - 1]
    return "".join(above) + _bytes_of(lines[place.first_line - 1], 0, place.start)


def _bytes_of(text: str, start: int, end: int | None = None) -> str:
    return text.encode(errors="replace")[start:end].decode(errors="replace")


def _chain(before: str, text: str) -> ast.AST | None:
    """Return the whole of a chain of calls over several lines, of which `text` is the end.

    Python places its instruction at the last name. The longest text before it that makes one
    expression with it is what the name was asked of.
    """
    found = None
    starts = [match.start() for match in _START.finditer(before)]
    for start in reversed(starts[-_MOST_STARTS:]):
        node = _expression(before[start:] + text)
        if isinstance(node, (ast.Attribute, ast.Call)):
            found = node
    return found


def _expression(text: str) -> ast.AST | None:
    # In brackets it may go over several lines.
    parsed = _parsed(f"({text}\n)")
    match parsed:
        case ast.Module(body=[ast.Expr(value=value)]):
            return value
        case _:
            return None


def _statement(text: str) -> ast.AST | None:
    """Return the first statement of a text; of one with a block, its head with another block."""
    lines = text.splitlines(keepends=True)[:_MOST_LINES]
    for count in range(1, len(lines) + 1):
        head = "".join(lines[:count])
        for source in (f"{head.rstrip()}\n pass", head):
            parsed = _parsed(source)
            if isinstance(parsed, ast.Module) and len(parsed.body) == 1:
                return parsed.body[0]
    return None


def _parsed(source: str) -> ast.AST | None:
    if len(source) > _LONGEST:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
