"""Homes that share one queue: a laptop's with the secret key, and workers' with a token each."""

import contextlib
import hashlib
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tests.acceptance.home import Home, Worker, wait_for
from tests.servers.supabase.postgrest import PostgREST
from tests.servers.supabase.server import migrate
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access
from worker.task import Task

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

FOREIGN: Final = ("SUPABASE_", "AWS_")


class SharedHome(Home):
    """A home whose queue is shared.

    Args:
        path: Its folder; it is made.
        queue: What its environment says of the queue, and as whom it asks.
        operator: How the tests themselves ask the queue.
    """

    def __init__(self, path: Path, queue: dict[str, str], operator: Access) -> None:
        super().__init__(path)
        path.mkdir()
        self._operator = operator
        self.environment = {
            name: value for name, value in self.environment.items() if not name.startswith(FOREIGN)
        } | queue

    def shared_store(self) -> SupabaseStore:
        """Open the queue, as an operator."""
        return SupabaseStore(self._operator)

    def task(self, task_id: UUID) -> Task:
        """Read one task."""
        with closing(self.shared_store()) as store:
            return store.get(task_id)

    def children(self, task_id: UUID) -> list[Task]:
        """Read an orchestrator's children, in the order of their insertion."""
        with closing(self.shared_store()) as store:
            return store.list_tasks(parent_id=task_id)

    def told(self, task_id: UUID) -> list[str]:
        """Return the names of a task's events, oldest first."""
        with closing(self.shared_store()) as store:
            return [event.name for event in store.events(task_id)]


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A queue in a database of its own, and the homes of those who share it.

    Attributes:
        server: Where the queue is.
        name: Of its database.
        url: Its PostgREST's address.
        folder: The homes are made in it.
        homes: Those that were made.
    """

    server: "Supabase"
    name: str
    url: str
    folder: Path
    homes: list[SharedHome]

    @property
    def access(self) -> Access:
        """How an operator asks the queue."""
        return Access(url=self.url, rest_url=self.url, key=self.server.key("service_role"))

    def add_token(self, kind: str) -> None:
        """Let a token in that is the name of its kind; it may be revoked, expired or unknown."""
        if kind == "unknown":
            return
        with self.server.connect(self.name) as connection:
            connection.execute(
                "insert into loop26.worker_tokens "
                "(name, sha256, created_at, revoked_at, expires_at) "
                "values (%s, %s, now(), %s, %s) on conflict (name) do update set "
                "sha256 = excluded.sha256, revoked_at = excluded.revoked_at, "
                "expires_at = excluded.expires_at",
                (
                    kind,
                    hashlib.sha256(kind.encode()).digest(),
                    "2026-01-01" if kind == "revoked" else None,
                    "2026-01-01" if kind == "expired" else None,
                ),
            )

    def laptop(self, name: str = "laptop") -> SharedHome:
        """Make a home with the secret key."""
        return self._home(name, {"SUPABASE_SECRET_KEY": self.server.key("service_role")})

    def worker(self, name: str, token: str) -> SharedHome:
        """Make a home with a worker's token, and nothing else."""
        keys = {
            "SUPABASE_PUBLISHABLE_KEY": self.server.key("anon"),
            "LOOP26_WORKER_TOKEN": token,
            "LOOP26_WORKER_NAME": name,
        }
        return self._home(name, keys)

    def _home(self, name: str, keys: dict[str, str]) -> SharedHome:
        where = {"SUPABASE_URL": self.url, "LOOP26_SUPABASE_REST_URL": self.url}
        made = SharedHome(self.folder / name, where | keys, self.access)
        self.homes.append(made)
        return made


@dataclass(frozen=True, kw_only=True)
class Working:
    """A fleet at work, and what has come of the first journey."""

    fleet: Fleet
    laptop: SharedHome
    tokens: tuple[str, ...]
    homes: tuple[SharedHome, ...]
    workers: tuple[Worker, ...]
    journey: UUID

    @property
    def ids(self) -> list[UUID]:
        """The ids of its tasks."""
        return [task.id for task in self.tasks]

    @property
    def tasks(self) -> list[Task]:
        """The journey's orchestrator, its segments and its stitch."""
        return [self.laptop.task(self.journey), *self.laptop.children(self.journey)]

    def ended(self, task_id: UUID) -> Task:
        """Wait until a task has ended."""

        def found() -> Task | None:
            task = self.laptop.task(task_id)
            return task if task.status.terminal else None

        task: Task = wait_for(found, f"end of {task_id}")
        return task

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Have no worker claim anything for the length of a `with` block."""
        for worker in self.workers:
            worker.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for worker in self.workers:
                worker.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def fleet_on(server: "Supabase", folder: Path, name: str) -> Iterator[Fleet]:
    """Give a migrated queue that nobody has used; what runs on it is ended at the end."""
    migrate(server.create_database(name))
    address = server.postgresql.url(name, role="authenticator")
    log = server.postgresql.folder / f"{name}.log"
    with PostgREST(address, server.secret, log) as rest:
        fleet = Fleet(server=server, name=name, url=rest.url, folder=folder, homes=[])
        try:
            yield fleet
        finally:
            for home in fleet.homes:
                home.close()
