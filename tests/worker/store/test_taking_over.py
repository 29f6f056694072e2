"""The queue of an application that had workers before is taken over, and nothing of it changes."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from tests.servers.supabase.server import migrate
from worker.doctor.database import examine_database
from worker.doctor.finding import Verdict
from worker.errors import InvalidTask, QueueError
from worker.store.base import ClaimRequest
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import WORKER_TOKEN_HEADER, Access
from worker.task import Failure, NewTask, TaskStatus

from .other_databases import Database, database_like_supabase, empty_database
from .shared_queue import WORKER_TOKEN
from .test_rights import CALLS, OF_WORKERS, ROLES, TABLES, TOKENS

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

PROJECT: Final = UUID(int=0xAA)
OF_BEFORE: Final = (
    "select id, task_type, params, status::text, dependant_on, output_location, error_message, "
    "attempts, worker_id, project_id, created_at, updated_at, generation_started_at, "
    "generation_processed_at, result_data, idempotency_key, shot from tasks order by id"
)
TRIGGERS: Final = (
    "select tgname::text, tgenabled::text from pg_trigger where not tgisinternal and tgname in "
    "('on_change', 'when_replicated', 'switched_off') order by tgname"
)


@pytest.fixture(params=["superuser", "project"], scope="module")
def empty(request: pytest.FixtureRequest, supabase_server: "Supabase") -> Database:
    """An empty database of the superuser's, and one as a Supabase project has it."""
    make = {"superuser": empty_database, "project": database_like_supabase}[request.param]
    return make(supabase_server)


@pytest.fixture(params=["text", "enum"])
def old(request: pytest.FixtureRequest, supabase_server: "Supabase") -> Database:
    """The database of an application, in a Supabase project, that no worker of ours has seen."""
    database = database_like_supabase(supabase_server)
    database.make_old_tasks(request.param)
    return database


@pytest.fixture
def taken_over(old: Database) -> Iterator[SupabaseStore]:
    """The queue of it, for an operator."""
    migrate(old.url)
    with old.api() as url, closing(_store(old, url)) as store:
        yield store


def _store(database: Database, url: str, token: str = "") -> SupabaseStore:
    key = database.server.key("anon" if token else "service_role")
    return SupabaseStore(Access(url=url, rest_url=url, key=key, worker_token=token))


def _add_token(database: Database, token: str, **columns: str) -> None:
    names = "".join(f", {name}" for name in columns)
    database.run(
        f"insert into loop26.worker_tokens (name, sha256, created_at{names}) "  # noqa: S608 - ours
        f"values (%s, %s, now(){', %s' * len(columns)})",
        f"of {token}",
        hashlib.sha256(token.encode()).digest(),
        *columns.values(),
    )


def _claim(store: SupabaseStore, *task_types: str) -> Any:
    return store.claim(
        ClaimRequest(
            worker_id="w",
            token=uuid4(),
            task_types=task_types or ("t2v", "i2v"),
            lease_s=60,
            trace_id="a1" * 16,
            span_id="b2" * 8,
        )
    )


def test_no_row_is_lost_or_changed(old: Database) -> None:
    """Every column of every row is as it was, and no trigger of the application has run."""
    before, triggers = old.run(OF_BEFORE), old.run(TRIGGERS)
    migrate(old.url)
    assert old.run(OF_BEFORE) == before
    assert old.run("select * from changes") == []
    assert old.run(TRIGGERS) == triggers


def test_its_policies_and_grants_are_kept(old: Database) -> None:
    """What a member of the project may do, and no more."""
    grants = "select grantee::text, privilege_type::text from information_schema.table_privileges "
    of_tasks = f"{grants} where table_name = 'tasks' order by 1, 2"
    before = old.run(of_tasks)
    migrate(old.url)
    assert old.run(of_tasks) == before
    assert old.run("select policyname::text from pg_policies") == [("tasks_of_members",)]


