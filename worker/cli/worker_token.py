"""`loop26 worker-token`: let workers into a shared queue, and shut them out again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.paper import print_json
from worker.cli.session import HomeOption, JsonOption, session_of
from worker.errors import SettingsError

if TYPE_CHECKING:
    from worker.store.supabase.worker_tokens import WorkerTokens

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Of the worker, or of whoever runs it.")
]

worker_token = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Let workers into a shared queue without its secret key, and shut them out again.

    A worker needs SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and
    LOOP26_WORKER_TOKEN. Its token lets it claim tasks and settle those that it
    holds, and nothing else. These commands need SUPABASE_SECRET_KEY.""",
)


@worker_token.command("create")
def create(
    context: typer.Context,
    name: NameArgument,
    days: Annotated[
        float | None,
        typer.Option(min=0.001, max=3650, help="Days until it expires; unset, it does not."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Make a token and print it: once, since the queue keeps no more than its hash.

    [bold]Examples[/]

      loop26 worker-token create pod-7 --days 30
      export LOOP26_WORKER_TOKEN=$(loop26 worker-token create pod-7)
    """
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with _tokens(context, home) as tokens:
        typer.echo(tokens.create(name, expires_at=expires_at))
    until = "it is revoked" if expires_at is None else f"{expires_at:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"token of {name}, good until {until}; it cannot be shown again", err=True)


@worker_token.command("list")
def list_tokens(
    context: typer.Context, as_json: JsonOption = False, home: HomeOption = None
) -> None:
    """List the tokens by name: which are valid, and when each was used last."""
    now = datetime.now(UTC)
    with _tokens(context, home) as tokens:
        found = tokens.listed(now)
    if as_json:
        print_json([_as_json(asdict(token)) for token in found])
        return
    if not found:
        typer.echo("no worker tokens; `loop26 worker-token create NAME` makes one")
        return
    from rich.table import Table
    from rich.text import Text

    from telemetry.reports.wording import one_line
    from worker.cli.paper import paper

    table = Table("NAME", "STATUS", "CREATED", "EXPIRES", "LAST USED", box=None, pad_edge=False)
    for token in found:
        moments = (token.created_at, token.expires_at, token.last_used_at)
        table.add_row(Text(one_line(token.name)), token.status, *map(_shown, moments))
    paper().print(table)


@worker_token.command("revoke")
def revoke(context: typer.Context, name: NameArgument, home: HomeOption = None) -> None:
    """Revoke a token: its worker's next call is refused, and its tasks fall to their leases."""
    with _tokens(context, home) as tokens:
        tokens.revoke(name)
    typer.echo(f"the token of {name} is revoked")


@contextmanager
def _tokens(context: typer.Context, home: HomeOption) -> "Iterator[WorkerTokens]":
    from worker.queue import is_shared, open_shared

    settings = session_of(context, home).configuration().settings
    if not is_shared(settings):
        raise SettingsError(
            "the queue of a home is for this machine alone and needs no tokens; "
            "set SUPABASE_URL and SUPABASE_SECRET_KEY for a shared one"
        )
    with closing(open_shared(settings, settings.operator_key or settings.public_key)) as store:
        yield store.tokens


def _as_json(token: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in token.items()
    }


def _shown(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
