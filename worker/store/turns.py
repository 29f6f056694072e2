"""Threads take turns on one SQLite connection, and share the commits that they wait for."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from worker.errors import Fenced, QueueUnavailable

# A commit costs a sync of the disk, which costs more than all the statements before it. Beyond
# this many parts it is cheap enough, and the first of them has waited for long enough.
_MOST_PARTS = 32
_OVERDUE_S = 0.05


@dataclass(slots=True, eq=False)
class _Group:
    """An open transaction; each part is one thread's, whole or undone on its own.

    `committed` is made by the first thread that leaves it to another to commit.
    """

    parts: int = 0
    closed: bool = False
    error: BaseException | None = None
    committed: threading.Event | None = None


class Turns:
    """One connection, used by one thread at a time, and durable when a write returns.

    A thread that has written leaves its transaction open when others wait for their turn; the last
    of them commits for all. With one thread every write is a transaction of its own.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._group: _Group | None = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run a part of a transaction: durable at the end, undone when an error passes.

        `Fenced` does not undo it: what was written before is the record of the refusal.

        Raises:
            sqlite3.Error: As SQLite raised it; nothing of the part is kept then.
        """
        refusal: Fenced | None = None
        self._take_turn()
        try:
            group = self._join()
            try:
                yield self._open()
            except Fenced as fenced:
                refusal = fenced
            except BaseException as error:
                self._undo_part(group, error)
                raise
            self._keep_part(group)
        finally:
            self._turn.release()
        self._await_commit(group)
        if refusal is not None:
            raise refusal

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run statements that change nothing; they see nothing that is not yet durable."""
        with self._turn:
            if self._group is not None:
                self._commit(self._group)
            yield self._open()

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        with self._turn:
            if self._group is not None:
                self._commit(self._group)
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise QueueUnavailable("the queue was closed")
        return self._connection

    def _take_turn(self) -> None:
        if self._turn.acquire(blocking=False):
            return
        with self._count:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._count:
                self._waiting -= 1

    def _join(self) -> _Group:
        connection = self._open()
        if self._group is None:
            if connection.in_transaction:
                # Ctrl-C between the next two statements leaves one that is nobody's.
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            self._group = _Group()
        if self._group.parts:
            connection.execute("SAVEPOINT part")
        return self._group

    def _keep_part(self, group: _Group) -> None:
        if group.parts:
            self._open().execute("RELEASE part")
        group.parts += 1
        if self._waiting == 0 or group.parts >= _MOST_PARTS:
            # Whoever waits for the commit, this thread too, learns there if it failed.
            with suppress(sqlite3.Error):
                self._commit(group)
        elif group.committed is None:
            group.committed = threading.Event()

    def _undo_part(self, group: _Group, error: BaseException) -> None:
        connection = self._open()
        if not connection.in_transaction:
            # SQLite has undone everything itself, as it does when the disk is full.
            self._close_group(group, error)
        elif group.parts:
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        else:
            connection.execute("ROLLBACK")
            self._close_group(group, error)

    def _await_commit(self, group: _Group) -> None:
        while not (group.closed or (group.committed and group.committed.wait(_OVERDUE_S))):
            # Those who were to commit it were interrupted, or failed.
            with self._turn:
                if self._group is group:
                    self._commit(group)
        if group.error is not None:
            raise group.error

    def _commit(self, group: _Group) -> None:
        connection = self._open()
        error: BaseException | None = None
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as raised:
            error = raised
            raise
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
                error = error or sqlite3.OperationalError("the commit was interrupted")
            self._close_group(group, error)

    def _close_group(self, group: _Group, error: BaseException | None) -> None:
        self._group = None
        group.error = error
        group.closed = True
        if group.committed is not None:
            group.committed.set()
