"""Who may do what with a shared queue: every caller against every function and every table."""

import hashlib
import itertools
import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import httpx
import pytest

from worker.errors import Fenced, InvalidTask, QueueForbidden
from worker.store.supabase import SupabaseStore, migrations
from worker.store.supabase.connection import WORKER_TOKEN_HEADER, Access
from worker.task import Failure, NewTask, TaskStatus

from .shared_queue import WORKER_TOKEN, SharedQueue

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase
    from tests.worker.store.conftest import Queue

STORES = ("supabase-token",)
ROLES: Final = ("anon", "authenticated", "service_role")
TOKENS: Final = ("none", "good", "unknown", "revoked", "expired")
TABLES: Final = ("tasks", "workers", "task_events")
NOBODY: Final = str(uuid4())

# A call of every function that would do something, were it allowed.
CALLS: Final[dict[str, dict[str, Any]]] = {
    "loop26_cancel_task": {"p_id": NOBODY},
    "loop26_claim_task": {
        "p_worker_id": "w",
        "p_token": NOBODY,
        "p_task_types": ["no such type"],
        "p_lease_s": 60,
        "p_trace_id": "a1" * 16,
        "p_span_id": "b2" * 8,
    },
    "loop26_complete_task": {"p_token": NOBODY, "p_output_location": "x", "p_result": {}},
    "loop26_count_queued_tasks": {"p_task_types": ["t2v"]},
    "loop26_create_worker_token": {"p_name": "stolen", "p_sha256": "00" * 32},
    "loop26_diagnose_queue": {},
    "loop26_extend_lease": {"p_token": NOBODY, "p_lease_s": 60},
    "loop26_fail_task": {"p_token": NOBODY, "p_failure": {}},
    "loop26_find_tasks": {"p_prefix": "0"},
    "loop26_get_task": {"p_id": NOBODY},
    "loop26_get_task_of_key": {"p_idempotency_key": "k"},
    "loop26_has_open_tasks": {"p_task_types": ["t2v"]},
    "loop26_insert_tasks": {"p_tasks": []},
    "loop26_last_complete_task": {"p_task_type": "t2v"},
    "loop26_list_dead_letters": {"p_limit": 1},
    "loop26_list_events": {"p_task_id": NOBODY},
    "loop26_list_failures": {},
    "loop26_list_tasks": {},
    "loop26_list_untold_failures": {"p_limit": 1},
    "loop26_list_worker_tokens": {},
    "loop26_mark_started": {"p_token": NOBODY},
    "loop26_queue_facts": {},
    "loop26_record_death": {"p_token": NOBODY, "p_failure": {}, "p_max_deaths": 3},
    "loop26_record_worker": {
        "p_worker_id": "w",
        "p_status": "idle",
        "p_current_model": None,
        "p_metadata": {},
    },
    "loop26_release_task": {"p_token": NOBODY, "p_reason": "", "p_give_back": True},
    "loop26_revoke_worker_token": {"p_name": "nobody"},
    "loop26_spawn_children": {"p_token": NOBODY, "p_children": [], "p_result": {}},
    "loop26_sweep_leases": {"p_max_deaths": 3},
}
OF_WORKERS: Final = {
    "loop26_claim_task",
    "loop26_complete_task",
    "loop26_count_queued_tasks",
    "loop26_extend_lease",
    "loop26_fail_task",
    "loop26_get_task",
    "loop26_has_open_tasks",
    "loop26_list_events",
    "loop26_mark_started",
    "loop26_queue_facts",
    "loop26_record_death",
    "loop26_record_worker",
    "loop26_release_task",
    "loop26_spawn_children",
    "loop26_sweep_leases",
}


@pytest.fixture
def rights(shared_queue: SharedQueue) -> SharedQueue:
    """A queue with a row in every table, and a worker token of every kind."""
    shared_queue.empty()
    shared_queue.set_clock(1_770_000_000.0)
    run = shared_queue.connection.execute
    for kind in ("revoked", "expired"):
        run(
            "insert into loop26.worker_tokens (name, sha256, created_at, expires_at, revoked_at) "
            "values (%s, %s, now(), %s, %s)",
            (
                kind,
                hashlib.sha256(kind.encode()).digest(),
                "2026-01-01" if kind == "expired" else None,
                "2026-01-01" if kind == "revoked" else None,
            ),
        )
    run("insert into public.tasks (task_type) values ('t2v')")
    run("insert into public.workers (id, status, last_heartbeat) values ('w0', 'idle', now())")
    return shared_queue


