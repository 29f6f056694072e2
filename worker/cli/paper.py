"""What commands print on: JSON for programs, and a terminal's width for tables."""

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

# A pipe has no width: rich would take 80 columns and fold every table.
PIPE_WIDTH = 200


def paper() -> "Console":
    """Make a console on stdout."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=PIPE_WIDTH)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON; letters of every script as they are, half an emoji escaped."""
    text = json.dumps(value, indent=indent, default=str, ensure_ascii=False)
    if not _can_be_written(text):
        text = json.dumps(value, indent=indent, default=str)
    typer.echo(text)


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return a text of strangers as a terminal may get it: control characters are escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
