"""Everything fails at once and again, workers are killed: no task is lost, doubled or orphaned."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.proxy import CUT_BEFORE, CUT_WITHIN, LOST, TORN, UnreliableProxy
from worker.store.supabase import SupabaseStore
from worker.store.supabase.connection import Access
from worker.task import NewTask

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

WORKERS = 8
# A journey is four: its orchestrator, two segments and their stitch.
SINGLES_AT_ONCE = 6
TASKS_AT_ONCE = SINGLES_AT_ONCE + 4
ODDS = {CUT_BEFORE: 0.01, CUT_WITHIN: 0.01, LOST: 0.02, TORN: 0.01}
PAUSE_S = 0.25  # between two blows at the most
PATIENCE_S = 120
PROGRAM = Path(__file__).with_name("chaos_program.py")

# What ends a claim. A journey's orchestrator is completed by its last child, without a claim.
ENDINGS = ("released", "retried", "died", "worker_lost", "spawned")

UNSETTLED = "select count(*) from public.tasks where status <> 'Complete'"
# No task is to fail of its deaths; a worker's own word on that counts for nothing.
DEATHS_HIGH = "update loop26.limits set max_deaths = 100"
# Why something is left: the tasks with their histories, and what each session is at.
LEFT = """
    select to_jsonb(task) - 'params' || jsonb_build_object('history', (
        select jsonb_agg(to_jsonb(event) - 'task_id' order by seq) from public.task_events as event
        where event.task_id = task.id
    )) from public.tasks as task where status <> 'Complete'
"""
SESSIONS = """
    select jsonb_build_object(
        'state', state, 'for', now() - state_change, 'in_transaction', now() - xact_start,
        'waits', wait_event, 'blocked_by', pg_blocking_pids(pid), 'pid', pid, 'query', query
    ) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""
NOT_ONCE = """
    select task_id, name, count(*) from public.task_events
    where name in ('inserted', 'completed', 'spawned') group by 1, 2 having count(*) > 1
"""
TOLD = """
    select task.id, task.task_type, task.status, task.attempts, task.deaths, task.worker_id,
        task.output_location, task.claim_token, array_agg(event.name order by event.seq) as names,
        count(*) = max(event.seq) - min(event.seq) + 1 as gapless,
        array_agg(event.data ->> 'token' order by event.seq) filter (where name = 'claimed')
            as tokens,
        count(*) filter (where event.data -> 'death_taken_back' = 'true'::jsonb) as taken_back
    from public.tasks as task join public.task_events as event on event.task_id = task.id
    group by task.id
"""
CHILDREN = """
    select array_agg(child.task_type order by child.task_type) from public.tasks as task
    left join public.tasks as child on child.parent_id = task.id
    where task.task_type = 'travel_orchestrator' group by task.id
"""


class Fleet:
    """Eight workers that are started again whenever they are killed."""

    def __init__(self, program: subprocess.Popen[str], dice: random.Random) -> None:
        self._program = program
        self._dice = dice
        self._alive: list[int] = []
        self._started = 0

    def start(self) -> None:
        """Start a worker."""
        self._started += 1
        name = f"worker-{self._started}"
        self._alive.append(self._ask(start=name, seed=self._dice.getrandbits(32)))

    def kill(self) -> None:
        """Kill one of them and start another."""
        victim = self._alive.pop(self._dice.randrange(len(self._alive)))
        assert self._ask(end=victim, signal=signal.SIGKILL) == -signal.SIGKILL, "it had ended"
        self.start()

    def stop(self) -> None:
        """End all as an operator does; they must have found nothing that they do not know."""
        codes = [self._ask(end=each, signal=signal.SIGTERM) for each in self._alive]
        assert codes == [0] * WORKERS

    def _ask(self, **what: Any) -> int:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(what) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())


@contextmanager
def fleet_at(url: str, key: str, token: str, dice: random.Random) -> Iterator[Fleet]:
    """Start the workers; whatever is alive at the end is ended."""
    access = json.dumps({"url": url, "rest_url": url, "key": key, "worker_token": token})
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), access],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as program:
        fleet = Fleet(program, dice)
        for _ in range(WORKERS):
            fleet.start()
        yield fleet


