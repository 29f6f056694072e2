"""What a checkout's source says of it, read and never run: which API, and what it takes."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from worker.engines.wan2gp.checkout import ENTRIES, SESSION_FILE, SESSION_NAMES
from worker.engines.wan2gp.versions import version_of

_STAMP: Final = "settings_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutSource:
    """What stands in wgp.py and in shared/api.py.

    Attributes:
        session: Whether there is an official session.
        entry: The function that generates, "" where there is none.
        parameters: How many it takes.
        version: What it calls its version, "" where it does not.
        stamp: What it stamps saved settings with, None where that is not known.
    """

    session: bool
    entry: str
    parameters: int
    version: str
    stamp: float | None


def read_source(checkout: Path) -> CheckoutSource:
    """Read it. Raises `OSError` and `SyntaxError`, which names file and line."""
    top = list(_top_level(_parsed(checkout / "wgp.py").body))
    functions = {node.name: node for node in top if isinstance(node, ast.FunctionDef)}
    entry = next((name for name in ENTRIES if name in functions), "")
    constants = dict(_constants(top))
    stamp = constants.get(_STAMP)
    return CheckoutSource(
        session=_has_session(checkout / SESSION_FILE),
        entry=entry,
        parameters=_count(functions[entry].args) if entry else 0,
        version=version_of(SimpleNamespace(**constants)),
        stamp=float(stamp) if isinstance(stamp, int | float) else None,
    )


def _has_session(file: Path) -> bool:
    if not file.is_file():
        return False
    names = {
        node.name
        for node in _top_level(_parsed(file).body)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    return names.issuperset(SESSION_NAMES)


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), filename=str(file))
    except SyntaxError as error:
        error.filename = str(file)  # which Python leaves out where a byte is none of a source
        raise


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield what is run on import, inside `if`, `try` and `with` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _constants(top: Sequence[ast.stmt]) -> Iterator[tuple[str, object]]:
    for node in top:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from (
                (target.id, node.value.value)
                for target in node.targets
                if isinstance(target, ast.Name)
            )


def _count(arguments: ast.arguments) -> int:
    return len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
