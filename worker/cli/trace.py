"""`loop26 trace`: what happened inside a task, step by step."""

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, session_of
from worker.cli.tasks import TaskArgument, find_task
from worker.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.task import Task


class NoRecord(WorkerError):
    """Raised for a task that has no journal here: not begun, done elsewhere, or long ago."""

    def __init__(self, task: "Task") -> None:
        super().__init__(
            f"nothing is recorded of task {task.id} ({task.status}) in this home: it was not begun "
            "yet, another machine did it, or its journal was old and is gone"
        )
        self.task = task


def trace(
    context: typer.Context,
    task_id: TaskArgument,
    every: Annotated[
        bool, typer.Option("--all", help="Show every span, loop iterations and steps too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print OTLP JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """Print a task's whole trace as a tree with times, from the journals on this machine.

    A journey is one trace: the orchestrator's, its segments' and the stitch's
    spans are in it, whichever of their ids is given.

    [bold]Examples[/]

      loop26 trace 3f2a
      loop26 trace 3f2a --all
      loop26 trace 3f2a --json > trace.json
    """
    from telemetry.reports import trace as reports

    session = session_of(context, home)
    with session.store() as store:
        task = find_task(store, task_id)
    model = reports.read_trace(session.settings().spool_dir, str(task.id))
    if model is None:
        raise NoRecord(task)
    if as_json:
        print_json(reports.otlp_json(model), indent=None)
        return
    from telemetry.reports.tree import renderable
    from worker.cli.paper import paper

    if elsewhere := _elsewhere(task, {span.span_id.hex() for span in model.spans}):
        paper().print(elsewhere, soft_wrap=True, highlight=False, markup=False)
    paper().print(renderable(model, everything=every), soft_wrap=True)


def _elsewhere(task: "Task", recorded: "Collection[str]") -> str:
    """Say that the newest attempt's own span is not in this record; "" where it is."""
    from worker.store.contexts import span_id_of

    span_id = span_id_of(task.process_context)
    if span_id is None or span_id in recorded:
        return ""
    return (
        f"nothing of attempt {task.attempts} is recorded in this home: {task.worker_id} made it on "
        "another machine, or its journal is gone; what follows is what happened here"
    )
