"""The SQLite file of the local queue: opened, refused or created, and its transactions."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from worker.errors import QueueError, QueueIncompatible, QueueUnavailable
from worker.store import schema
from worker.store.schema import WAY_OUT
from worker.store.turns import Turns

_LOCKED = (
    "was locked by another process for {timeout_s:g} s; end the process that holds it (`fuser` "
    "names it) and try again"
)
_READ_ONLY = (
    "cannot be written; make the file and its folder writable, or choose another home with "
    "--home DIR"
)
_REFUSALS: Mapping[int, tuple[type[QueueError], str]] = {
    sqlite3.SQLITE_BUSY: (QueueUnavailable, _LOCKED),
    sqlite3.SQLITE_LOCKED: (QueueUnavailable, _LOCKED),
    sqlite3.SQLITE_FULL: (
        QueueUnavailable,
        "cannot grow: the disk is full; free some space and try again",
    ),
    sqlite3.SQLITE_READONLY: (QueueUnavailable, _READ_ONLY),
    sqlite3.SQLITE_PERM: (QueueUnavailable, _READ_ONLY),
    sqlite3.SQLITE_CANTOPEN: (QueueUnavailable, "cannot be opened"),
    sqlite3.SQLITE_IOERR: (
        QueueUnavailable,
        "cannot be read or written ({error}); check the disk and its free space",
    ),
    sqlite3.SQLITE_NOTADB: (QueueIncompatible, f"is not a SQLite database; {WAY_OUT}"),
    sqlite3.SQLITE_CORRUPT: (QueueIncompatible, f"is damaged ({{error}}); {WAY_OUT}"),
}


class Database:
    """One SQLite file, in write-ahead mode, durable at every commit.

    Threads take turns on one connection and share commits: SQLite has one writer at a time, and a
    lock hands over sooner than SQLite's own waiting, which sleeps. Processes wait for each other
    in SQLite, for `busy_timeout_s` at the most.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        try:
            self._turns = Turns(self._opened())
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one durable transaction: committed at the end, undone when an error passes.

        `Fenced` commits: what was written before it is the record of the refusal.
        """
        try:
            with self._turns.write() as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run statements that change nothing."""
        try:
            with self._turns.read() as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            self._refuse(error)

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._turns.close()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.row_factory = sqlite3.Row
            # Another application may have written what is no text: the rest is read all the same.
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            # Looked at before anything is changed: it may be somebody else's.
            current = schema.is_current(connection, self._path)
            self._use_write_ahead_log(connection)
            connection.execute("PRAGMA synchronous = FULL")
            # Checkpoints come after SQLite's own 1,000 pages: a log that grows is slower to sync
            # than one that is written over (4,000 pages: 1,134 pairs/s, 1,000 pages: 1,218).
            if not current:
                schema.bring_up_to_date(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_write_ahead_log(self, connection: sqlite3.Connection) -> None:
        # SQLite does not wait here for another process that opens the same new file.
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise QueueUnavailable(
                f"queue {str(self._path)!r} lies where SQLite cannot keep a write-ahead log; "
                "choose a home on a local disk with --home DIR"
            )

    def _refuse(self, error: sqlite3.DatabaseError) -> NoReturn:
        """Say what is wrong with the file; an error that is no fault of it is raised as it is."""
        code = _code(error)
        if code is None or code not in _REFUSALS:
            raise error
        refusal, text = _REFUSALS[code]
        if code == sqlite3.SQLITE_CANTOPEN:
            text = f"cannot be opened: {self._obstacle()}"
        said = text.format(error=error, timeout_s=self._busy_timeout_s)
        raise refusal(f"queue {str(self._path)!r} {said}") from error

    def _obstacle(self) -> str:
        if self._path.is_dir():
            return f"it is a folder; {WAY_OUT}"
        if not self._path.parent.is_dir():
            return "its folder is not there; make it, or choose another home with --home DIR"
        return "the file or its folder may not be written; make them writable"


def _code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; None for an error of the Python module itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
