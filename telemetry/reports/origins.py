"""Which value decided a failing line, and where it came from, as the snapshot of the stack tells.

Read from the lines around each frame's own and from its locals; nothing is run. A step is told
only where the snapshot shows it: an assignment that must have run before the line, an argument of
the call before that is of this value.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telemetry.reports.findings import FrameFound, ValueFound
from telemetry.reports.spoken import NO_INDEX, NO_KEY, NOT_RECORDED
from telemetry.reports.statements import REACH, Binding, How, binding, parsed

_CUT = "…"  # how a snapshot says that it has left something out
_MOST = 12
_MOST_HOPS = 8


def values(
    expression: str, frames: Sequence[FrameFound], shown_as: Any = NOT_RECORDED
) -> list[ValueFound]:
    """Return the values that the expression was made of, then those that they came from.

    Args:
        expression: What was None, or was not there; "" where that could not be worked out: then
            the values of the names in the failing line are told.
        frames: The stack, the outermost first.
        shown_as: What stands for the expression's value where the snapshot does not have it, as
            the exception tells it.
    """
    if not frames:
        return []
    told: dict[tuple[int, str], ValueFound] = {}
    innermost = len(frames) - 1
    node = _parsed(expression) or _statement(frames[-1], frames[-1].line)
    if expression and not (isinstance(node, ast.Name) and node.id in frames[-1].locals):
        where = _place(frames[-1], frames[-1].line)
        found, value = _asked(node, frames[-1].locals) if node else (False, None)
        told[innermost, expression] = ValueFound(
            name=expression,
            value=value if found else shown_as,
            origin=f"asked for at {where}",
        )
    for name in _names(node, frames[-1].locals):
        _follow(name, innermost, frames, told)
    return list(told.values())[:_MOST]


def asked_names(expression: str, frames: Sequence[FrameFound]) -> list[str]:
    """Return the innermost locals that the expression names; without one, the failing line."""
    if not frames:
        return []
    node = _parsed(expression) or _statement(frames[-1], frames[-1].line)
    return _names(node, frames[-1].locals)


def _follow(
    name: str, at: int, frames: Sequence[FrameFound], told: dict[tuple[int, str], ValueFound]
) -> None:
    """Tell a local of the frame at `at`, then what it was made from."""
    frame = frames[at]
    if (at, name) in told or len(frames) - at > _MOST_HOPS or len(told) >= _MOST:
        return
    given = _checked(binding(name, frame), name, frame)
    passed = _argument(name, frames, at, given) if at else None
    if given.value is not None:
        origin = f"assigned at {_place(frame, given.line)}: {ast.unparse(given.value)}"
    else:
        origin = passed[0] if passed else f"a local of {frame.function}"
    told[at, name] = ValueFound(name=name, value=frame.locals[name], origin=origin)
    if given.value is not None:
        for other in _names(given.value, frame.locals):
            if binding(other, frame).line < given.line:  # else it is not what it was then
                _follow(other, at, frames, told)
    elif passed:
        for other in _names(passed[1], frames[at - 1].locals):
            _follow(other, at - 1, frames, told)


def _checked(given: Binding, name: str, frame: FrameFound) -> Binding:
    """Return what is known of an assignment, unless the snapshot contradicts it."""
    found, value = _value(given.value, frame.locals) if given.value else (False, None)
    return Binding(how=How.UNKNOWN) if found and not _is(value, frame.locals[name]) else given


def _argument(
    name: str, frames: Sequence[FrameFound], at: int, given: Binding
) -> tuple[str, ast.expr] | None:
    """Return what the caller passed for a parameter, and how that is known.

    A frame's locals begin with its parameters, in order. It was passed where the caller's snapshot
    has the same value; where that does not show the value, the parameter must have kept it.
    """
    frame, caller = frames[at], frames[at - 1]
    node = _statement(caller, caller.line)
    if node is None or given.how not in (How.KEPT, How.UNSEEN):
        return None
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and _is_of(one, frame)]
    passed = [
        (one, *_value(one, caller.locals))
        for call in calls
        for parameter, one in _passed(call, list(frame.locals))
        if parameter == name
    ]
    same = {
        ast.unparse(one): one
        for one, found, value in passed
        if found and _is(value, frame.locals[name])
    }
    where = _place(caller, caller.line)
    if len(same) == 1:
        [(text, expression)] = same.items()
        return f"passed at {where} as {text}", expression
    if given.how is How.KEPT and len(calls) == len(passed) == 1 and not passed[0][1]:
        expression = passed[0][0]
        return f"an argument of the call at {where}: {ast.unparse(expression)}", expression
    return None


def _is(one: Any, other: Any) -> bool:
    """Whether two values of snapshots are the same: True is not 1."""
    return type(one) is type(other) and bool(one == other)


def _is_of(call: ast.Call, frame: FrameFound) -> bool:
    """Whether a call may be of a frame's function, by its name."""
    return _called(call) == frame.function.rpartition(".")[2]


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
    """Look up a name, a constant, or an item of a dictionary in the snapshot; whether it has it."""
    match node:
        case ast.Constant(value=value):
            return True, value
        case ast.Name(id=name) if name in known:
            return True, known[name]
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() as key)):
            found, value = _value(inner, known)
            if found and _is_dictionary(value) and key in value:
                return True, value[key]
        case ast.Call(
            func=ast.Attribute(value=inner, attr="get"),
            args=[ast.Constant(value=str() as key), *default],
            keywords=[],
        ):
            found, value = _value(inner, known)
            if found and _is_dictionary(value):
                return _item(value, key, default, known)
    return False, None


