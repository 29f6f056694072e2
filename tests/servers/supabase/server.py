"""What a worker needs of a Supabase project, made of a PostgreSQL and a PostgREST.

Run as a module it fetches both into the user's cache, and says what it did.
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from contextlib import ExitStack
from typing import Any, Self

import psycopg

from tests.servers.cache import Unavailable
from tests.servers.supabase.postgresql import PostgreSQL
from tests.servers.supabase.postgrest import PostgREST, fetched

DATABASE = "queue"


class Supabase:
    """A running pair of servers over one migrated database, to be used in a `with` block.

    Raises `Unavailable` where they cannot be had.

    Attributes:
        secret: What its keys are signed with.
    """

    def __init__(self) -> None:
        fetched()
        self.postgresql = PostgreSQL()
        self.secret = secrets.token_urlsafe(48)
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            ends.enter_context(self.postgresql)
            self.create_database(DATABASE)
            migrate(self.database_url)
            address = self.postgresql.url(DATABASE, role="authenticator")
            log = self.postgresql.folder / "postgrest.log"
            self.rest = ends.enter_context(PostgREST(address, self.secret, log))
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.close()

    @property
    def database_url(self) -> str:
        """The address of the database, for its owner."""
        return self.postgresql.url(DATABASE)

    @property
    def rest_url(self) -> str:
        """Where PostgREST answers."""
        return self.rest.url

    def key(self, role: str, **claims: str) -> str:
        """Make a key, as a project has one for `anon`, one for `service_role`, and users have."""
        head = _part({"alg": "HS256", "typ": "JWT"})
        times = {"iat": 1_700_000_000, "exp": 4_000_000_000}
        body = _part({"role": role, "iss": "supabase", **times, **claims})
        signed = f"{head}.{body}"
        signature = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_base64(signature)}"

    def connect(self, database: str = DATABASE, **options: Any) -> psycopg.Connection[Any]:
        """Connect as the database's owner."""
        return self.postgresql.connect(database, **options)

    def create_database(self, name: str) -> str:
        """Make an empty database; return its address."""
        with self.postgresql.connect() as connection:
            connection.execute(f'create database "{name}"')
        return self.postgresql.url(name)

    def restart_database(self) -> None:
        """Restart PostgreSQL: every session is cut off, what was committed is kept."""
        self.postgresql.restart()

    def kill_database(self) -> None:
        """Kill PostgreSQL without a word, and start it: it recovers what was committed."""
        self.postgresql.kill()
        self.postgresql.start()

    def restart_rest(self) -> None:
        """Restart PostgREST, and wait until it answers."""
        self.rest.restart()

    def kill_rest(self) -> None:
        """Kill PostgREST in the midst of its requests, start it and wait until it answers."""
        self.rest.kill()
        self.rest.start()


def migrate(database_url: str) -> None:
    """Give a database the schema of this version, as `loop26 migrate` does."""
    from worker.store.supabase import migrating  # what it imports takes its time

    migrating.migrate(database_url, lambda _: None, lambda _: None)


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main() -> None:
    """Fetch the servers, start them once, and say what was done."""
    began = time.monotonic()
    try:
        made = Supabase()
    except Unavailable as reason:
        sys.exit(f"PostgreSQL and PostgREST: {reason}")
    fetched_s = time.monotonic() - began
    with made, made.connect() as connection:
        found = connection.execute("show server_version").fetchone()
    version = found[0] if found else "unknown"
    print(
        f"PostgreSQL {version} and PostgREST are there after {fetched_s:.1f} s, "
        f"started and ended after {time.monotonic() - began:.1f} s"
    )


if __name__ == "__main__":
    main()
