"""`loop26 migrate`: make the queue in a PostgreSQL, or bring it to this version."""

from typing import Annotated

import typer

from worker.cli.session import HomeOption, session_of
from worker.errors import SettingsError


def migrate(
    context: typer.Context,
    print_sql: Annotated[
        bool, typer.Option("--print", help="Print the SQL, and touch no database.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Say what is missing, exit 1 if anything is.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Make the queue in a Supabase project or a PostgreSQL, or bring it to this version.

    Each numbered migration is applied once, in a transaction. A `tasks` table
    that is there already is kept, with its rows, policies and grants. The
    database is named by SUPABASE_DB_URL: in Supabase's dashboard under Connect,
    the session pooler's or the direct address.

    [bold]Examples[/]

      loop26 migrate
      loop26 migrate --print > loop26.sql     for the SQL editor, or its CLI
      loop26 migrate --check
    """
    from worker.store.supabase import migrating
    from worker.store.supabase.migrations import newest

    if print_sql:
        typer.echo(migrating.script(), nl=False)
        return
    address = session_of(context, home).configuration().settings.supabase_db_url
    if address is None:
        raise SettingsError(
            "SUPABASE_DB_URL is not set: it names the database, as "
            "postgresql://postgres:PASSWORD@HOST:5432/postgres; "
            "or print the SQL with `loop26 migrate --print` and run it yourself"
        )
    if check:
        found = migrating.missing(address.get_secret_value())
        for each in found:
            typer.echo(f"missing: {each.version} {each.name}")
        if found:
            raise typer.Exit(1)
    else:
        found = migrating.migrate(
            address.get_secret_value(),
            lambda each: typer.echo(f"{each.version} {each.name} …"),
            lambda each: typer.echo(f"{each.version} {each.name}: done"),
        )
    if not found:
        typer.echo(f"the queue has schema version {newest()}: nothing to do")
