"""The numbered migrations of a shared queue: a folder each, its files in the order of their paths.

A migration's functions have a file each, named for the function.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

# Functions call each other in whatever order their files come.
_PREAMBLE = "set local check_function_bodies = off;\nset local client_min_messages = warning;\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema.

    Attributes:
        version: Its number, from 1.
        name: What it is about.
        sql: All of it, to be run in one transaction.
        functions: The text of each function's file, by the function's name without its schema.
    """

    version: int
    name: str
    sql: str
    functions: dict[str, str]


@cache
def known() -> tuple[Migration, ...]:
    """Return the migrations of this version, in order."""
    with as_file(files(__name__)) as folder:
        return tuple(_read(each) for each in sorted(folder.glob("[0-9]*_*/")))


def newest() -> int:
    """Return the version of the schema that this version of the worker calls."""
    return known()[-1].version


def way_out(there: int) -> str:
    """Return what to do about a schema of this version, 0 for none; "" where it is this one's."""
    if there == newest():
        return ""
    return "run `loop26 migrate`" if there < newest() else "install a newer loop26 here"


def _read(folder: Path) -> Migration:
    number, _, name = folder.name.partition("_")
    parts = sorted(folder.glob("*/*.sql"))
    texts = [
        f"-- {part.relative_to(folder).as_posix()}\n{part.read_text('utf-8')}" for part in parts
    ]
    return Migration(
        version=int(number),
        name=name,
        sql=_PREAMBLE + "\n".join(texts),
        functions={
            part.stem: part.read_text("utf-8")
            for part in parts
            if part.parent.name.endswith("_functions")
        },
    )
