"""Databases beside the one of the shared queue's tests: empty, of an application, of Supabase."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import psycopg

from tests.servers.supabase.postgrest import PostgREST

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

OLD_TASKS: Final = Path(__file__).with_name("old_tasks.sql")
STATUSES: Final = ("Queued", "In Progress", "Complete", "Failed", "Cancelled")
# Of a table of tasks, what is not added where it lacks.
_LEAST: Final = {
    "id": "uuid default gen_random_uuid()",
    "task_type": "text",
    "params": "jsonb",
    "status": "text",
    "created_at": "timestamptz default now()",
}
# As a project's `postgres` is: no superuser, and all that it makes in public is everybody's.
_LIKE_SUPABASE: Final = """
do $$
begin
    if to_regrole('project_owner') is null then
        create role project_owner login createrole createdb replication bypassrls;
    end if;
end
$$;
grant anon, authenticated, service_role to project_owner with admin option;
grant all on schema public to project_owner;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges for role project_owner in schema public
grant all on tables to anon, authenticated, service_role;
alter default privileges for role project_owner in schema public
grant all on functions to anon, authenticated, service_role;
alter default privileges for role project_owner in schema public
grant all on sequences to anon, authenticated, service_role;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database, as its owner has it.

    Attributes:
        server: Where it is.
        name: Its name.
        url: Its address, for its owner.
    """

    server: "Supabase"
    name: str
    url: str

    def run(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run statements as the owner; return the rows of the last."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, values or None)  # type: ignore[arg-type]  # ours
            return cursor.fetchall() if cursor.description else []

    def make_old_tasks(self, status: str) -> None:
        """Make the tables of an application, its status an enumeration or a text."""
        if status == "enum":
            labels = ", ".join(f"'{each}'" for each in STATUSES)
            self.run(f"create type public.task_status as enum ({labels})")
        kind = {"enum": "public.task_status", "text": "text"}[status]
        self.run(OLD_TASKS.read_text("utf-8").replace("{status}", kind))

    def make_tasks(self, **types: str) -> None:
        """Make a table of tasks with no more than it must have, its columns of these types."""
        types = {**_LEAST, **types}
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        self.run(f"create table public.tasks ({columns})")

    @contextlib.contextmanager
    def api(self) -> Iterator[str]:
        """Run a PostgREST over it; give its address."""
        address = self.server.postgresql.url(self.name, role="authenticator")
        log = self.server.postgresql.folder / f"{self.name}.log"
        with PostgREST(address, self.server.secret, log) as rest:
            yield rest.url


def empty_database(server: "Supabase") -> Database:
    """Make an empty database of the superuser's."""
    name = f"other_{uuid4().hex[:8]}"
    return Database(server=server, name=name, url=server.create_database(name))


def database_like_supabase(server: "Supabase") -> Database:
    """Make an empty database whose owner has the rights that a project's `postgres` has."""
    made = empty_database(server)
    with server.connect(made.name) as connection:
        connection.execute(_LIKE_SUPABASE)
        connection.execute(f'alter database "{made.name}" owner to project_owner')
    url = server.postgresql.url(made.name, role="project_owner")
    return Database(server=server, name=made.name, url=url)