def test_what_rows_lack_is_filled_in(old: Database) -> None:
    """Whose child one is, which model it wants and what it waits for: claims and cascades ask."""
    migrate(old.url)
    [row] = old.run("select parent_id from tasks where id = %s", UUID(int=2))
    assert row == (UUID(int=1),)
    assert old.run("select model, waits_for from tasks where id = %s", UUID(int=5)) == [
        ("tiny_t2v", [])
    ]
    assert old.run("select waits_for from tasks where id = %s", UUID(int=6)) == [([UUID(int=5)],)]


def test_rows_that_wait_for_what_has_failed_are_taken_over_as_they_are(old: Database) -> None:
    """And those with a hole among what they wait for; the doctor lists what can never start."""
    needs = "update tasks set dependant_on = array[%s, null, %s]::uuid[] where id = %s"
    old.run(needs, UUID(int=2), UUID(int=1), UUID(int=6))
    migrate(old.url)
    assert old.run("select waits_for from tasks where id = %s", UUID(int=6)) == [([UUID(int=2)],)]


def test_a_worker_works_on_it(old: Database, taken_over: SupabaseStore) -> None:
    """What is Queued, in its order, by a token alone; then the task that waited for it."""
    _add_token(old, WORKER_TOKEN)
    with closing(_store(old, taken_over._access.url, WORKER_TOKEN)) as worker:
        first = _claim(worker)
        assert (first.task.id, first.task.attempts) == (UUID(int=5), 1)
        assert _claim(worker) is None
        worker.complete(first.token, output_location="https://x/5.mp4", result={})
        second = _claim(worker)
        assert second.task.id == UUID(int=6)
        assert {one.output_location for one in second.dependencies} == {
            "https://x/a.mp4",
            "https://x/5.mp4",
        }
        worker.complete(second.token, output_location="https://x/6.mp4", result={})
    complete = taken_over.list_tasks(statuses=[TaskStatus.COMPLETE])
    assert [task.id.int for task in complete] == [8, 6, 5, 1]


@pytest.mark.parametrize("old", ["enum"], indirect=True)
def test_a_journey_that_was_begun_goes_on(taken_over: SupabaseStore) -> None:
    """Its orchestrator is In Progress and waits; the last child completes it."""
    last = _claim(taken_over, "travel_segment")
    assert (last.task.id, last.task.parent_id) == (UUID(int=9), UUID(int=7))
    taken_over.complete(last.token, output_location="https://x/9.mp4", result={})
    assert taken_over.get(UUID(int=7)).status is TaskStatus.COMPLETE


@pytest.mark.parametrize("old", ["enum"], indirect=True)
def test_an_operator_works_with_it(taken_over: SupabaseStore) -> None:
    """Lists every row, inserts, and takes back what the workers of before left."""
    assert len(taken_over.list_tasks()) == 9
    new = NewTask(task_type="t2v", params={}, project_id=PROJECT)
    assert taken_over.insert([new]) == [new.id]
    diagnosis = taken_over.diagnose()
    assert diagnosis.tasks["without_lease"].ids == (str(UUID(int=4)),)
    assert taken_over.cancel(UUID(int=4), reason="left by a worker") == [UUID(int=4)]


def test_texts_of_any_length_break_nothing(old: Database) -> None:
    """Of the model that a finished row names, in what is taken over and in what ends later."""
    name = "".join(f"{uuid4()}" for _ in range(333))
    named = (
        "update tasks set params = jsonb_build_object('model', %s::text, 'model_name', %s::text)"
    )
    old.run(f"{named} where status in ('Complete', 'Queued')", name, name)
    migrate(old.url)
    with old.api() as url, closing(_store(old, url)) as store:
        claim = _claim(store)
        store.complete(claim.token, output_location="https://x/5.mp4", result={})
        assert store.get(claim.task.id).status is TaskStatus.COMPLETE
        claim = _claim(store)
        failure = Failure(
            kind="exception", type="E", message="x", sentence="It failed.", fingerprint=name
        )
        store.fail(claim.token, failure)
        assert [one.task_id for one in store.failures(fingerprint=name)] == [claim.task.id]