class Storm:
    """What happens, in an order and at moments that the dice decide."""

    def __init__(
        self, server: "Supabase", operator: SupabaseStore, fleet: Fleet, dice: random.Random
    ) -> None:
        self._server = server
        self._operator = operator
        self._fleet = fleet
        self._dice = dice

    def rage(self, tasks: int, kills: int, restarts: int) -> Counter[str]:
        """Insert the tasks bit by bit, while everything is killed; return how often what was."""
        server = self._server
        blows: dict[Callable[[], object], int] = {
            self._insert: tasks // TASKS_AT_ONCE,
            self._fleet.kill: kills,
            server.restart_database: restarts,
            self._kill_database: restarts,
            server.restart_rest: restarts,
            server.kill_rest: restarts,
        }
        plan = [blow for blow, times in blows.items() for _ in range(times)]
        self._dice.shuffle(plan)
        self._insert()  # some work from the first blow on
        plan.remove(self._insert)
        for blow in plan:
            time.sleep(self._dice.random() * PAUSE_S)
            blow()
        return Counter({blow.__name__.strip("_"): times for blow, times in blows.items()})

    def _kill_database(self) -> None:
        self._server.kill_database()

    def _insert(self) -> None:
        singles = [NewTask(task_type="t2v", params={}) for _ in range(SINGLES_AT_ONCE)]
        self._operator.insert([NewTask(task_type="travel_orchestrator", params={}), *singles])


@pytest.fixture
def server() -> Iterator["Supabase"]:
    """Run a queue of this test's own, which is killed and restarted."""
    from tests.servers.cache import Unavailable
    from tests.servers.supabase.server import Supabase

    try:
        made = Supabase()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with made:
        yield made


def opened(server: "Supabase", url: str) -> SupabaseStore:
    """Open the queue as an operator who has patience."""
    access = Access(url=url, rest_url=url, key=server.key("service_role"))
    return SupabaseStore(access, patience_s=PATIENCE_S)


def settle_all(server: "Supabase") -> float:
    """Wait until nothing is left to do; return the seconds that it took."""
    began = time.monotonic()
    with server.connect() as connection:
        while connection.execute(UNSETTLED).fetchone() != (0,):
            if time.monotonic() - began > PATIENCE_S:
                told = [*connection.execute(LEFT), *connection.execute(SESSIONS)]
                pytest.fail("not all are complete:\n" + "\n".join(str(row) for (row,) in told))
            time.sleep(0.05)
    return time.monotonic() - began


def assert_history_adds_up(row: Any) -> None:
    """See that a task was completed once, and that each of its claims had one end."""
    told = Counter(row.names)
    assert row.gapless
    assert (told["inserted"], told["completed"]) == (1, 1)
    assert row.attempts == told["claimed"] - told["released"]
    assert row.deaths == told["died"] + told["worker_lost"] - row.taken_back
    by_claim = 1 - told["spawned"]
    assert told["claimed"] == by_claim + sum(told[name] for name in ENDINGS)
    assert row.claim_token is None
    if by_claim:
        assert row.output_location == f"/{row.tokens[-1]}.mp4"


def assert_nothing_lost_or_doubled(server: "Supabase", tasks: int) -> Counter[str]:
    """See that the queue holds what must be; return how often each event is in its history."""
    from psycopg.rows import namedtuple_row

    with server.connect(row_factory=namedtuple_row) as connection:
        rows = connection.execute(TOLD).fetchall()
        assert connection.execute(NOT_ONCE).fetchall() == []
        families = connection.execute(CHILDREN).fetchall()
    assert len(rows) == tasks
    for row in rows:
        assert_history_adds_up(row)
    tokens = Counter(token for row in rows for token in row.tokens)
    assert set(tokens.values()) == {1}
    assert {tuple(each[0]) for each in families} == {
        ("travel_segment", "travel_segment", "travel_stitch")
    }
    with closing(opened(server, server.rest_url)) as operator:
        found = operator.diagnose()
        assert {kind: each.count for kind, each in found.tasks.items() if each.count} == {}
    return Counter(name for row in rows for name in row.names)


def weather(request: pytest.FixtureRequest) -> tuple[int, int, int]:
    """How many tasks, kills, and restarts of each kind."""
    return (1000, 200, 5) if request.config.getoption("--chaos", "some") == "all" else (200, 40, 1)


@pytest.mark.timeout(1200)
def test_chaos_loses_doubles_and_orphans_nothing(
    server: "Supabase", dice: random.Random, request: pytest.FixtureRequest
) -> None:
    """Workers, database and PostgREST are killed, connections cut, answers lost, all at random."""
    tasks, kills, restarts = weather(request)
    began = time.monotonic()
    with (
        UnreliableProxy(server.rest_url, odds=ODDS) as proxy,
        closing(opened(server, proxy.url)) as operator,
    ):
        with server.connect() as connection:
            connection.execute(DEATHS_HIGH)
        token = operator.tokens.create("of the chaos", expires_at=None)
        with fleet_at(proxy.url, server.key("anon"), token, dice) as fleet:
            done = Storm(server, operator, fleet, dice).rage(tasks, kills, restarts)
            stormy_s = time.monotonic() - began
            settle_s = settle_all(server)
            fleet.stop()
    told = assert_nothing_lost_or_doubled(server, tasks)
    print(
        f"{tasks} tasks, {dict(done)}, {dict(proxy.met)} at the proxy; events {dict(told)}; "
        f"{stormy_s:.1f} s of storm, all settled {settle_s:.1f} s later"
    )