def _asked(node: ast.AST, known: Mapping[str, Any]) -> tuple[bool, Any]:
    """Look up what was asked for; an item that the snapshot shows to be missing is told as that."""
    if not isinstance(node, ast.Subscript):
        return _value(node, known)
    (found, held), (is_known, key) = _asked(node.value, known), _asked(_index(node.slice), known)
    if not found or not is_known:
        return False, None
    if _is_dictionary(held) and isinstance(key, str):
        missing = (False, None) if _CUT in held else (True, NO_KEY)
        return (True, held[key]) if key in held else missing
    if isinstance(held, list) and type(key) is int:
        return _numbered(held, key)
    return False, None


def _index(node: ast.expr) -> ast.expr:
    """Make a number of a minus and a number."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return ast.Constant(value=-number)
    return node


def _numbered(held: Sequence[Any], at: int) -> tuple[bool, Any]:
    """Return an item of a list, of which the snapshot may show the first ones alone."""
    last = held[-1] if held else None
    if isinstance(last, str) and last.startswith(_CUT):
        return (True, held[at]) if 0 <= at < len(held) - 1 else (False, None)
    return (True, held[at]) if -len(held) <= at < len(held) else (True, NO_INDEX)


def _item(
    value: Mapping[str, Any], key: str, default: Sequence[ast.expr], known: Mapping[str, Any]
) -> tuple[bool, Any]:
    if key in value:
        return True, value[key]
    if _CUT in value or len(default) > 1:
        return False, None
    return _value(default[0], known) if default else (True, None)


def _is_dictionary(value: Any) -> bool:
    """Whether a snapshot is of a dictionary, and not of an object's fields."""
    return isinstance(value, Mapping) and "<class>" not in value


def _statement(frame: FrameFound, number: int) -> ast.AST | None:
    """Parse the statement that begins at a line, as far as the snapshot's lines reach."""
    lines = [one.text for one in frame.source if number <= one.number <= number + REACH]
    for count in range(1, len(lines) + 1):
        text = "\n".join(lines[:count]).strip()
        for form in (text, f"{text} pass", f"if True:\n pass\n{text} pass"):
            if (node := _parsed(form)) is not None:
                return node
    return None


def _parsed(text: str) -> ast.AST | None:
    found = parsed(text)
    match found.body if found else []:
        case [ast.Expr(value=value)]:
            return value
        case [*_, statement]:
            return statement
    return None


def _place(frame: FrameFound, line: int) -> str:
    return f"{frame.file}:{line} in {frame.function}"
