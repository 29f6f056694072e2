"""How many rows the functions of the shared queue read: as few in a large queue as in a small."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from worker.task import TASK_TYPES

from .shared_queue import SharedQueue

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

STORES = ("supabase",)
FEW = 20
# Finished ones, such as wait for a worker, and such as wait for another task.
LARGE = """
    insert into public.tasks (task_type, status, model, dependant_on)
    select 't2v', status, 'of-others', needed
    from (values
        ('Complete', '{}'::uuid[], 5000),
        ('Queued', '{}', 2000),
        ('Queued', array[gen_random_uuid()], 2000)
    ) as kind (status, needed, count), generate_series(1, kind.count)
"""
READ = """
    select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables
    where schemaname = 'public' and relname = %s
"""
CLAIM = "select public.loop26_claim_task('w', %s, %s, 60, %s, %s, %s)"


@pytest.fixture
def large(shared_queue: SharedQueue, queue: "Queue") -> psycopg.Connection[Any]:
    """The database of a queue that is large."""
    del queue  # it is emptied for this test
    shared_queue.connection.execute(LARGE)
    return shared_queue.connection


def _claim(database: psycopg.Connection[Any], model: str | None = None) -> UUID:
    token = uuid4()
    asked = (token, list(TASK_TYPES), "a1" * 16, "b2" * 8, model)
    assert database.execute(CLAIM, asked).fetchone() != (None,)
    return token


class Reading:
    """Counts the rows of tables that are read in a `with` block, which is one transaction."""

    def __init__(self, database: psycopg.Connection[Any]) -> None:
        self._database = database
        self._ends = ExitStack()
        self._before: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._ends.enter_context(self._database.transaction())
        # What the session has read before is there until the server has taken it down.
        self._before = {table: self._so_far(table) for table in ("tasks", "task_events")}
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.__exit__(*exception)

    def of(self, table: str) -> int:
        """Return how many rows of a table were read."""
        return self._so_far(table) - self._before[table]

    def _so_far(self, table: str) -> int:
        found = self._database.execute(READ, (table,)).fetchone()
        assert found is not None
        return int(found[0])


@pytest.mark.parametrize("model", [None, "of-others", "of-nobody"])
def test_a_claim_reads_few_rows(large: psycopg.Connection[Any], model: str | None) -> None:
    """Whatever model is loaded; neither what is finished nor what waits is read."""
    large.execute("analyze public.tasks")
    for _ in range(8):  # a plan is kept from the sixth on, whatever it is asked for
        with Reading(large) as read:
            _claim(large, model)
            assert (read.of("tasks") < FEW, read.of("task_events") < FEW) == (True, True)


def test_a_settle_reads_few_rows(large: psycopg.Connection[Any]) -> None:
    """It finds its claim, and whoever waited for the task, by index."""
    token = _claim(large)
    with Reading(large) as read:
        large.execute("select public.loop26_complete_task(%s, 'a.mp4', '{}')", (token,))
        assert (read.of("tasks") < FEW, read.of("task_events") < FEW) == (True, True)


def test_a_sweep_reads_few_rows(large: psycopg.Connection[Any]) -> None:
    """Of what runs, that which has expired."""
    _claim(large)
    with Reading(large) as read:
        large.execute("select public.loop26_sweep_leases(3)")
        assert read.of("tasks") < FEW


def test_a_failure_reads_its_family_alone(
    large: psycopg.Connection[Any], queue: "Queue", failure: Any
) -> None:
    """A chain of dependants: each is found by index."""
    chain = [queue.insert("i2v")]
    for _ in range(50):
        chain.append(queue.insert("i2v", dependant_on=(chain[-1],)))
    token = queue.claim(task_types=["i2v"]).token
    told = Jsonb({"kind": "exception", "sentence": failure.sentence})
    with Reading(large) as read:
        large.execute("select public.loop26_fail_task(%s, %s)", (token, told))
        assert read.of("tasks") < FEW * len(chain)
    assert queue.status(chain[-1]) == "Failed"