@pytest.fixture
def http(supabase_server: "Supabase") -> Iterator[httpx.Client]:
    """The API, as anybody reaches it."""
    with httpx.Client(base_url=supabase_server.rest_url, timeout=20) as client:
        yield client


def _headers(server: "Supabase", role: str, kind: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {server.key(role)}"}
    if kind != "none":
        headers[WORKER_TOKEN_HEADER] = WORKER_TOKEN if kind == "good" else kind
    return headers


def test_every_function_is_called_here() -> None:
    """What a migration adds is held against the matrix, or this fails."""
    made = {name for each in migrations.known() for name in each.functions}
    assert {name for name in made if name.startswith("loop26_")} == set(CALLS)


@pytest.mark.parametrize(("role", "kind"), list(itertools.product(ROLES, TOKENS)), ids=str)
def test_only_what_is_granted_may_be_called(
    rights: SharedQueue, supabase_server: "Supabase", http: httpx.Client, role: str, kind: str
) -> None:
    """Workers with a good token what is for workers, operators everything, others nothing."""
    del rights
    headers = _headers(supabase_server, role, kind)
    allowed = {
        name
        for name, arguments in CALLS.items()
        if http.post(f"/rpc/{name}", json=arguments, headers=headers).is_success
    }
    if role == "service_role":
        assert allowed == set(CALLS)
    else:
        assert allowed == (OF_WORKERS if kind == "good" else set())


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_refusal_is_by_right_and_not_by_chance(
    rights: SharedQueue, supabase_server: "Supabase", http: httpx.Client, name: str
) -> None:
    """Without a token: 401 of what is for workers, and the grant's own answer of the rest."""
    del rights
    headers = _headers(supabase_server, "authenticated", "none")
    answer = http.post(f"/rpc/{name}", json=CALLS[name], headers=headers)
    expected = (401, "PT401") if name in OF_WORKERS else (403, "42501")
    assert (answer.status_code, answer.json()["code"]) == expected


@pytest.mark.parametrize(("role", "token", "table"), list(itertools.product(ROLES, TOKENS, TABLES)))
def test_tables_are_open_to_the_service_role_alone(
    rights: SharedQueue,
    supabase_server: "Supabase",
    http: httpx.Client,
    role: str,
    token: str,
    table: str,
) -> None:
    """Nobody reads or writes a row; the service role reads all, and writes tasks, as apps do."""
    headers = _headers(supabase_server, role, token)
    row = {"tasks": {"task_type": "t2v"}, "workers": {"id": "w1"}, "task_events": {"seq": 9}}[table]
    done = {
        "read": http.get(f"/{table}?select=*", headers=headers),
        "insert": http.post(f"/{table}", json=row, headers=headers),
        "change": http.patch(f"/{table}", json=row, headers=headers),
        "delete": http.delete(f"/{table}", headers=headers),
    }
    allowed = {what for what, answer in done.items() if answer.is_success}
    if role != "service_role":
        assert allowed == set()
        (count,) = rights.connection.execute(f"select count(*) from {table}").fetchone() or (0,)  # noqa: S608 - ours
        assert count == 1
    else:
        assert allowed == (set(done) if table == "tasks" else {"read"})


@pytest.mark.parametrize("role", ROLES)
def test_the_inner_schema_is_at_no_address(
    rights: SharedQueue, supabase_server: "Supabase", http: httpx.Client, role: str
) -> None:
    """Neither its tables nor its functions, whoever asks."""
    del rights
    headers = _headers(supabase_server, role, "good")
    inner = {**headers, "Accept-Profile": "loop26", "Content-Profile": "loop26"}
    answers = [
        http.get("/worker_tokens", headers=headers),
        http.get("/worker_tokens", headers=inner),
        http.post("/rpc/end_task", json={}, headers=headers),
        http.post("/rpc/authorize_worker", json={}, headers=inner),
    ]
    assert [answer.is_success for answer in answers] == [False] * 4


def test_a_token_settles_what_it_has_claimed_and_nothing_else(
    rights: SharedQueue, supabase_server: "Supabase", queue: "Queue", failure: "Failure"
) -> None:
    """Even with the claim's own token, which a thief may have seen, another worker is refused."""
    rights.connection.execute(
        "insert into loop26.worker_tokens (name, sha256, created_at) values ('thief', %s, now())",
        (hashlib.sha256(b"thief").digest(),),
    )
    task_id = queue.insert()
    claim = queue.claim()
    url, key = supabase_server.rest_url, supabase_server.key("anon")
    access = Access(url=url, rest_url=url, key=key, worker_token="thief")  # noqa: S106 - nobody's
    with closing(SupabaseStore(access)) as thief:
        with pytest.raises(Fenced, match="no task was ever claimed with it"):
            thief.complete(claim.token, output_location="mine.mp4", result={})
        with pytest.raises(Fenced):
            thief.fail(claim.token, failure)
        assert thief.events(task_id) == []
        with pytest.raises(QueueForbidden):
            thief.cancel(task_id)
    queue.complete(claim)


def test_what_a_token_asks_for_is_kept_within_limits(
    rights: SharedQueue, supabase_server: "Supabase"
) -> None:
    """A thief cannot hold a task for a year, nor have others' tasks fail at their first death."""
    rights.connection.execute("insert into public.tasks (task_type) values ('i2v')")
    headers = _headers(supabase_server, "anon", "good")
    url = supabase_server.rest_url
    claim = {**CALLS["loop26_claim_task"], "p_task_types": ["i2v"], "p_lease_s": 1e9}
    assert httpx.post(f"{url}/rpc/loop26_claim_task", json=claim, headers=headers).is_success
    left = "select extract(epoch from lease_expires_at - loop26.now())::integer from tasks"
    query = f"{left} where worker_id = 'w'"
    (lease_s,) = rights.connection.execute(query).fetchone() or (0,)
    assert lease_s == 3600


@pytest.fixture
def worker(rights: SharedQueue, supabase_server: "Supabase") -> Iterator[SupabaseStore]:
    """A worker with a good token, in a queue whose limits are the default's."""
    rights.connection.execute("update loop26.limits set sweep_as_asked = false")
    url, key = supabase_server.rest_url, supabase_server.key("anon")
    access = Access(url=url, rest_url=url, key=key, worker_token=WORKER_TOKEN)
    with closing(SupabaseStore(access)) as made:
        yield made
    rights.connection.execute("update loop26.limits set sweep_as_asked = true")


@pytest.mark.parametrize(
    ("child", "said"),
    [
        ({"task_type": "generate_video"}, "no part of a journey"),
        ({"idempotency_key": "retry/1"}, "begins with"),
        ({"dependant_on": (UUID(NOBODY),)}, "of this journey"),
    ],
)
def test_a_worker_plans_a_journey_and_nothing_else(
    worker: SupabaseStore, queue: "Queue", child: dict[str, Any], said: str
) -> None:
    """By the children of what it holds it reaches neither other work nor what others have left."""
    queue.insert("travel_orchestrator")
    token = queue.claim(task_types=["travel_orchestrator"]).token
    planned = NewTask(**{"task_type": "travel_segment", "params": {}, **child})
    with pytest.raises(InvalidTask, match=said):
        worker.spawn(token, [planned], result={})


def test_only_an_orchestrator_has_children(worker: SupabaseStore, queue: "Queue") -> None:
    """A worker that holds anything else inserts nothing by it."""
    queue.insert("i2v")
    token = queue.claim(task_types=["i2v"]).token
    with pytest.raises(InvalidTask, match="has no children"):
        worker.spawn(token, [NewTask(task_type="travel_segment", params={})], result={})


def test_a_child_is_of_its_orchestrators_project(worker: SupabaseStore, queue: "Queue") -> None:
    """Whatever the worker says."""
    project = uuid4()
    queue.insert("travel_orchestrator", project_id=project)
    token = queue.claim(task_types=["travel_orchestrator"]).token
    stolen = NewTask(task_type="travel_segment", params={}, project_id=uuid4())
    (child,) = worker.spawn(token, [stolen], result={})
    assert queue.store.get(child).project_id == project


def test_a_sweep_by_a_worker_goes_by_the_queues_limits(
    worker: SupabaseStore, queue: "Queue"
) -> None:
    """It can neither fail others' tasks at their first death, nor read them."""
    task_id = queue.insert("i2v", params={"prompt": "a lake"})
    queue.claim(task_types=["i2v"])
    queue.advance(61)
    (swept,) = worker.sweep(max_deaths=1, by_type={"i2v": 1})
    assert (swept.id, swept.params, swept.worker_id) == (task_id, {}, "worker-1")
    assert queue.status(task_id) is TaskStatus.QUEUED


def test_a_claim_without_a_token_takes_nothing(
    rights: SharedQueue, supabase_server: "Supabase", http: httpx.Client
) -> None:
    """No lease of nobody's, that nobody could settle."""
    headers = _headers(supabase_server, "anon", "good")
    claim = {**CALLS["loop26_claim_task"], "p_token": None, "p_task_types": ["t2v"]}
    assert http.post("/rpc/loop26_claim_task", json=claim, headers=headers).status_code == 400
    query = "select count(*) from tasks where status = 'Queued'"
    assert rights.connection.execute(query).fetchone() == (1,)


def test_what_a_worker_says_of_itself_has_a_size(worker: SupabaseStore) -> None:
    """It may say it as often as it likes."""
    with pytest.raises(InvalidTask, match="larger than 64 KiB"):
        worker.record_worker(
            "w", status="idle", current_model=None, metadata={"x": secrets.token_hex(100_000)}
        )


def test_a_claim_that_is_over_fills_no_history(worker: SupabaseStore, queue: "Queue") -> None:
    """However often somebody calls with it."""
    task_id = queue.insert("i2v")
    claim = queue.claim(task_types=["i2v"])
    queue.complete(claim)
    for _ in range(30):
        with pytest.raises(Fenced):
            worker.extend(claim.token, lease_s=60, progress=None)
    assert queue.names(task_id).count("refused") == 20


def test_what_is_told_of_an_attempt_is_cut_where_it_fills_the_disk(
    worker: SupabaseStore, queue: "Queue"
) -> None:
    """The settle stands, and what names the failure is kept."""
    task_id = queue.insert("i2v")
    claim = queue.claim(task_types=["i2v"])
    told = Failure(
        kind="exception",
        type="LookupError",
        message="m" * 500_000,
        sentence="It is not there.",
        file="/app/own.py",
        line=26,
        caused_by={"all": "x" * 500_000},
    )
    worker.fail(claim.token, told)
    error = queue.store.get(task_id).error or {}
    assert (error["type"], error["file"], error["line"]) == ("LookupError", "/app/own.py", 26)
    assert error["message"] == "m" * 2000
    assert "caused_by" not in error
    assert queue.status(task_id) is TaskStatus.FAILED


def test_a_start_that_is_told_again_and_again_fills_no_history(
    worker: SupabaseStore, queue: "Queue"
) -> None:
    """Its time is set all the same."""
    task_id = queue.insert("i2v")
    claim = queue.claim(task_types=["i2v"])
    for _ in range(25):
        worker.mark_started(claim.token)
    queue.advance(5)
    worker.mark_started(claim.token)
    assert queue.names(task_id).count("started") == 20
    started_at = queue.store.get(task_id).generation_started_at
    assert started_at is not None
    assert started_at.timestamp() == queue.clock.now


def test_a_token_has_a_thousand_workers_at_the_most(worker: SupabaseStore, queue: "Queue") -> None:
    """It may call itself anything: those that were heard of last stay."""
    assert queue.shared is not None
    queue.shared.connection.execute(
        "insert into public.workers (id, status, last_heartbeat, token_name) "
        "select 'w' || number, 'idle', loop26.now() - make_interval(secs => number), 'tests' "
        "from generate_series(1, 1500) as number"
    )
    worker.record_worker("w7", status="busy", current_model=None, metadata={})
    worker.record_worker("new", status="idle", current_model=None, metadata={})
    found = queue.shared.connection.execute("select id from workers").fetchall()
    assert {name for (name,) in found} == {"new", *(f"w{number}" for number in range(1, 1000))}


def test_workers_that_are_long_gone_make_room(worker: SupabaseStore, queue: "Queue") -> None:
    """Those of the same token; each start of a worker is a new one."""
    assert queue.shared is not None
    told: dict[str, Any] = {"status": "idle", "current_model": None, "metadata": {}}
    queue.shared.connection.execute(
        "insert into public.workers (id, status, last_heartbeat, token_name) "
        "values ('of-another', 'idle', '2020-01-01', 'another')"
    )
    worker.record_worker("of-before", **told)
    queue.advance(31 * 86_400)
    worker.record_worker("of-now", **told)
    found = queue.shared.connection.execute("select id from workers order by id").fetchall()
    assert [name for (name,) in found] == ["of-another", "of-now"]
