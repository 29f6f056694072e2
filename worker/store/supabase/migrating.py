"""Bringing a database to the schema of this version: each migration once, in a transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from worker.errors import QueueError, QueueForbidden, QueueIncompatible, QueueUnavailable
from worker.store.supabase.migrations import Migration, known, newest, way_out

_CONNECT_S: Final = 10
_KEPT: Final = """\
create schema if not exists loop26;
create table if not exists loop26.migrations (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
);
alter table loop26.migrations enable row level security;
"""
_THERE: Final = (
    "select 1 from pg_catalog.pg_tables where schemaname = 'loop26' and tablename = 'migrations'"
)
_NOTED: Final = "insert into loop26.migrations (version, name) values ({version}, {name});\n"
_LOCK: Final = 2_611_126  # of a transaction that migrates: two at once wait for each other
_LOCKED_S: Final = 30  # an application's long transaction holds up all that come after us
# Of the transaction, not of the session: a pooler gives each one another session. A role may have
# limits of its own, as a project's `postgres` has, and a large table takes longer.
_LIMITS: Final = f"""\
set local statement_timeout = 0;
set local lock_timeout = '{_LOCKED_S}s';
"""


class MigrationFailed(QueueError):
    """Raised when the database refuses a migration; nothing of it is left there."""

    def __init__(self, migration: Migration, why: str) -> None:
        super().__init__(
            f"migration {migration.version} ({migration.name}) is refused: {why}; "
            "the database is as it was before it"
        )
        self.migration = migration


def script() -> str:
    """Return all migrations as one script, for the SQL editor: each is applied once there, too."""
    return "\n".join(_part(each) for each in known())


def migrate(
    address: str,
    begun: Callable[[Migration], None],
    done: Callable[[Migration], None],
) -> list[Migration]:
    """Apply what is missing, in order; return it. Tells of each before and after.

    Raises:
        QueueUnavailable: The database cannot be reached.
        QueueForbidden: The role may not create what is needed.
        QueueIncompatible: The database is newer than this version.
        MigrationFailed: The database refuses one.
    """
    with _connected(address) as connection:
        _refuse_newer(_version(connection))
        return [each for each in known() if _apply(connection, each, begun, done)]


def missing(address: str) -> list[Migration]:
    """Return what `migrate` would apply. Raises as it does."""
    with _connected(address) as connection:
        there = _version(connection)
    _refuse_newer(there)
    return [each for each in known() if each.version > there]


def _apply(
    connection: psycopg.Connection[Any],
    migration: Migration,
    begun: Callable[[Migration], None],
    done: Callable[[Migration], None],
) -> bool:
    """Apply a migration, unless it was; say whether."""
    try:
        with connection.transaction():
            connection.execute(_LIMITS)
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            if _version(connection) >= migration.version:
                return False
            begun(migration)
            # No parameters: so it is sent as it is, however many statements it has.
            connection.execute(_statements(migration))
    except psycopg.errors.InsufficientPrivilege as error:
        raise QueueForbidden(_why_forbidden(migration, error)) from error
    except psycopg.errors.LockNotAvailable as error:
        raise QueueUnavailable(
            f"migration {migration.version} ({migration.name}) has waited {_LOCKED_S} s for "
            "another transaction that uses the same tables; nothing is changed: try again when "
            "it has ended"
        ) from error
    except psycopg.OperationalError as error:
        raise QueueUnavailable(
            f"migration {migration.version} ({migration.name}) was cut off: {_said(error)}; "
            "nothing of it is left: try again"
        ) from error
    except psycopg.Error as error:
        raise MigrationFailed(migration, _said(error)) from error
    done(migration)
    return True


def _why_forbidden(migration: Migration, error: psycopg.Error) -> str:
    title = f"migration {migration.version} ({migration.name})"
    if error.diag.message_hint:  # the migration's own: it knows whose table it is
        return f"{title} is refused: {_said(error)}"
    return (
        f"{title} needs a role that may create schemas, roles and functions: {_said(error)}; "
        "connect as the database's owner"
    )


def _refuse_newer(there: int) -> None:
    if there > newest():
        raise QueueIncompatible(
            f"the database has schema version {there}, this loop26 knows {newest()}; "
            f"{way_out(there)}"
        )


def _version(connection: psycopg.Connection[Any]) -> int:
    """Return the version that a database has; 0 without one."""
    try:
        # Not by to_regclass: a session may remember that there was none.
        if connection.execute(_THERE).fetchone() is None:
            return 0
        query = "select coalesce(max(version), 0) from loop26.migrations"
        (version,) = connection.execute(query).fetchone() or (0,)
    except psycopg.errors.InsufficientPrivilege as error:
        raise QueueForbidden(
            f"the schema's version may not be read: {_said(error)}; connect as the database's owner"
        ) from error
    except psycopg.Error as error:
        raise QueueUnavailable(f"the database does not answer: {_said(error)}") from error
    return int(version)


@contextmanager
def _connected(address: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect for the length of a `with` block; no error shows the address: it has a password."""
    try:
        connection = psycopg.connect(
            address,
            autocommit=True,
            connect_timeout=_CONNECT_S,
            application_name="loop26 migrate",
            # A pooler of transactions would look for a prepared statement in another session.
            prepare_threshold=None,
        )
    except psycopg.OperationalError as error:
        raise QueueUnavailable(f"the database cannot be reached: {_said(error)}") from None
    except psycopg.Error:
        raise QueueIncompatible(
            "SUPABASE_DB_URL is no address of a database; it begins with postgresql://"
        ) from None
    with connection:
        yield connection


def _part(migration: Migration) -> str:
    title = f"-- loop26 schema, migration {migration.version}: {migration.name}"
    return f"{title}\nbegin;\n{_LIMITS}{_statements(migration)}\ncommit;\n"


def _statements(migration: Migration) -> str:
    """Return its text, begun by what refuses to have it applied twice."""
    noted = sql.SQL(_NOTED).format(
        version=sql.Literal(migration.version), name=sql.Literal(migration.name)
    )
    return f"{_KEPT}{noted.as_string()}{migration.sql}"


def _said(error: psycopg.Error) -> str:
    """Return what the server says, in one line; what the client says, where no server does."""
    parts = [error.diag.message_primary or f"{error}", error.diag.message_detail]
    told = "; ".join(part for part in (*parts, error.diag.message_hint) if part)
    place = f" ({error.sqlstate})" if error.sqlstate else ""
    return " ".join(told.split()) + place
