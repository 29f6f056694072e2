"""What a window of source lines around a failing one shows of how a name got its value.

Only what must have run before the failing line is told. A branch that may have been passed by, a
loop that may have come round, lines of another function: each makes the answer unknown.
"""

import ast
import itertools
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Final

from telemetry.reports.findings import FrameFound, SourceLine

REACH: Final = 40  # lines on either side that are looked at
_LONGEST: Final = 20_000  # characters of a statement
_DEEPEST: Final = 100  # levels of its syntax
_TOKENS: Final = re.compile(
    r"#.*|\"\"\"|'''|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[()\[\]{}]|\\$"
)
_TRIPLE: Final = ('"""', "'''")
_SCOPE: Final = re.compile(r"\s*(async\s+def|def|class)\b|.*\blambda\b", re.DOTALL)
_LOOP: Final = re.compile(r"\s*(async\s+for|for|while)\b")
# A header, or one that needs what stands before or after it, made whole.
_FORMS: Final = (
    "{}",
    "{}\n pass",
    "if True:\n pass\n{}\n pass",
    "try:\n pass\n{}\n pass",
    "{}\n pass\nfinally:\n pass",
    "match 0:\n {}\n  pass",
)


class How(Enum):
    """How much is known of where a name's value comes from.

    ASSIGNED by the statement that is told. KEPT: it is a parameter, and nothing has bound it since
    the function began. UNSEEN: the lines do not show it. UNKNOWN: it was bound in another way, or
    may have been.
    """

    ASSIGNED = auto()
    KEPT = auto()
    UNSEEN = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where a name got its value; `line` and `value` only of what was assigned."""

    how: How
    line: int = 0
    value: ast.expr | None = None


@dataclass(frozen=True, kw_only=True)
class _Statement:
    """A simple statement, or the header of a block, with the numbers of its lines."""

    first: int
    last: int
    text: str

    @property
    def indent(self) -> int:
        """How far it is indented."""
        return len(self.text) - len(self.text.lstrip())

    @property
    def is_loop(self) -> bool:
        """Whether what is in its block may run again."""
        return _LOOP.match(self.text) is not None

    @property
    def opens_scope(self) -> bool:
        """Whether names are others in it."""
        return _SCOPE.match(self.text) is not None

    @cached_property
    def tree(self) -> ast.Module | None:
        """Its syntax; None where it has none, or not all of it is there."""
        found = (parsed(form.format(self.text.strip())) for form in _FORMS)
        return next((one for one in found if one is not None), None)

    def binds(self, name: str) -> bool:
        """Whether it binds a name in any way, or may do so."""
        if self.tree is None:
            return re.search(rf"\b{re.escape(name)}\b", self.text) is not None
        return _binds(self.tree, name) or _binds(self.tree, "*")

    def value_of(self, name: str) -> ast.expr | None:
        """Return what it assigns to a name, where that is all that it does."""
        match self.tree:
            case ast.Module(
                body=[
                    ast.Assign(targets=[ast.Name(id=target)], value=ast.expr() as value)
                    | ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value)
                    | ast.AugAssign(target=ast.Name(id=target), value=ast.expr() as value)
                ]
            ) if target == name and not _binds(value, name):
                return value
        return None

    def begins(self, function: str, name: str) -> bool:
        """Whether it is the head of the function, and the name is one of its parameters."""
        body = self.tree.body if self.tree else []
        match body:
            case [ast.FunctionDef() | ast.AsyncFunctionDef() as one] if one.name == function:
                told = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
                return not one.args.vararg and name in [each.arg for each in told]
        return False


def binding(name: str, frame: FrameFound) -> Binding:
    """Tell how a local of a frame got the value that it has at the frame's line."""
    function = frame.function.rpartition(".")[2]
    if function.startswith("<") and function != "<module>":  # a lambda's, or a comprehension's
        return Binding(how=How.UNSEEN)
    found = _statements([one for one in frame.source if abs(one.number - frame.line) <= REACH])
    own = next((one for one in found if one.first <= frame.line <= one.last), None)
    if own is None or own.is_loop or re.match(r"\s*(async\s|def|class)\b", own.text):
        return Binding(how=How.UNKNOWN if own and own.binds(name) else How.UNSEEN)
    if own.tree and own.binds(name) and own.value_of(name) is None:
        return Binding(how=How.UNKNOWN)
    if own.tree is None and re.search(rf"\b{re.escape(name)}\s*:=", own.text):
        return Binding(how=How.UNKNOWN)
    return _above(name, function, own, [one for one in found if one.last < own.first])


