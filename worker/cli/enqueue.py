"""`loop26 enqueue`: put tasks into the queue."""

from typing import Annotated

import typer

from worker.cli.session import HomeOption, session_of


def enqueue(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files of tasks; - is standard input.")
    ],
    home: HomeOption = None,
) -> None:
    """Put tasks into the queue and print their ids, one a line, in order.

    A file holds one task, a JSON list of tasks, or one task a line. Everything
    is checked before anything is inserted: it is all of the tasks or none.

    A task is {"task_type": "...", "params": {...}} and may have id, dependant_on,
    project_id and idempotency_key; a second task with the key of a first is the
    first. Relative paths of pictures and LoRAs begin at the file's own folder.

    [bold]Examples[/]

      loop26 enqueue journey.json
      loop26 enqueue shots/*.json
      generate-tasks | loop26 enqueue -
    """
    from worker.cli.payload import read_tasks
    from worker.submission import check, submit

    session = session_of(context, home)
    read = [pair for file in files for pair in read_tasks(file)]
    with session.store(create=True) as store:
        for unchecked in check(read, session.settings(), store):
            typer.echo(f"warning: {unchecked}", err=True)
        with session.recorder() as recorder:
            ids = submit([task for _, task in read], store=store, recorder=recorder)
        for task_id in ids:
            typer.echo(str(task_id))