@pytest.mark.parametrize("field", ["task_type", "idempotency_key"])
def test_what_an_index_cannot_hold_is_refused_in_one_line(old: Database, field: str) -> None:
    """By the store, with the reason; no task type and no key that anybody uses is so long."""
    migrate(old.url)
    name = "".join(f"{uuid4()}" for _ in range(333))
    given: dict[str, Any] = {"task_type": "t2v", "params": {}, "project_id": PROJECT, field: name}
    with (
        old.api() as url,
        closing(_store(old, url)) as store,
        pytest.raises((QueueError, InvalidTask), match="index row") as refusal,
    ):
        store.insert([NewTask(**given)])
    assert "\n" not in str(refusal.value)


def test_a_table_without_row_security_stays_open_to_whom_it_was(
    supabase_server: "Supabase",
) -> None:
    """It gets row security, with a policy that the doctor warns of: applications go on working."""
    database = database_like_supabase(supabase_server)
    database.make_old_tasks("text")
    database.run(
        "drop policy tasks_of_members on tasks; alter table tasks disable row level security"
    )
    migrate(database.url)
    headers = {"Authorization": f"Bearer {supabase_server.key('anon')}"}
    with database.api() as url, closing(_store(database, url)) as store:
        assert len(httpx.get(f"{url}/tasks", headers=headers).json()) == 9
        assert httpx.get(f"{url}/workers", headers=headers).is_error
        [warning] = [
            one for one in examine_database(store.diagnose()) if one.verdict is not Verdict.OK
        ]
    assert "loop26_open_as_before" in warning.found
    assert database.run("select relrowsecurity from pg_class where relname = 'tasks'") == [(True,)]


def test_rights_hold_whoever_owns_the_database(empty: Database) -> None:
    """The whole matrix, over defaults that give everything in public to everybody."""
    migrate(empty.url)
    _add_token(empty, "good")
    _add_token(empty, "revoked", revoked_at="2026-01-01")
    _add_token(empty, "expired", expires_at="2026-01-01")
    empty.run("insert into tasks (task_type) values ('no worker knows it')")
    allowed: dict[tuple[str, str], set[str]] = {}
    with empty.api() as url, httpx.Client(base_url=url, timeout=20) as http:
        for role in ROLES:
            for kind in TOKENS:
                headers = {
                    "Authorization": f"Bearer {empty.server.key(role)}",
                    WORKER_TOKEN_HEADER: kind,
                }
                allowed[role, kind] = {
                    name
                    for name, told in CALLS.items()
                    if http.post(f"/rpc/{name}", json=told, headers=headers).is_success
                } | {
                    f"{how} {table}"
                    for table, row in zip(TABLES, _ROWS, strict=True)
                    for how in ("GET", "POST", "PATCH", "DELETE")
                    if http.request(
                        how, f"/{table}", json=None if how == "GET" else row, headers=headers
                    ).is_success
                }
    written = {f"{how} tasks" for how in ("POST", "PATCH", "DELETE")}
    read = {f"GET {table}" for table in TABLES}
    operators, workers = set(CALLS) | read | written, OF_WORKERS
    assert allowed == {
        (role, kind): operators
        if role == "service_role"
        else (workers if kind == "good" else set())
        for role in ROLES
        for kind in TOKENS
    }


_ROWS: Final[tuple[dict[str, Any], ...]] = ({"task_type": "x"}, {"id": "w1"}, {"seq": 9})


def test_nobody_may_more_than_is_said_by_the_database_itself(empty: Database) -> None:
    """Sequences, TRUNCATE and the inner schema too, which no address of the API leads to."""
    migrate(empty.url)
    with psycopg.connect(
        empty.server.postgresql.url(empty.name, role="authenticator"), autocommit=True
    ) as session:
        for role in ("anon", "authenticated"):
            session.execute(f"set role {role}")
            for statement in (
                "truncate public.tasks",
                "truncate public.task_events",
                "select nextval('public.tasks_seq_seq')",
                "select * from loop26.worker_tokens",
                "select loop26.now()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement)
