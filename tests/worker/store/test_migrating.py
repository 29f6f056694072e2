"""A database is brought to the schema of this version: once, whole or not at all."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from worker.errors import QueueForbidden, QueueIncompatible, QueueUnavailable
from worker.store.supabase import SupabaseStore, migrating
from worker.store.supabase.connection import Access
from worker.store.supabase.migrations import Migration, known, newest

from .other_databases import Database, database_like_supabase, empty_database

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

LOOP26: Final = str(Path(sys.executable).with_name("loop26"))
PATIENCE_S: Final = 30.0
# All that a schema is, in lines that two databases can be compared by.
CATALOG: Final = """
select format('%s %s %s %s %s', nspname, relname, relkind, relrowsecurity, relacl)
from pg_class join pg_namespace on relnamespace = pg_namespace.oid
where nspname in ('public', 'loop26')
union all
select format('%s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod),
    attnotnull, pg_get_expr(adbin, adrelid))
from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
where attrelid in (select oid from pg_class where relnamespace in
    ('public'::regnamespace, 'loop26'::regnamespace) and relkind = 'r') and attnum > 0
union all
select pg_get_indexdef(indexrelid) from pg_index join pg_class on pg_class.oid = indexrelid
where relnamespace in ('public'::regnamespace, 'loop26'::regnamespace)
union all
select pg_get_functiondef(oid) || coalesce(proacl::text, '') from pg_proc
where pronamespace in ('public'::regnamespace, 'loop26'::regnamespace)
union all
select pg_get_triggerdef(oid) || tgenabled::text from pg_trigger where not tgisinternal
union all
select format('%s %s %s', polname, polrelid::regclass, pg_get_expr(polqual, polrelid))
from pg_policy
union all
select pg_get_constraintdef(oid) from pg_constraint
where connamespace in ('public'::regnamespace, 'loop26'::regnamespace)
union all
select format('%s %s', version, name) from loop26.migrations
"""


@pytest.fixture
def database(supabase_server: "Supabase") -> Database:
    """An empty database."""
    return empty_database(supabase_server)


def migrated(url: str) -> list[int]:
    """Migrate; return the versions that were applied."""
    return [each.version for each in migrating.migrate(url, _ignore, _ignore)]


def catalog(database: Database) -> list[str]:
    """Write down all that the schema of a database is."""
    return sorted(line for (line,) in database.run(CATALOG))


def _ignore(_migration: Migration) -> None:
    """Hear of a migration."""


def _until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"there was no {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("make", [empty_database, database_like_supabase])
def test_an_empty_database_gets_all_of_it_once(
    supabase_server: "Supabase", make: Callable[["Supabase"], Database]
) -> None:
    """As a superuser, and as the owner of a Supabase project; the second time changes nothing."""
    database = make(supabase_server)
    assert migrated(database.url) == [each.version for each in known()]
    before = catalog(database)
    assert migrated(database.url) == []
    assert catalog(database) == before


def test_two_at_once_wait_for_each_other(database: Database) -> None:
    """One of them applies it, and the other finds nothing to do."""
    applied: list[int] = []
    both = [
        threading.Thread(target=lambda: applied.extend(migrated(database.url))) for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(PATIENCE_S)
    assert applied == [each.version for each in known()]


def test_the_printed_script_makes_the_same(
    supabase_server: "Supabase", database: Database, tmp_path: Path
) -> None:
    """Down to every grant; piped into psql a second time, it is refused and changes nothing."""
    [psql] = supabase_server.postgresql.programs.glob("psql")
    script = tmp_path / "loop26.sql"
    script.write_text(migrating.script(), "utf-8")
    command = [str(psql), "--no-psqlrc", "--quiet", "-f", str(script), database.url]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    other = empty_database(supabase_server)
    migrated(other.url)
    printed = catalog(database)
    assert printed == catalog(other)
    again = subprocess.run(
        [*command[:2], "-v", "ON_ERROR_STOP=1", *command[2:]],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert again.returncode != 0
    assert "duplicate key value" in again.stderr
    assert catalog(database) == printed


def test_an_api_that_runs_learns_of_it(database: Database) -> None:
    """Before, whoever asks is told to migrate; after, nobody has to restart anything."""
    with database.api() as url:
        access = Access(url=url, rest_url=url, key=database.server.key("service_role"))
        with closing(SupabaseStore(access)) as store:
            with pytest.raises(QueueIncompatible, match="run `loop26 migrate`"):
                store.check()
            migrated(database.url)

            def answers() -> bool:
                try:
                    return bool(store.check())
                except QueueIncompatible:
                    return False

            _until(answers, "answer of the API")
            assert store.list_tasks() == []


def test_a_newer_database_is_refused(database: Database) -> None:
    """By `migrate` and by a look at what is missing, with the way out."""
    migrated(database.url)
    database.run("insert into loop26.migrations (version, name) values (%s, 'x')", newest() + 1)
    said = f"schema version {newest() + 1}, this loop26 knows {newest()}; install a newer loop26"
    for ask in (migrated, migrating.missing):
        with pytest.raises(QueueIncompatible, match=said):
            ask(database.url)


def test_a_role_without_the_right_is_told_so(
    supabase_server: "Supabase", database: Database
) -> None:
    """One that may connect and no more, before and after somebody else has migrated."""
    with supabase_server.connect() as connection:
        connection.execute("drop role if exists passer_by")
        connection.execute("create role passer_by login")
    url = supabase_server.postgresql.url(database.name, role="passer_by")
    with pytest.raises(
        QueueForbidden, match=r"permission denied .* connect as the database's owner"
    ):
        migrated(url)
    assert not database.run("select 1 from pg_namespace where nspname = 'loop26'")
    migrated(database.url)
    with pytest.raises(QueueForbidden, match="connect as the database's owner"):
        migrating.missing(url)


@pytest.mark.parametrize("how", ["migrate", "print"])
def test_a_roles_limit_of_time_is_not_a_migrations(
    supabase_server: "Supabase", database: Database, how: str
) -> None:
    """It waits for its lock, and works, longer than the role's statements may take."""
    database.make_old_tasks("text")
    database.run(f"alter database {database.name} set statement_timeout = '1s'")
    [psql] = supabase_server.postgresql.programs.glob("psql")
    command = {
        "migrate": [LOOP26, "migrate"],
        "print": [str(psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", migrating.script()],
    }[how]
    environment = {**os.environ, "SUPABASE_DB_URL": database.url}
    waiting = (
        "select 1 from pg_stat_activity where datname = %s and wait_event_type = 'Lock' "
        "and clock_timestamp() > query_start + interval '1.5 s'"
    )
    with psycopg.connect(database.url) as application:
        application.execute("lock table public.tasks")
        process = subprocess.Popen(
            [*command, *([database.url] if how == "print" else [])],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        _until(
            lambda: process.poll() is not None or database.run(waiting, database.name),
            "migration that waits",
        )
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "set local lock_timeout = '30s'" in migrating.script()


def test_nothing_is_prepared_that_a_pooler_would_look_for_elsewhere(database: Database) -> None:
    """A transaction pooler gives the next transaction another session."""
    with migrating._connected(database.url) as connection:
        for _ in range(10):
            assert migrating._version(connection) == 0
        prepared = connection.execute("select count(*) from pg_prepared_statements").fetchone()
    assert prepared == (0,)


def test_one_that_is_killed_in_the_middle_leaves_nothing(database: Database) -> None:
    """It waits for a table that is in use when it is killed; the next one does all of it."""
    database.make_old_tasks("text")
    environment = {**os.environ, "SUPABASE_DB_URL": database.url}
    waiting = "select pid from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
    with psycopg.connect(database.url) as application:
        application.execute("lock table public.tasks")
        process = subprocess.Popen(
            [LOOP26, "migrate"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        _until(lambda: database.run(waiting, database.name), "migration that waits")
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    of_it = (
        "select 1 from pg_stat_activity where application_name = 'loop26 migrate' and datname = %s"
    )
    _until(lambda: not database.run(of_it, database.name), "end of its session")
    assert not database.run("select 1 from pg_namespace where nspname = 'loop26'")
    assert migrated(database.url) == [each.version for each in known()]


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    """An address has a password in it; no message shows it."""
    with pytest.raises(QueueUnavailable, match="cannot be reached") as refusal:
        migrated("postgresql://postgres:hunter2@127.0.0.1:1/postgres")
    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("address", ["https://x.supabase.co", "postgresql://h:port/x"])
def test_what_is_no_address_of_a_database_is_refused(address: str) -> None:
    """By the name of the setting."""
    with pytest.raises((QueueIncompatible, QueueUnavailable), match=r"SUPABASE_DB_URL|reached"):
        migrated(address)
