"""What commands print on: JSON for programs, and a terminal's width for tables."""

import json
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

# A pipe has no width: rich would take 80 columns and fold every table.
PIPE_WIDTH = 200
# Control characters of the second set, marks that turn the direction of writing, surrogates. Those
# of the first set JSON escapes itself, but for the line feeds between its lines.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Strangers write journals and rows: what lies deeper in them is not shown.
_DEEPEST = 64
TOO_DEEP = f"<more than {_DEEPEST} levels deep>"
# A report is read by people wherever it goes, in a mail or a chat too.
REPORT_WIDTH = 100


def paper(*, report: bool = False) -> "Console":
    """Make a console on stdout; a pipe's is as wide as tables need, or as a `report` reads well."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=REPORT_WIDTH if report else PIPE_WIDTH)


def print_text(text: str) -> None:
    """Print a text as it is; what can be written by no encoder is escaped."""
    typer.echo(text if _can_be_written(text) else text.encode("utf-8", "backslashreplace").decode())


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON, without secrets.

    Letters of every script stay as they are. What a terminal would obey is escaped, and so is half
    an emoji, which nothing could write.
    """
    value = without_secrets(value)
    text = json.dumps(value, indent=indent, default=str, ensure_ascii=False)
    typer.echo(_UNPRINTABLE.sub(_escaped, text))


def _escaped(found: "re.Match[str]") -> str:
    return f"\\u{ord(found[0]):04x}"


def without_secrets(value: Any) -> Any:
    """Return a value of JSON types with secrets hidden, by their keys and by their forms.

    A task's parameters are the user's own, but what is printed ends in logs and reports. What is
    nested deeper than anything that people write is left out, and says so.
    """
    from telemetry.recorder.redaction import Redactor, redacted

    redactor = Redactor()

    def cleaned(one: Any, depth: int = 0) -> Any:
        match one:
            case str():
                return redacted(one) if _can_be_written(one) else one
            case Mapping() | list() | tuple() if depth == _DEEPEST:
                return TOO_DEEP
            case list() | tuple():
                hidden = redactor.replacements(one)
                return [shown(*pair, depth + 1) for pair in zip(one, hidden, strict=True)]
            case Mapping():
                pairs = list(one.items())
                key_of_values = redactor.key_of_values(pairs)
                return {
                    cleaned(key, depth + 1): shown(
                        item, redactor.replacement_in(str(key), item, key_of_values), depth + 1
                    )
                    for key, item in pairs
                }
            case _:
                return one

    def shown(item: Any, replacement: str | None, depth: int) -> Any:
        return cleaned(item, depth) if replacement is None else replacement

    return cleaned(value)


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return a text of strangers as a terminal may get it.

    Control characters are escaped, and secrets are hidden.
    """
    text = without_secrets(text)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
