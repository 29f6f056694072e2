"""The commands of `loop26`, put together."""

from importlib.metadata import version
from typing import Annotated

import typer

from worker.cli import (
    compare,
    demo,
    doctor,
    drill,
    enqueue,
    failures,
    investigate,
    migrate,
    replay,
    resolve,
    retry,
    run,
    state,
    tasks,
    trace,
    worker_token,
)
from worker.cli.session import HomeOption, options_of
from worker.engines.wan2gp.licence import DISCLOSURE

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"loop26 {version('loop26')}")
        typer.echo(DISCLOSURE)
        raise typer.Exit


@app.callback()
def loop26(
    context: typer.Context,
    home: HomeOption = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set one setting; `loop26 settings` lists all."
        ),
    ] = None,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A worker for queues of video generation tasks in which every failure names its own line.

    [bold]First steps[/]

      loop26 demo                  make a video from four pictures, on this machine
      loop26 resolve task.json     see what a task would run, and who said so
      loop26 enqueue task.json     put tasks into the queue; prints their ids
      loop26 run                   work on the queue until told to stop
      loop26 tasks                 see what became of them
      loop26 trace ID              see what happened inside one, step by step
      loop26 investigate ID        see what failed, where exactly, and with which values
      loop26 replay ID             run it again in a fresh process, to the same failure
      loop26 compare ID ID         see where two runs are not alike, or that they are
      loop26 failures              see what fails here, grouped by cause
      loop26 retry ID              make again what has failed, once that is mended
      loop26 drill --all           make every fault happen, see that each is found
      loop26 doctor                see what is wrong with the engine and the queue

    [bold]A queue for many workers[/]

      loop26 migrate               make the queue in a Supabase project
      loop26 worker-token create   let a worker in, without the project's secret key
    """
    del show_version
    context.obj = options_of(home, assignments or [])


app.command("run")(run.run)
app.command("enqueue")(enqueue.enqueue)
app.command("resolve")(resolve.resolve)
app.command("tasks")(tasks.tasks)
app.command("cancel")(tasks.cancel)
app.command("retry")(retry.retry)
app.command("trace")(trace.trace)
app.command("investigate")(investigate.investigate)
app.command("replay")(replay.replay)
app.command("compare")(compare.compare)
app.command("failures")(failures.failures)
app.command("drill")(drill.drill)
app.command("doctor")(doctor.doctor)
app.command("migrate")(migrate.migrate)
app.add_typer(worker_token.worker_token, name="worker-token")
app.command("demo")(demo.demo)
app.command("health")(state.health)
app.command("settings")(state.settings)
