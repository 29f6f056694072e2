"""`loop26 investigate`: what failed, where, with which values, and what did not cause it."""

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.paper import print_json, print_text, printable
from worker.cli.session import HomeOption, JsonOption, Session, session_of

if TYPE_CHECKING:
    from telemetry.reports.case import Case
    from telemetry.reports.findings import Investigation
    from worker.settings import Settings
    from worker.store.base import TaskStore
    from worker.task import Task


class Hint(StrEnum):
    """Kept short here: what the report's forms are called in `--help`."""

    TASK = "A task's id or as much of its beginning as is unique; or a black box (FILE)."
    HTML = "Write one self-contained page here."
    MARKDOWN = "Print Markdown, as for an issue or a chat."
    ALL = "Show every frame's locals, parameter and relative."
    JAEGER = "Read the record from this Jaeger query address instead of the journals."


def investigate(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=Hint.TASK)],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help=Hint.HTML)] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help=Hint.MARKDOWN)] = False,
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
    from telemetry.reports.wording import one_line

    found = found_in(case_of(session_of(context, home), task, jaeger=jaeger))
    if html is not None:
        _write_page(found, html)
        # Beside another form, which is for a program or a file, it is news for people.
        told = f"{one_line(found.says)}\n{printable(str(html.absolute()))}"
        typer.echo(told, err=as_json or markdown)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    elif markdown:
        from telemetry.reports.markdown import markdown as written

        print_text(written(found))
    elif html is None:
        from telemetry.reports.terminal import renderable
        from worker.cli.paper import paper

        paper(report=True).print(renderable(found, everything=every))


def case_of(session: Session, task: str, *, jaeger: str | None = None) -> "Case":
    """Gather the case of a task of the queue, or open a black box.

    Raises what `find_task`, `blackbox.read` and `jaeger.read_trace` do.
    """
    from worker.casework import gather
    from worker.cli.tasks import find_task

    if "/" in task or os.path.isfile(task):  # noqa: PTH113 - `Path` raises for too long a name
        return _black_box(Path(task))
    settings = session.settings()
    with session.store() as store:
        found = find_task(store, task)
        return (
            gather(settings, store, found)
            if jaeger is None
            else _of_jaeger(settings, store, found, jaeger)
        )


def _black_box(path: Path) -> "Case":
    from dataclasses import replace

    from telemetry.reports.sources import blackbox

    # What a stranger's box says that one should run is not taken over.
    return replace(blackbox.read(path), replay=f"loop26 replay {shlex.quote(str(path))}")


def _of_jaeger(settings: "Settings", store: "TaskStore", task: "Task", url: str) -> "Case":
    from dataclasses import replace

    from telemetry.reports.sources import jaeger
    from worker.casework import gather

    case = gather(
        settings,
        store,
        task,
        record=lambda row: jaeger.read_trace(url, row.trace_id, row.id),
        source=f"the Jaeger at {jaeger.shown(url)}",
        unknown=jaeger.UNKNOWN,
    )
    lacks = jaeger.lacks(case.model) if case.model else []
    return replace(case, unknown=[*case.unknown, *lacks])


def _write_page(found: "Investigation", path: Path) -> None:
    from telemetry.reports.html import page
    from worker.errors import OutputError

    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written: {error.strerror or error}; choose another file"
        ) from error
