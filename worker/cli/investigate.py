"""`loop26 investigate`: what failed, where, with which values, and what did not cause it."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.cases import case_of
from worker.cli.forms import Form, HtmlOption, MarkdownOption, show
from worker.cli.session import HomeOption, JsonOption, session_of

if TYPE_CHECKING:
    from rich.console import Group

    from telemetry.reports.findings import Investigation


class Hint(StrEnum):
    """Kept short here: what the argument and the options are called in `--help`."""

    TASK = "A task's id or as much of its beginning as is unique; or a black box (FILE)."
    ALL = "Show every frame's locals, parameter and relative."
    JAEGER = "Read the record from this Jaeger query address instead of the journals."


def investigate(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=Hint.TASK)],
    html: HtmlOption = None,
    markdown: MarkdownOption = False,
    as_json: JsonOption = False,
    every: Annotated[bool, typer.Option("--all", help=Hint.ALL)] = False,
    jaeger: Annotated[str | None, typer.Option("--jaeger", metavar="URL", help=Hint.JAEGER)] = None,
    home: HomeOption = None,
) -> None:
    """Tell the true story of a task: what failed, where, with which values, and why not otherwise.

    Of an orchestrator, or of a task that fell with another, the root cause is
    found. What the record lacks is said, and nothing is concluded from where it
    ends. A task that did not fail is told with where its time went.

    [bold]Examples[/]

      loop26 investigate 3f2a
      loop26 investigate 3f2a --html report.html
      loop26 investigate 3f2a --markdown > issue.md
      loop26 investigate 3f2a --jaeger http://127.0.0.1:16686
      loop26 investigate outputs/3f2a.../failure.blackbox
    """
    from telemetry.reports.investigate import investigate as found_in

    found = found_in(case_of(session_of(context, home), task, jaeger=jaeger))
    show(found, _Report(), Form(html=html, markdown=markdown, as_json=as_json, every=every))


class _Report:
    """Writes an investigation."""

    def page(self, found: "Investigation") -> str:
        from telemetry.reports.html import page

        return page(found)

    def markdown(self, found: "Investigation") -> str:
        from telemetry.reports.markdown import markdown

        return markdown(found)

    def renderable(self, found: "Investigation", *, everything: bool) -> "Group":
        from telemetry.reports.terminal import renderable

        return renderable(found, everything=everything)
