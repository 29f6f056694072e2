"""`loop26 tasks` and `loop26 cancel`: what is in the queue, and what is to leave it."""

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, JsonOption, session_of
from worker.errors import InvalidTask, TaskNotFound
from worker.store.retries import key_of_retry, retried_from
from worker.task import TaskStatus

if TYPE_CHECKING:
    from worker.store.base import TaskStore
    from worker.task import Task

TaskArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A task's id, or as much of its beginning as is unique.")
]


def tasks(
    context: typer.Context,
    task_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Show everything about this task (or unique prefix)."),
    ] = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option(
            "--status", "-s", metavar="S", help="Only this status; may be given more than once."
        ),
    ] = None,
    dead: Annotated[
        bool,
        typer.Option(
            "--dead", help="Those that failed for good and were not retried, with what to do."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="At most so many.")] = 50,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List the queue's tasks, newest first, or show everything about one.

    [bold]Examples[/]

      loop26 tasks
      loop26 tasks --status failed --json
      loop26 tasks --dead
      loop26 tasks 3f2a
    """
    if dead and (task_id is not None or statuses):
        raise typer.BadParameter("--dead lists tasks of its own: no ID and no --status with it")
    wanted = [status_named(text) for text in statuses or []]
    with session_of(context, home).store() as store:
        if task_id is not None:
            _show_one(store, find_task(store, task_id), as_json=as_json)
            return
        if dead:
            _show_dead(store.dead_letters(limit=limit), limit, as_json=as_json)
            return
        found = store.list_tasks(statuses=wanted, limit=limit)
    if as_json:
        print_json([asdict(task) for task in found])
        return
    from worker.cli.paper import paper
    from worker.cli.task_view import table_of

    if found:
        paper().print(table_of(found))
    else:
        typer.echo("no tasks; `loop26 enqueue FILE` puts some in, `loop26 demo` shows how")


def cancel(
    context: typer.Context,
    task_id: TaskArgument,
    reason: Annotated[str, typer.Option(help="Why; kept in the task's history.")] = "",
    home: HomeOption = None,
) -> None:
    """Cancel a task and its family; print the ids of all that were cancelled.

    A running one stops within a step.

    [bold]Example[/]

      loop26 cancel 3f2a --reason "wrong pictures"
    """
    with session_of(context, home).store() as store:
        for cancelled in store.cancel(find_task(store, task_id).id, reason=reason):
            typer.echo(str(cancelled))


def find_task(store: "TaskStore", prefix: str) -> "Task":
    """Find the one task whose id begins so.

    Raises:
        TaskNotFound: None does.
        InvalidTask: Several do, or it can be no beginning of an id.
    """
    if not re.fullmatch(r"[0-9a-fA-F-]{1,36}", prefix):
        raise InvalidTask("ID", prefix, "a task's id has hexadecimal digits and dashes only")
    found = store.find(prefix.lower())
    if not found:
        raise TaskNotFound(prefix)
    if len(found) > 1:
        some = ", ".join(str(task.id) for task in found[:3])
        raise InvalidTask("ID", prefix, f"is the beginning of several ids ({some}, …); give more")
    return found[0]


def status_named(text: str) -> TaskStatus:
    """Find a status by its text, however it is written: "In Progress", in_progress, in-progress."""
    wanted = re.sub(r"[\s_-]", "", text).casefold()
    for status in TaskStatus:
        if wanted == status.value.replace(" ", "").casefold():
            return status
    known = ", ".join(repr(status.value) for status in TaskStatus)
    raise InvalidTask("--status", text, f"is no status; known: {known}")


def _show_dead(found: "list[Task]", limit: int, *, as_json: bool) -> None:
    from worker.casework.dead_letters import dead_letter_of

    letters = [dead_letter_of(task) for task in found]
    if as_json:
        print_json([asdict(letter) for letter in letters])
        return
    from worker.cli.dead_letters import entry_of
    from worker.cli.paper import paper

    for letter in letters:
        paper(report=True).print(*entry_of(letter), sep="\n")
    if not letters:
        typer.echo("no dead letters: nothing has failed for good that was not retried")
    elif len(letters) == limit:
        typer.echo(f"these are the newest {limit}; --limit N lists more")


def _show_one(store: "TaskStore", task: "Task", *, as_json: bool) -> None:
    from worker.casework.queue_rows import told_facts

    events = [replace(event, data=told_facts(event)) for event in store.events(task.id)]
    children = store.list_tasks(parent_id=task.id, limit=10000)
    retry = store.of_key(key_of_retry(task.parent_id or task.id)) if task.status.terminal else None
    if as_json:
        print_json(
            {
                **asdict(task),
                "events": [asdict(event) for event in events],
                "children": [asdict(child) for child in children],
                "retry_of": retried_from(task.idempotency_key),
                "retried_as": retry.id if retry else None,
            }
        )
        return
    from worker.cli.paper import paper, without_secrets
    from worker.cli.task_view import page_of

    shown = replace(task, params=without_secrets(dict(task.params)))
    paper().print(page_of(shown, events, children, retry))
