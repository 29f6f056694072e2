"""`loop26 health` and `loop26 settings`: what is, as against what was done."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, JsonOption, session_of

if TYPE_CHECKING:
    from rich.table import Table

    from worker.settings.configuration import Explained

EXIT_UNWELL = 1


def health(context: typer.Context, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Say whether a worker runs here and is well; exit code 0 if so, else 1.

    It reads a status file, needs no port, and suits a container's healthcheck.

    [bold]Example[/]

      loop26 health --json
    """
    from worker.supervisor.health import check

    found = check(session_of(context, home).configuration().settings.spool_dir)
    if as_json:
        print_json(asdict(found), indent=None)
    else:
        typer.echo(found.sentence)
    raise typer.Exit(0 if found.ok else EXIT_UNWELL)


def settings(context: typer.Context, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """List every setting: its value, where that came from, and what it is for.

    Later wins: the default, HOME/config.toml, the environment, the command line.
    The values of secrets are not shown.

    [bold]Examples[/]

      loop26 settings
      LOOP26_GRACE_S=5 loop26 settings --json
    """
    rows = session_of(context, home).configuration().explain()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from worker.cli.paper import paper

    paper().print(_table(rows))


def _table(rows: "list[Explained]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from worker.settings.configuration import DEFAULT

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "from", "what it is"):
        table.add_column(heading, overflow="fold", min_width=len(heading))
    for row in rows:
        changed = row.source != DEFAULT
        note = f" (default {row.default or 'unset'})" if changed else ""
        table.add_row(
            row.name,
            Text(row.value.replace(",", ", "), style="green" if changed else ""),
            Text(row.source, style="" if changed else "dim"),
            Text(f"{row.help}{note}"),
        )
    return table
