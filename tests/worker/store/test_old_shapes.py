"""Tables of an older application that cannot be worked with are refused, with what mends them."""

from typing import TYPE_CHECKING

import pytest

from worker.errors import QueueForbidden
from worker.store.supabase import migrating

from .other_databases import STATUSES, Database, database_like_supabase, empty_database
from .test_migrating import migrated

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase


@pytest.fixture
def database(supabase_server: "Supabase") -> Database:
    """An empty database."""
    return empty_database(supabase_server)


def test_a_table_of_another_role_is_named_with_its_owner(supabase_server: "Supabase") -> None:
    """Whoever owns the database need not own all that is in it, and is told who does."""
    database = database_like_supabase(supabase_server)
    with supabase_server.connect(database.name) as connection:
        connection.execute("create table public.tasks (id uuid)")
    with pytest.raises(QueueForbidden) as refusal:
        migrated(database.url)
    said = str(refusal.value)
    assert "table public.tasks belongs to postgres, and project_owner may not change it" in said
    assert "connect as postgres" in said
    assert "the database's owner" not in said


def test_a_table_of_another_shape_is_refused_in_one_line(database: Database) -> None:
    """With every column that is at fault, and nothing is left of what was begun."""
    database.run("create table tasks (id text, params text, status text, task_type varchar)")
    with pytest.raises(migrating.MigrationFailed) as refusal:
        migrated(database.url)
    said = str(refusal.value)
    assert "tasks.id is text, not uuid, tasks.params is text, not jsonb; change the type" in said
    assert "\n" not in said
    assert not database.run("select 1 from pg_namespace where nspname = 'loop26'")


@pytest.mark.parametrize("name", ["task_type", "error_message", "output_location", "worker_id"])
def test_a_text_that_is_too_short_is_refused_with_what_mends_it(
    database: Database, name: str
) -> None:
    """What workers write there has no bound; how long a key may be is its makers' affair."""
    database.make_tasks(idempotency_key="varchar(40)", **{name: "varchar(200)"})
    mending = f"alter table public.tasks alter column {name} type text"
    with pytest.raises(migrating.MigrationFailed, match=mending):
        migrated(database.url)
    database.run(mending)
    assert migrated(database.url)


def test_a_workers_table_of_another_shape_is_refused(database: Database) -> None:
    """Its status is what a worker says of itself, and no enumeration of the application's."""
    database.run("create type state as enum ('up', 'down')")
    database.run("create table workers (id text primary key, status state)")
    with pytest.raises(migrating.MigrationFailed, match=r"workers\.status is state, not text"):
        migrated(database.url)


@pytest.mark.parametrize(
    ("before", "status", "said"),
    [
        (
            "create type state as enum ('Queued', 'In Progress', 'Complete', 'Failed')",
            "state",
            "takes no 'Cancelled'; alter type state add value 'Cancelled', and migrate again",
        ),
        (
            "",
            "text check (status in ('Queued', 'In Progress', 'Complete'))",
            "takes no 'Failed', 'Cancelled'; let its constraint tasks_status_check take it",
        ),
        (
            "create table states (id text primary key); insert into states values ('Queued')",
            "text references states",
            "let its constraint tasks_status_fkey take it",
        ),
        ("", "varchar(9)", "takes no 'In Progress'; alter table public.tasks alter column status"),
        ("", "char(20)", r"status is character\(20\), not text and no enumeration"),
    ],
)
def test_a_status_that_does_not_take_all_five_is_refused(
    database: Database, before: str, status: str, said: str
) -> None:
    """Else a worker would fail at its first task that ends so."""
    if before:
        database.run(before)
    database.make_tasks(status=status)
    with pytest.raises(migrating.MigrationFailed, match=said):
        migrated(database.url)


def test_rules_that_take_all_five_are_kept(database: Database) -> None:
    """And trying them out leaves nothing behind."""
    labels = ", ".join(f"'{each}'" for each in STATUSES)
    database.make_tasks(status=f"text check (status in ({labels}))")
    migrated(database.url)
    assert not database.run("select 1 from pg_class where relname = 'trial'")
    assert database.run("select count(*) from tasks") == [(0,)]
    database.run("insert into tasks (task_type, params) values ('t2v', '{}')")
    assert database.run("select status from tasks") == [("Queued",)]


def test_a_status_that_is_none_is_refused(database: Database) -> None:
    """The worker would not know what to make of it."""
    database.make_tasks()
    database.run("insert into tasks (status) values ('Pending'), ('Queued')")
    with pytest.raises(migrating.MigrationFailed, match="rows of the status 'Pending'; give them"):
        migrated(database.url)


def test_a_number_that_nothing_counts_is_refused(database: Database) -> None:
    """A `seq` of the application's own would be null in what is inserted; a counted one serves."""
    database.make_tasks(seq="bigint")
    with pytest.raises(migrating.MigrationFailed, match="rename column seq to number"):
        migrated(database.url)
    database.run("alter table tasks rename column seq to number")
    assert migrated(database.url)


def test_a_number_that_is_counted_is_kept_with_its_grants(database: Database) -> None:
    """Whoever inserts needs them; the name of its sequence is nobody's affair."""
    database.make_tasks(seq="bigserial")
    database.run("alter sequence tasks_seq_seq rename to counter")
    database.run("grant usage on sequence counter to authenticated")
    migrated(database.url)
    held = "select has_sequence_privilege('authenticated', 'counter', 'usage')"
    assert database.run(held) == [(True,)]
