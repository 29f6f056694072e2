"""`loop26 compare`: two tasks side by side, and where first they are not alike."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.cases import case_of
from worker.cli.forms import Form, HtmlOption, MarkdownOption, show
from worker.cli.session import HomeOption, JsonOption, session_of
from worker.errors import InvalidTask

if TYPE_CHECKING:
    from rich.console import Group

    from telemetry.reports.case import Case
    from telemetry.reports.comparison.value import Comparison


class Hint(StrEnum):
    """Kept short here: what the arguments and options are called in `--help`."""

    A = "A task's id or as much of its beginning as is unique; or a black box (FILE)."
    B = "The other task."
    ALL = "Show everything, what is alike too."


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help=Hint.A)],
    b: Annotated[str, typer.Argument(metavar="B", help=Hint.B)],
    html: HtmlOption = None,
    markdown: MarkdownOption = False,
    as_json: JsonOption = False,
    every: Annotated[bool, typer.Option("--all", help=Hint.ALL)] = False,
    home: HomeOption = None,
) -> None:
    """Compare two tasks: the same failure or not, what differs, and where they first diverge.

    Two failures, a good run and a failed one, two good ones: lifecycle, crash
    points, parameters with the layer that set each, the model's defaults, timings
    and environment, side by side. The answer is "the same failure", "no
    significant difference", or the first record where the runs are not alike.

    What matters is marked: values, layers, versions, the device, the place of a
    failure, times from 1.5x and 250 ms on. Ids, times of day, workers and the
    wait in the queue do not. What a record does not know is shown as unknown, and
    nothing is concluded from where an incomplete one ends.

    [bold]Examples[/]

      loop26 compare 3f2a 9c41
      loop26 compare 3f2a 9c41 --all
      loop26 compare 3f2a 9c41 --html compared.html
      loop26 compare outputs/3f2a.../failure.blackbox 9c41 --markdown
    """
    from telemetry.reports.comparison.compare import compare as compared

    session = session_of(context, home)
    cases = case_of(session, a), case_of(session, b)
    _refuse_one_task(b, *cases)
    form = Form(html=html, markdown=markdown, as_json=as_json, every=every)
    show(compared(*cases), _Report(), form)


def _refuse_one_task(asked: str, a: "Case", b: "Case") -> None:
    """Refuse to compare a task with itself. Raises `InvalidTask`."""
    if a.task.id != b.task.id:
        return
    problem = "is the same task as A; give another"
    if a.asked != b.asked:
        problem = f"leads to the task {a.task.id} as A does: that is behind both; investigate it"
    raise InvalidTask("B", asked, problem)


class _Report:
    """Writes a comparison."""

    def page(self, found: "Comparison") -> str:
        from telemetry.reports.comparison.html import page

        return page(found)

    def markdown(self, found: "Comparison") -> str:
        from telemetry.reports.comparison.markdown import markdown

        return markdown(found)

    def renderable(self, found: "Comparison", *, everything: bool) -> "Group":
        from telemetry.reports.comparison.terminal import renderable

        return renderable(found, everything=everything)
