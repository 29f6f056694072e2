"""The forms of what was found: a terminal's, Markdown, one HTML page, JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import typer

from worker.cli.paper import print_json, print_text, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write one self-contained page here."),
]
MarkdownOption = Annotated[
    bool, typer.Option("--markdown", help="Print Markdown, as for an issue or a chat.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was asked for: a terminal's form, unless it is another; `html` goes with each.

    Attributes:
        every: Whether a terminal shows everything.
    """

    html: Path | None
    markdown: bool
    as_json: bool
    every: bool


class Told(Protocol):
    """What a command has found."""

    @property
    def says(self) -> str:
        """The answer in one sentence."""
        ...


Found_contra = TypeVar("Found_contra", bound=Told, contravariant=True)


class Report(Protocol[Found_contra]):
    """Writes what a command has found; what a form needs is imported when it is asked for."""

    def page(self, found: Found_contra) -> str:
        """Return it as one HTML file."""
        ...

    def markdown(self, found: Found_contra) -> str:
        """Return it as Markdown."""
        ...

    def renderable(self, found: Found_contra, *, everything: bool) -> "RenderableType":
        """Return it for a rich console."""
        ...


Found = TypeVar("Found", bound=Told)


def show(found: Found, report: Report[Found], form: Form) -> None:
    """Print what was found in the form that was asked for.

    With a page beside a form for programs or files, stdout is that form alone: where the page is
    goes to stderr. Raises `OutputError` where the page cannot be written.
    """
    if form.html is not None:
        _write(report.page(found), form.html)
        _tell_of_page(found.says, form)
    if form.as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    elif form.markdown:
        print_text(report.markdown(found))
    elif form.html is None:
        from worker.cli.paper import paper

        paper(report=True).print(report.renderable(found, everything=form.every))


def _tell_of_page(says: str, form: Form) -> None:
    from telemetry.reports.wording import one_line

    told = f"{one_line(says)}\n{printable(str((form.html or Path()).absolute()))}"
    typer.echo(told, err=form.as_json or form.markdown)


def _write(page: str, path: Path) -> None:
    from worker.errors import OutputError

    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written: {error.strerror or error}; choose another file"
        ) from error
