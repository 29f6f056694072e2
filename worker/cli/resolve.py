"""`loop26 resolve`: the request that a task would run, with where every value comes from."""

import json
import math
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, JsonOption, session_of
from worker.errors import InputError, InvalidTask, UnknownModel, WorkerError

if TYPE_CHECKING:
    from pathlib import Path

    from worker.handlers.planning import Known, Planned
    from worker.settings import Settings
    from worker.store.base import TaskStore
    from worker.task import NewTask

EXIT_REFUSED = 2
# A seed that is left open is drawn from the task's id; a task that has none yet is shown with this.
NO_ID = UUID(int=0)
_LONGEST = 1000  # characters of a refused value that are shown


def resolve(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A task, or a list; - is standard input.")
    ],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the request that a task would run: every value, and who said so.

    Nothing is run, downloaded or put into the queue. A task is
    {"task_type": "...", "params": {...}}, as for enqueue; a row of the queue, as
    `tasks ID --json` prints it, will do. A journey is shown segment by segment.
    A task that would be refused is shown with why, and the exit code is 2.
    No file is looked for, and a missing start picture is a warning.

    [bold]Examples[/]

      loop26 resolve task.json
      loop26 resolve tasks.json --json
      loop26 tasks 3f2a --json | loop26 resolve -
    """
    answers, listed = _answers(file, session_of(context, home).configuration().settings)
    if as_json:
        found = [_as_json(answer) for answer in answers]
        print_json(found if listed else found[0])
    else:
        from worker.cli.paper import paper
        from worker.cli.request_view import page_of

        console = paper()
        for answer in answers:
            console.print(page_of(answer, console.width))
    if any(isinstance(answer, WorkerError) for answer in answers):
        raise typer.Exit(EXIT_REFUSED)


def _answers(file: str, settings: "Settings") -> "tuple[list[Planned | WorkerError], bool]":
    from worker.cli.documents import read_documents
    from worker.cli.payload import folder_of
    from worker.submission import known_to

    try:
        documents, listed = read_documents(file)
    except WorkerError as error:
        return [error], False
    tasks = [_task(document, folder_of(file)) for document in documents]
    good = [task for task in tasks if not isinstance(task, WorkerError)]
    with ExitStack() as opened:
        known = known_to(settings, good, lambda: _queue(settings, opened))
        return [
            task if isinstance(task, WorkerError) else _planned(task, known) for task in tasks
        ], listed


def _task(document: Any, folder: "Path") -> "NewTask | WorkerError":
    from worker.cli.payload import task_from

    try:
        task = task_from(document, folder, row=True)
    except WorkerError as error:
        return error
    return task if document.get("id") else replace(task, id=NO_ID)


def _planned(task: "NewTask", known: "Known") -> "Planned | WorkerError":
    from worker.handlers.planning import plan_task
    from worker.submission import unseen_by

    try:
        planned = plan_task(task, known)
    except WorkerError as error:
        return error
    if not planned.requests:
        return planned
    return replace(planned, warnings=(*planned.warnings, *unseen_by(known)))


def _queue(settings: "Settings", opened: ExitStack) -> "TaskStore | None":
    """Open the queue to look for an orchestrator, where there is one; it is not made for this."""
    from worker.queue import is_shared, open_as_operator

    if not (is_shared(settings) or settings.queue_path.exists()):
        return None
    return opened.enter_context(closing(open_as_operator(settings)))


def _as_json(answer: "Planned | WorkerError") -> dict[str, Any]:
    from worker.params.description import describe

    if isinstance(answer, WorkerError):
        return {"error": refusal(answer)}
    described: dict[str, Any] = {"task_type": answer.task_type}
    if answer.journey is not None:
        described["journey"] = answer.journey.summary
        described["segments"] = [describe(request) for request in answer.requests]
    elif answer.stitch is not None:
        described["stitch"] = asdict(answer.stitch)
    else:
        described |= describe(answer.requests[0])
    described["pictures"] = [asdict(picture) for picture in answer.pictures]
    described["warnings"] = list(answer.all_warnings)
    return described


def refusal(error: WorkerError) -> dict[str, Any]:
    """Return a refusal as JSON types: which field, which value, and what is wrong with it."""
    match error:
        case InvalidTask():
            field, value = error.field, error.value
        case UnknownModel():
            field, value = error.field, error.name
        case InputError():
            field, value = error.field, error.source
        case _:
            field, value = "", None
    return {
        "type": type(error).__name__,
        "field": field,
        "value": _plain(value),
        "message": str(error),
    }


def _plain(value: Any) -> Any:
    """Return a value of a payload in strict JSON: NaN as a text, and one that is long cut off."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    try:
        text = json.dumps(value, default=str, ensure_ascii=False, allow_nan=False)
    except ValueError:  # a NaN inside
        text = json.dumps(value, default=str, ensure_ascii=False)
        return text[:_LONGEST]
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
