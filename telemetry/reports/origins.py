"""Which value decided a failing line, and where it came from, as the snapshot of the stack tells.

Read from the lines around each frame's own and from its locals; nothing is run. A step is told
only where the snapshot shows it: an assignment above the line, an argument of the call before.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telemetry.reports.findings import FrameFound, ValueFound

_MOST = 12
_MOST_HOPS = 8


def values(expression: str, frames: Sequence[FrameFound]) -> list[ValueFound]:
    """Return the values that the expression was made of, then those that they came from.

    Args:
        expression: What was None, or was not there; "" where that could not be worked out: then
            the values of the names in the failing line are told.
        frames: The stack, the outermost first.
    """
    if not frames:
        return []
    told: dict[tuple[int, str], ValueFound] = {}
    innermost = len(frames) - 1
    node = _parsed(expression) or _statement(frames[-1], frames[-1].line)
    if expression and not (isinstance(node, ast.Name) and node.id in frames[-1].locals):
        where = _place(frames[-1], frames[-1].line)
        found, value = _value(node, frames[-1].locals) if node else (False, None)
        told[innermost, expression] = ValueFound(
            name=expression,
            value=value if found else None,
            origin=f"asked for at {where}",
        )
    for name in _names(node, frames[-1].locals):
        _follow(name, innermost, frames, told)
    return list(told.values())[:_MOST]


def _follow(
    name: str, at: int, frames: Sequence[FrameFound], told: dict[tuple[int, str], ValueFound]
) -> None:
    """Tell a local of the frame at `at`, then what it was made from."""
    frame = frames[at]
    if (at, name) in told or len(frames) - at > _MOST_HOPS or len(told) >= _MOST:
        return
    given = _assignment(name, frame)
    passed = None if given else _argument(name, frame, frames[at - 1] if at else None)
    if given:
        number, node = given
        origin = f"assigned at {_place(frame, number)}: {ast.unparse(node)}"
    elif passed is not None:
        caller = frames[at - 1]
        origin = f"passed at {_place(caller, caller.line)} as {ast.unparse(passed)}"
    else:
        origin = f"a local of {frame.function}"
    told[at, name] = ValueFound(name=name, value=frame.locals[name], origin=origin)
    if given:
        for other in _names(given[1], frame.locals):
            _follow(other, at, frames, told)
    elif passed is not None:
        for other in _names(passed, frames[at - 1].locals):
            _follow(other, at - 1, frames, told)


def _assignment(name: str, frame: FrameFound) -> tuple[int, ast.expr] | None:
    """Return the nearest assignment to a name above the frame's line, and its line's number."""
    for line in reversed([one for one in frame.source if one.number < frame.line]):
        node = _statement(frame, line.number)
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                return line.number, value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if (
                target == name
            ):
                return line.number, value
    return None


def _argument(name: str, frame: FrameFound, caller: FrameFound | None) -> ast.expr | None:
    """Return what the caller passed for a parameter, where its value there is the same.

    A frame's locals begin with its parameters, in order.
    """
    node = _statement(caller, caller.line) if caller else None
    if node is None or caller is None:
        return None
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and _called(call) == frame.function:
            for parameter, passed in _passed(call, list(frame.locals)):
                found, value = _value(passed, caller.locals)
                if parameter == name and (value == frame.locals[name] if found else True):
                    return passed
    return None


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _passed(call: ast.Call, parameters: Sequence[str]) -> Iterator[tuple[str, ast.expr]]:
    yield from ((one.arg, one.value) for one in call.keywords if one.arg)
    bound = isinstance(call.func, ast.Attribute) and parameters[:1] in (["self"], ["cls"])
    positional = call.args if not any(isinstance(one, ast.Starred) for one in call.args) else []
    yield from zip(parameters[bound:], positional, strict=False)


def _names(node: ast.AST | None, known: Mapping[str, Any]) -> list[str]:
    """Return the locals that an expression names, in the order of the text."""
    found = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)] if node else []
    return [name for name in dict.fromkeys(found) if name in known]


def _value(node: ast.AST, known: Mapping[str, Any]) -> tuple[bool, Any]:
    """Look up a name, a constant, or an item of a dictionary in the snapshot."""
    match node:
        case ast.Constant(value=value):
            return True, value
        case ast.Name(id=name) if name in known:
            return True, known[name]
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() as key)):
            found, value = _value(inner, known)
            if found and isinstance(value, Mapping) and key in value:
                return True, value[key]
    return False, None


def _statement(frame: FrameFound, number: int) -> ast.AST | None:
    """Parse the statement that begins at a line, as far as the snapshot's lines reach."""
    lines = [one.text for one in frame.source if one.number >= number]
    for count in range(1, len(lines) + 1):
        text = "\n".join(lines[:count]).strip()
        for form in (text, f"{text} pass", f"if True:\n pass\n{text} pass"):
            if (node := _parsed(form)) is not None:
                return node
    return None


def _parsed(text: str) -> ast.AST | None:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match body:
        case [ast.Expr(value=value)]:
            return value
        case [*_, statement]:
            return statement
    return None


def _place(frame: FrameFound, line: int) -> str:
    return f"{frame.file}:{line} in {frame.function}"