def _above(name: str, function: str, own: _Statement, above: Sequence[_Statement]) -> Binding:
    """Go up from a statement to what must have run before it."""
    indent = own.indent
    for one in reversed(above):
        is_around = one.indent < indent
        if one.opens_scope:
            kept = is_around and one.begins(function, name)
            return Binding(how=How.KEPT if kept else How.UNSEEN)
        value = None if one.indent != indent else one.value_of(name)
        if value is not None and not isinstance(one.tree and one.tree.body[0], ast.AugAssign):
            return Binding(how=How.ASSIGNED, line=one.first, value=value)
        if one.binds(name):
            return Binding(how=How.UNKNOWN)
        if is_around and one.is_loop:
            break
        indent = min(indent, one.indent)
    return Binding(how=How.UNSEEN)


def _statements(lines: Sequence[SourceLine]) -> list[_Statement]:
    """Split lines into statements; what began above them is none."""
    texts = [one.text for one in lines]
    begin = _Scan(texts)
    if begin.quote:  # the first line is within a text
        begin = _Scan(texts, quote=begin.quote)
    if begin.lowest < 0:  # or within brackets
        begin = _Scan(texts, quote=begin.quote_before, depth=-begin.lowest)
    firsts = [*begin.firsts, len(lines)]
    return [
        _Statement(
            first=lines[first].number,
            last=lines[after - 1].number,
            text="\n".join(texts[first:after]),
        )
        for first, after in itertools.pairwise(firsts)
    ]


class _Scan:
    """Where in some lines statements begin, read as if they begin in a text or in brackets.

    Attributes:
        quote: Of the text that the last line ends in; "" where it ends in none.
        lowest: How many brackets were closed that no line has opened, as a number below 0.
        firsts: The indexes of the lines that a statement begins with.
    """

    def __init__(self, lines: Sequence[str], *, quote: str = "", depth: int = 0) -> None:
        self.quote_before = self.quote = quote
        self.lowest = 0
        self.firsts: list[int] = []
        self._depth = depth
        self._goes_on = False
        for index, line in enumerate(lines):
            is_first = not self.quote and self._depth == 0 and not self._goes_on
            if is_first and line.strip() and not line.lstrip().startswith("#"):
                self.firsts.append(index)
            self._goes_on = False
            self._read(line)

    def _read(self, line: str) -> None:
        at = 0
        while at < len(line):
            if self.quote:
                end = line.find(self.quote, at)
                if end < 0:
                    return
                self.quote, at = "", end + len(self.quote)
            elif token := _TOKENS.search(line, at):
                at = token.end()
                self._take(token.group())
            else:
                return

    def _take(self, mark: str) -> None:
        if mark in _TRIPLE:
            self.quote = mark
        elif mark in {"(", "[", "{"}:
            self._depth += 1
        elif mark in {")", "]", "}"}:
            self._depth -= 1
            self.lowest = min(self.lowest, self._depth)
        elif mark == "\\":
            self._goes_on = True


def _bound_by(node: ast.AST) -> Sequence[str]:
    """Return the names that a node by itself binds; "*" where they are not told."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.alias(name=name, asname=asname):
            return [asname or name.partition(".")[0]]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case ast.MatchMapping(rest=str() as name):
            return [name]
        case (
            ast.ExceptHandler()
            | ast.MatchAs()
            | ast.MatchStar()
            | ast.FunctionDef()
            | ast.ClassDef()
        ):
            return [node.name] if node.name else []
    return []


def _binds(node: ast.AST, name: str) -> bool:
    return any(name in _bound_by(one) for one in ast.walk(node))


def parsed(text: str) -> ast.Module | None:
    """Parse a text; None where it is no Python, or too much of it: anybody may have written it."""
    if len(text) > _LONGEST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the source may warn, it has warned before
        try:
            found = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return found if _is_shallow(found) else None


def _is_shallow(tree: ast.Module) -> bool:
    """Whether it can be walked and written by functions that call themselves."""
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    return False
