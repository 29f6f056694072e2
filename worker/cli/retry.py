"""`loop26 retry`: what has failed is made again, as new tasks."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.paper import print_json, printable
from worker.cli.session import HomeOption, JsonOption, Session, session_of
from worker.cli.tasks import find_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from worker.resubmission import NotRetried, Remake
    from worker.store.base import TaskStore
    from worker.task import Task

MOST_DEAD = 10_000


def retry(
    context: typer.Context,
    task_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Tasks' ids, or as much of each as is unique."),
    ] = None,
    dead: Annotated[
        bool, typer.Option("--dead", help="All that `loop26 tasks --dead` lists.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what is Complete.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made, and make nothing.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Make tasks that have ended again, as new ones; print the new ids, one a line.

    The end of a task is final: a retry is a new task with the same parameters. A
    part of a journey stands for the journey, which is made again as a whole. Done
    twice it is done once: a task has one retry, and that can be retried itself.

    [bold]Examples[/]

      loop26 retry 3f2a
      loop26 retry --dead --dry-run
    """
    from worker.resubmission import plan

    if bool(task_ids) == dead:
        raise typer.BadParameter("give the ids of tasks, or --dead for all dead letters")
    session = session_of(context, home)
    with session.store() as store:
        found = _dead(store) if dead else _named(store, task_ids or ())
        remakes = plan(store, found, again=again, refused=_left_out if dead else None)
        if dead and remakes and not (dry_run or yes):
            _confirm(remakes)
        ids = _ids(remakes) if dry_run else _made(session, store, remakes)
    if as_json:
        print_json([_facts(*pair, dry_run=dry_run) for pair in zip(remakes, ids, strict=True)])
        return
    if not found:
        typer.echo("no dead letters", err=True)
    for remake, task_id in zip(remakes, ids, strict=True):
        typer.echo(_said(remake, dry_run=dry_run), err=not dry_run)
        if not dry_run:
            typer.echo(str(task_id))


def _named(store: "TaskStore", task_ids: "Sequence[str]") -> "list[Task]":
    found = [find_task(store, each) for each in task_ids]
    return list({task.id: task for task in found}.values())


def _dead(store: "TaskStore") -> "list[Task]":
    # The oldest first, as they were enqueued.
    return store.dead_letters(limit=MOST_DEAD)[::-1]


def _left_out(reason: "NotRetried") -> None:
    typer.echo(f"left out: {printable(str(reason))}", err=True)


def _confirm(remakes: "Sequence[Remake]") -> None:
    count = len(remakes)
    what = f"{count} task{'' if count == 1 else 's'}"
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"--dead would make {what} again: add --yes, or see --dry-run")
    typer.confirm(f"Make {what} again?", abort=True, err=True)


def _ids(remakes: "Sequence[Remake]") -> "list[UUID | None]":
    return [remake.there.id if remake.there else None for remake in remakes]


def _made(session: Session, store: "TaskStore", remakes: "Sequence[Remake]") -> "list[UUID | None]":
    """Insert the copies, all or none; return the ids of these and of those made before."""
    from worker.submission import submit

    new = [remake.new for remake in remakes if remake.new is not None]
    if not new:
        return _ids(remakes)
    with session.recorder() as recorder:
        ids = iter(submit(new, store=store, recorder=recorder))
    return [remake.there.id if remake.there else next(ids) for remake in remakes]


def _said(remake: "Remake", *, dry_run: bool) -> str:
    """Say what becomes of a task, and why it is another than was asked for."""
    original, there = remake.original, remake.there
    asked = ", ".join(str(task.id) for task in remake.asked)
    is_journey = any(task.id != original.id for task in remake.asked)
    what = f"{asked}: its journey {original.id}" if is_journey else asked
    if there is not None:
        ended = there.status.terminal and there.status.value != "Complete"
        way_out = f"; `loop26 retry {there.id}` tries that one again" if ended else ""
        return f"{what} was made again before, as {there.id}, which is {there.status}{way_out}"
    verb = "would be" if dry_run else "is"
    return f"{what} ({printable(original.task_type)}, {original.status}) {verb} made again"


def _facts(remake: "Remake", task_id: "UUID | None", *, dry_run: bool) -> dict[str, object]:
    return {
        "asked": [task.id for task in remake.asked],
        "original": remake.original.id,
        "task_type": remake.original.task_type,
        "id": task_id,
        "made": remake.there is None and not dry_run,
        "status": remake.there.status if remake.there else None if dry_run else "Queued",
    }
