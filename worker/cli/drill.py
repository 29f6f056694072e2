"""`loop26 drill`: a fault on purpose, to see that the report names its line."""

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.session import HomeOption, JsonOption, session_of
from worker.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_WRONG = 1
WAIT_S = 30.0


class TwoWishes(WorkerError):
    """Raised for a fault beside --all."""

    exit_code = 2


def drill(
    context: typer.Context,
    fault: Annotated[
        str | None, typer.Argument(help="The fault; without one they are listed.", metavar="FAULT")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Make all faults, one by one.")] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help="How long a drill waits for its telemetry to arrive.",
        ),
    ] = WAIT_S,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Make a fault happen on purpose, and see that the report on it names the line.

    A real worker starts a real task process, in which an engine made for this
    fails in the middle of its steps. Then what was found is held against what was
    planted: the line, its locals, how far the task had got, that no span is
    missing, how soon the row was settled. Run it after deploying.

    It works in a folder `drill` of the home, with this deployment's settings, and
    touches neither the real queue nor its outputs. A worker may run meanwhile.

    Telemetry goes where it is set to go, and is waited for: "acknowledged" is
    what a backend has answered for, "arrived" what it gives back when asked. Set
    jaeger_url, sentry_url and sentry_token to have them asked.

    [bold]Exit codes[/]

       0  all that was planted was found; what cannot be done here was skipped
       1  something was not
       2  there is no such fault

    [bold]Examples[/]

      loop26 drill                  list the faults
      loop26 drill segfault
      loop26 drill incident
      loop26 drill --all
      loop26 drill --all --json > drills.json
    """
    from worker.drill.planted import summaries

    if fault and every:
        raise TwoWishes(f"{fault!r} and --all contradict each other; give one of them")
    if not fault and not every:
        _list_faults(summaries())
        return
    faults = list(summaries()) if every else [str(fault)]
    raise typer.Exit(_run(context, home, faults, wait_s=wait, as_json=as_json))


def _list_faults(summaries: dict[str, str]) -> None:
    from worker.cli.paper import paper
    from worker.drill.tables import of_faults

    paper().print(of_faults(summaries))
    typer.echo("\n`loop26 drill FAULT` makes one happen, `loop26 drill --all` each in turn")


def _run(
    context: typer.Context,
    home: "HomeOption",
    faults: "Sequence[str]",
    *,
    wait_s: float,
    as_json: bool,
) -> int:
    from worker.cli.paper import paper, print_json
    from worker.drill import results, tables
    from worker.drill.show import run_drills

    out = paper(report=True)
    settings = session_of(context, home).configuration().settings
    found, folder = run_drills(settings, faults, wait_s=wait_s, out=None if as_json else out)
    if as_json:
        print_json(results.as_json(found, folder))
    elif len(faults) == 1:
        out.print(tables.of_one(found[0], folder))
    else:
        out.print(tables.of_all(found, folder))
    return 0 if results.all_right(found) else EXIT_WRONG
