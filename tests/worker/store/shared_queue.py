"""The database under the shared queue's tests: emptied for each, with a clock that they move."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import sql

from tests.servers.supabase.server import Supabase
from tests.worker.store.divided import DividedStore
from worker.store.base import TaskStore
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access

WORKER_TOKEN = "of-the-tests"  # noqa: S105 - kept in no database but the tests' own


class SharedQueue:
    """A migrated database whose clock and whose limits are the tests'.

    Args:
        server: Where it is.
    """

    def __init__(self, server: Supabase) -> None:
        self._server = server
        self._stores: dict[str, TaskStore] = {}
        # For speed alone: what the tests themselves write need not be on the disk.
        self.connection: psycopg.Connection[Any] = server.connect(
            options="-c synchronous_commit=off"
        )
        self._service_key, self._anon_key = server.key("service_role"), server.key("anon")
        self.connection.execute("create table loop26.test_clock (at timestamptz not null)")
        self.connection.execute("alter table loop26.test_clock enable row level security")
        self.connection.execute("insert into loop26.test_clock values (now())")
        self.connection.execute(
            "create or replace function loop26.now() returns timestamptz "
            "language sql volatile set search_path = pg_catalog, pg_temp "
            "as 'select at from loop26.test_clock'"
        )
        self.connection.execute(
            "update loop26.limits set deaths_at_least = 1, sweep_as_asked = true"
        )

    def empty(self) -> None:
        """Forget everything but the worker token."""
        with self.connection.transaction():
            # Rows of a few tests are deleted faster than files are truncated; triggers forbid it.
            self.connection.execute("set local session_replication_role = replica")
            for table in ("public.tasks", "public.task_events", "public.workers"):
                self.connection.execute(f"delete from {table}")  # noqa: S608 - names of our own
            self.connection.execute("delete from loop26.worker_tokens")
            self.connection.execute(
                "insert into loop26.worker_tokens (name, sha256, created_at) "
                "values ('tests', %s, now())",
                (hashlib.sha256(WORKER_TOKEN.encode()).digest(),),
            )

    def set_clock(self, now: float) -> None:
        """Set the database's clock."""
        self.connection.execute("update loop26.test_clock set at = to_timestamp(%s)", (now,))

    def write(self, task_id: UUID, columns: Mapping[str, Any]) -> None:
        """Change a row as another application does."""
        changes = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in columns
        )
        query = sql.SQL("update public.tasks set {} where id = {}").format(
            changes, sql.Placeholder("_id")
        )
        self.connection.execute(query, {**columns, "_id": task_id})

    def record(self, task_id: UUID, name: str, data: Any) -> None:
        """Add a line to a task's history as another application does; a claim is the tests' own."""
        if name == "claimed":
            data = {"by": "tests", **data}
        self.connection.execute(
            "insert into public.task_events select %(id)s, max(seq) + 1, max(at), %(name)s, "
            "%(data)s from public.task_events where task_id = %(id)s",
            {"id": task_id, "name": name, "data": json.dumps(data)},
        )

    def is_json(self, text: str) -> bool:
        """Ask the database whether it takes a text for JSON."""
        found = self.connection.execute("select pg_input_is_valid(%s, 'jsonb')", (text,)).fetchone()
        return found is not None and found[0]

    def address(self, kind: str) -> str:
        """Write what `opened` reads: with the service key alone, or with a worker token, too."""
        keys = {"service": self._service_key}
        if kind == "supabase-token":
            keys |= {"anon": self._anon_key, "token": WORKER_TOKEN}
        return json.dumps({"url": self._server.rest_url, **keys})

    def store(self, kind: str) -> TaskStore:
        """Return the store of a kind that the tests of a session share."""
        if kind not in self._stores:
            self._stores[kind] = opened(self.address(kind))
        return self._stores[kind]

    def close(self) -> None:
        """Let go of the database."""
        for store in self._stores.values():
            store.close()
        self.connection.close()


def opened(address: str) -> TaskStore:
    """Open a shared queue at an address of `SharedQueue.address`."""
    told = json.loads(address)
    url = told["url"]
    operator = SupabaseStore(Access(url=url, rest_url=url, key=told["service"]))
    if "token" not in told:
        return operator
    access = Access(url=url, rest_url=url, key=told["anon"], worker_token=told["token"])
    return cast("TaskStore", DividedStore(SupabaseStore(access), operator))
