"""`loop26 run`: work on the queue."""

from typing import Annotated

import typer

from worker.cli.session import HomeOption, session_of


def run(
    context: typer.Context,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when nothing is left to do.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Work on the queue until SIGTERM or Ctrl-C.

    The first signal drains: no new task, and the running one may finish within
    grace_s. A second one gives it back to the queue, its attempt not counted. In
    a terminal this shows live progress, otherwise one JSON object a line.

    [bold]Exit codes[/]

       0  drained, or idle when so asked
      69  the queue cannot be reached, at the start or for the last task's outcome
      70  a bug in loop26
      75  please start again: recycle_after_tasks is reached, or no task process
          could be started
      78  a setting, the home or the install is wrong
      80  the GPU is unusable

    [bold]Examples[/]

      loop26 run
      loop26 run --until-idle
      loop26 --set device=cpu --set threads=2 run
    """
    from contextlib import closing

    from worker.composition import run as supervise
    from worker.console import for_this_stream
    from worker.engines.wan2gp.licence import DISCLOSURE, NOTICE
    from worker.params.defaults import WGP

    settings = session_of(context, home).settings()
    with closing(for_this_stream()) as console:
        if settings.engine == WGP:
            console.note("info", f"{DISCLOSURE}. {NOTICE}")
        raise typer.Exit(supervise(settings, until_idle=until_idle, console=console))
