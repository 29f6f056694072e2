"""The tables of the local queue: made in a new file, brought up to date in an older one."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from worker.errors import QueueIncompatible
from worker.store.statements import sqlite

APPLICATION_ID = 0x6C703236
VERSION = 4
WAY_OUT = "move it away, or choose another home with --home DIR"


def is_current(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell a queue of this version from an older or an empty one; change nothing.

    Raises:
        QueueIncompatible: It is no queue, or one of a newer version; `path` is its name for people.
    """
    return _version(connection, path) == VERSION


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or those that an older version did not have, and keep every row.

    One transaction: another process sees all of it or nothing.

    Raises:
        QueueIncompatible: As in `is_current`.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        version = _version(connection, path)
        if version == 1:
            _run(connection, "upgrade_from_1")
        if 0 < version < VERSION:
            _run(connection, "upgrade_from_3")
        if version < VERSION:
            _run(connection, "create_schema")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        if version == 1:
            _run(connection, "finish_upgrade_from_1")
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the queue, 0 for an empty database; refuse anything else."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == 0 and version == 0 and objects == 0:
        return 0
    if application_id != APPLICATION_ID:
        raise QueueIncompatible(
            f"queue {str(path)!r} is another application's SQLite database; {WAY_OUT}"
        )
    if version > VERSION:
        raise QueueIncompatible(
            f"queue {str(path)!r} has schema version {version}, and this loop26 knows "
            f"versions up to {VERSION}; install the newer loop26, or choose another "
            "home with --home DIR"
        )
    return int(version)


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in _split(sqlite(script)):
        connection.execute(statement)


def _split(script: str) -> Iterator[str]:
    # Not `executescript`: it commits the open transaction first.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
