"""Which expression an exception speaks of: `entry['inner']`, when that was None.

Nothing is evaluated. The failing instruction's syntax says what was asked of what; a value is
looked up only to choose between several, and only where no code of its own can run.
"""

import ast
import itertools
import re
import warnings
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Final

from telemetry.recorder.exceptions import first_argument, raising, stated_causes
from telemetry.recorder.locals import own_locals
from telemetry.recorder.redaction import redacted
from telemetry.recorder.syntax import assigned_at, node_of

_SPEAKING: Final = (AttributeError, TypeError, LookupError)
_MOST_KEYS: Final = 4096
_UNKNOWN: Final = object()
_NO_ATTRIBUTE: Final = re.compile(r"object has no attribute '(\w+)'")
_NO_ITEM: Final = re.compile(r"object (is not subscriptable|does not support item)")
_TWO_TYPES: Final = re.compile(r"(operand type\(s\) for|between instances of).* ?'(.*)' and '(.*)'")


def expression_of(exc: BaseException) -> str:
    """Return the expression that an exception, or the stated cause of it, speaks of.

    What was None, of a TypeError or an AttributeError; the item that was not there, of a KeyError
    or an IndexError. "" where it cannot be worked out: without source, without columns
    (`-X no_debug_ranges`), or when a statement has raised the exception.
    """
    for one in stated_causes(exc):
        trace = raising(one)
        if trace is None or not issubclass(type(one), _SPEAKING):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the source may warn, it has warned before
            found = _spoken_of(type(one), first_argument(one), trace)
        if found is not None:
            return redacted(ast.unparse(found))
    return ""


def _spoken_of(kind: type, said: str, trace: TracebackType) -> ast.expr | None:
    node = node_of(trace)
    found: ast.expr | None = None
    match node:
        case ast.Subscript() if issubclass(kind, LookupError):
            found = node
        case ast.Subscript() if _NO_ITEM.search(said):
            found = node.value
        case ast.Attribute() if missing := _NO_ATTRIBUTE.search(said):
            found = node.value if missing[1] == node.attr else None
        case ast.Call() if said.endswith("object is not callable"):
            found = node.func
        case ast.Tuple() | ast.List() if "cannot unpack non-iterable" in said:
            found = assigned_at(trace)
        case ast.AST() if issubclass(kind, TypeError) and "NoneType" in said:
            found = _none_among(_operands(node, said), said, node, trace.tb_frame)
    return found


def _none_among(
    operands: list[ast.expr], said: str, node: ast.AST, frame: FrameType
) -> ast.expr | None:
    """Return the operand that was None: the one that the message says, or that is None now."""
    types = _TWO_TYPES.search(said)
    if types and len(operands) == 2 and not isinstance(node, ast.Call):  # noqa: PLR2004 - two sides
        sides = zip(operands, types.groups()[1:], strict=True)
        nones = [one for one, kind in sides if kind == "NoneType"]
        return nones[0] if len(nones) == 1 else ast.Tuple(nones, ast.Load())
    if len(operands) == 1 and not isinstance(node, ast.Call):
        return operands[0]
    # A function may complain of anything, of what is inside of its argument, too.
    nones = [one for one in operands if _value(one, frame) is None]
    return nones[0] if len(nones) == 1 else None


def _operands(node: ast.AST, said: str) -> list[ast.expr]:  # noqa: C901, PLR0911, PLR0912 - a table
    match node:
        case ast.For() | ast.AsyncFor():
            return [node.iter]
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return [one.iter for one in node.generators]
        case ast.With() | ast.AsyncWith():
            return [item.context_expr for item in node.items]
        case ast.Compare() if said.startswith("argument of type"):
            pairs = zip(node.ops, node.comparators, strict=True)
            return [right for op, right in pairs if isinstance(op, ast.In | ast.NotIn)]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.BinOp() if said.startswith("can only concatenate"):
            return [node.right]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.AugAssign():
            return [node.target, node.value]
        case ast.YieldFrom() | ast.Await() | ast.FormattedValue():
            return [node.value]
        case ast.UnaryOp():
            return [node.operand]
        case ast.JoinedStr():
            return [one.value for one in node.values if isinstance(one, ast.FormattedValue)]
        case ast.Dict():
            return [v for key, v in zip(node.keys, node.values, strict=True) if key is None]
        case ast.List() | ast.Tuple() | ast.Set():
            return _starred(node.elts)
        case ast.Call() if "after ** must be" in said:
            return [one.value for one in node.keywords if one.arg is None]
        case ast.Call() if "after * must be" in said:
            return _starred(node.args)
        case ast.Call():
            return [*node.args, *(one.value for one in node.keywords)]
        case ast.expr():
            return [node]  # from 3.13 on the instruction of a loop is placed at what it goes over
        case _:
            return []


def _starred(elements: Sequence[ast.expr]) -> list[ast.expr]:
    return [one.value for one in elements if isinstance(one, ast.Starred)]


def _value(node: ast.expr, frame: FrameType) -> Any:
    """Look a value up by exact types alone; `_UNKNOWN` where that is not enough."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            code = frame.f_code
            found = _item(own_locals(frame), name)
            local = name in code.co_varnames + code.co_cellvars + code.co_freevars
            return found if local or found is not _UNKNOWN else _item(frame.f_globals, name)
        case ast.Subscript(value=container, slice=key):
            return _item(_value(container, frame), _value(key, frame))
        case _:
            return _UNKNOWN


def _item(container: Any, key: Any) -> Any:
    kind = type(container)
    if kind is dict and type(key) is str:
        # Not asked by the key: another key with its hash could have an equality of its own.
        items = itertools.islice(dict.items(container), _MOST_KEYS)
        return next((v for name, v in items if type(name) is str and name == key), _UNKNOWN)
    if (
        (kind is list or kind is tuple)
        and type(key) is int
        and -len(container) <= key < len(container)
    ):
        return container[key]
    return _UNKNOWN
