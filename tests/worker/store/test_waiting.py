"""What hangs before it commits keeps nobody from a task for ever, and is told again."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest

from tests.servers.supabase.postgrest import PostgREST
from tests.worker.store.relay import Relay
from worker.errors import Fenced, QueueUnavailable
from worker.store.base import TaskStore
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import WORKER_TOKEN_HEADER, Access

from .shared_queue import WORKER_TOKEN

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase
    from tests.worker.store.conftest import Queue

STORES = ("supabase-token",)
PATIENCE_S = 60.0  # more than any wait has a bound of


@pytest.fixture
def relay(supabase_server: "Supabase") -> Iterator[Relay]:
    """Give a relay before the database."""
    with Relay(supabase_server.postgresql.port) as made:
        yield made


@pytest.fixture
def rest(supabase_server: "Supabase", relay: Relay, tmp_path: Path) -> Iterator[PostgREST]:
    """Give another PostgREST, which reaches the database through the relay."""
    address = supabase_server.postgresql.url("queue", role="authenticator")
    address = address.replace(f":{relay.upstream}/", f":{relay.port}/")
    with PostgREST(address, supabase_server.secret, tmp_path / "rest.log") as made:
        yield made


def _operator(server: "Supabase", url: str) -> SupabaseStore:
    """Open the queue as one who waits for an answer for longer than a transaction may hang."""
    access = Access(url=url, rest_url=url, key=server.key("service_role"))
    return SupabaseStore(access, patience_s=PATIENCE_S)


def test_a_commit_that_never_comes_is_told_again(
    queue: "Queue", supabase_server: "Supabase", relay: Relay, rest: PostgREST
) -> None:
    """The database ends the transaction, and the call that is repeated settles the task."""
    task_id = queue.insert()
    token = queue.claim().token
    relay.armed.set()
    with closing(_operator(supabase_server, rest.url)) as store:
        store.complete(token, output_location="a.mp4", result={})
    assert relay.held.is_set()
    assert queue.names(task_id) == ["inserted", "claimed", "completed"]


def test_who_hangs_keeps_nobody_from_its_task(
    queue: "Queue", supabase_server: "Supabase", relay: Relay, rest: PostgREST
) -> None:
    """A PostgREST that stands still before it commits; others cancel what it has locked."""
    task_id = queue.insert()
    token = queue.claim().token
    relay.armed.set()
    with ExitStack() as ends:
        hung = ends.enter_context(closing(_operator(supabase_server, rest.url)))
        operator = ends.enter_context(closing(_operator(supabase_server, supabase_server.rest_url)))
        call = threading.Thread(target=_extend, args=(hung, token))
        call.start()
        ends.callback(call.join)
        assert relay.held.wait(PATIENCE_S)
        os.kill(rest.pid, signal.SIGSTOP)
        ends.callback(os.kill, rest.pid, signal.SIGCONT)
        assert operator.cancel(task_id) == [task_id]


def _extend(store: TaskStore, token: UUID) -> None:
    with pytest.raises(Fenced, match="cancelled"):
        store.extend(token, lease_s=60, progress=None)


@contextmanager
def _locked(queue: "Queue", task_id: UUID) -> Iterator[None]:
    """Hold the lock of a task's row, as another application does that takes its time."""
    assert queue.shared is not None
    with queue.shared.connection.transaction():
        queue.shared.connection.execute(
            "select 1 from public.tasks where id = %s for update", (task_id,)
        )
        yield


def test_a_wait_for_a_lock_ends_before_the_caller_does(queue: "Queue") -> None:
    """It is said to be the lock, and the database is asked for nothing any more."""
    task_id = queue.insert()
    token = queue.claim().token
    with (
        _locked(queue, task_id),
        pytest.raises(QueueUnavailable, match="lock timeout"),
    ):
        queue.store.extend(token, lease_s=60, progress=None)
    queue.store.extend(token, lease_s=60, progress=None)


def test_a_task_that_somebody_has_locked_keeps_no_other_from_a_sweep(queue: "Queue") -> None:
    """It is swept once it is let go of."""
    locked, other = queue.insert(), queue.insert()
    queue.claim(), queue.claim()
    queue.advance(61)
    with _locked(queue, locked):
        assert [task.id for task in queue.store.sweep(max_deaths=3)] == [other]
    assert [task.id for task in queue.store.sweep(max_deaths=3)] == [locked]


def test_a_relative_that_somebody_has_locked_keeps_no_other_from_a_sweep(queue: "Queue") -> None:
    """Of a task that would fail with its family, nothing is done until that can be done whole."""
    first = queue.insert()
    dependant = queue.insert(dependant_on=(first,))
    other = queue.insert()
    queue.claim(), queue.claim()
    queue.advance(61)
    with _locked(queue, dependant):
        assert [task.id for task in queue.store.sweep(max_deaths=1)] == [other]
    assert queue.names(first) == ["inserted", "claimed"]
    assert [task.id for task in queue.store.sweep(max_deaths=1)] == [first]


def test_nobody_waits_to_note_that_a_token_was_used(queue: "Queue") -> None:
    """Many workers may have one: a call of theirs that hangs is no matter of the others."""
    assert queue.shared is not None
    task_id = queue.insert()
    with queue.shared.connection.transaction():
        queue.shared.connection.execute("select 1 from loop26.worker_tokens for update")
        assert queue.claim().task.id == task_id


@pytest.mark.parametrize(
    ("role", "function"),
    [("anon", "loop26_queue_facts()"), ("service_role", "loop26_list_worker_tokens()")],
)
def test_every_transaction_is_bound_and_no_session_is(
    queue: "Queue", supabase_server: "Supabase", role: str, function: str
) -> None:
    """To its end, which is after the function's; a pooled session is left as it was."""
    del queue
    address = supabase_server.postgresql.url("queue", role="authenticator")
    headers = json.dumps({WORKER_TOKEN_HEADER: WORKER_TOKEN})
    claims = json.dumps({"role": role})
    with psycopg.connect(address, autocommit=True) as session:
        before = _bounds(session)
        with session.transaction():
            session.execute(f"set local role {role}")
            session.execute("select set_config('request.headers', %s, true)", (headers,))
            session.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
            session.execute(f"select {function}")  # type: ignore[call-overload]  # our own words
            assert _bounds(session) == ("2s", "10s")
        assert _bounds(session) == before == ("0", "0")


def _bounds(session: psycopg.Connection[Any]) -> tuple[str, ...]:
    names = ("lock_timeout", "idle_in_transaction_session_timeout")
    found = [session.execute("select current_setting(%s)", (name,)).fetchone() for name in names]
    return tuple(row[0] for row in found if row)
