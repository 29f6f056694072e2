"""How many workers there are to be: what KEDA asks of a real queue, with its rights."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.deploy.files import SCALING, manifest
from tests.servers.supabase.server import migrate

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

DATABASE = "scaling"
READY = "insert into public.tasks (task_type) values ('t2v') returning id"


class Queue:
    """A queue of its own, as its owner has it, and as KEDA."""

    def __init__(self, server: "Supabase") -> None:
        self._owner = server.postgresql.url(DATABASE)
        self._keda = server.postgresql.url(DATABASE, role="loop26_keda")

    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement as the owner; return the first value of the first row."""
        with psycopg.connect(self._owner, autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]  # ours
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def claimed(self, lease: str = "1 minute") -> Any:
        """Insert a task that a worker holds."""
        task = self.run(READY)
        self.run(
            "update public.tasks set status = 'In Progress', attempts = 1, "
            "lease_expires_at = now() + %s::interval where id = %s",
            lease,
            task,
        )
        return task

    def wanted(self) -> int:
        """Ask what KEDA asks."""
        [trigger] = manifest("ScaledObject", "worker")["spec"]["triggers"]
        with psycopg.connect(self._keda) as connection:
            row = connection.execute(trigger["metadata"]["query"]).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def migrated(supabase_server: "Supabase") -> Iterator[Queue]:
    """Make the queue, and the role as the operator makes it."""
    supabase_server.create_database(DATABASE)
    queue = Queue(supabase_server)
    migrate(supabase_server.postgresql.url(DATABASE))
    queue.run((SCALING / "role.sql").read_text())
    yield queue
    queue.run("drop owned by loop26_keda; drop role loop26_keda")


@pytest.fixture
def queue(migrated: Queue) -> Queue:
    """Empty it."""
    migrated.run("truncate public.tasks")
    return migrated


def test_an_empty_queue_wants_no_worker(queue: Queue) -> None:
    """Then there is none."""
    assert queue.wanted() == 0


def test_each_task_that_is_ready_wants_one(queue: Queue) -> None:
    """One worker works on one task at a time."""
    for _ in range(3):
        queue.run(READY)
    assert queue.wanted() == 3


def test_a_task_that_is_worked_on_keeps_its_worker(queue: Queue) -> None:
    """Else the autoscaler would take workers away for having taken the tasks."""
    queue.claimed()
    queue.run(READY)
    assert queue.wanted() == 2


def test_a_task_of_a_lost_worker_wants_one(queue: Queue) -> None:
    """Where no worker is left, nobody else gives it back to the queue."""
    queue.claimed(lease="-1 hour")
    assert queue.wanted() == 1


def test_a_task_that_waits_for_another_wants_none(queue: Queue) -> None:
    """Until that is complete."""
    first = queue.claimed()
    queue.run("insert into public.tasks (task_type, dependant_on) values ('t2v', array[%s])", first)
    assert queue.wanted() == 1
    queue.run(
        "update public.tasks set status = 'Complete', lease_expires_at = null where id = %s", first
    )
    assert queue.wanted() == 1


def test_a_task_that_waits_for_its_next_try_wants_none(queue: Queue) -> None:
    """Until its time has come."""
    task = queue.run(READY)
    queue.run("update public.tasks set run_after = now() + interval '1 hour' where id = %s", task)
    assert queue.wanted() == 0
    queue.run("update public.tasks set run_after = now() - interval '1 second' where id = %s", task)
    assert queue.wanted() == 1


def test_an_orchestrator_that_waits_for_its_children_wants_none(queue: Queue) -> None:
    """It holds no lease; its children are counted."""
    task = queue.claimed()
    queue.run(
        "update public.tasks set lease_expires_at = null, spawned_at = now() where id = %s", task
    )
    assert queue.wanted() == 0


@pytest.mark.parametrize("status", ["Complete", "Failed", "Cancelled"])
def test_what_has_ended_wants_none(queue: Queue, status: str) -> None:
    """Whatever it has left behind."""
    task = queue.claimed()
    queue.run("update public.tasks set status = %s where id = %s", status, task)
    assert queue.wanted() == 0


def test_the_count_is_of_what_a_worker_can_claim(queue: Queue) -> None:
    """By claiming as a worker does, until there is nothing left."""
    first = queue.run(READY)
    queue.run("insert into public.tasks (task_type, dependant_on) values ('t2v', array[%s])", first)
    queue.run(
        "insert into public.tasks (task_type, run_after) values ('t2v', now() + interval '1 h')"
    )
    queue.run(READY)
    before = queue.wanted()
    claims = 0
    while queue.run(
        "select loop26_claim_task('w', gen_random_uuid(), array['t2v'], 60, %s, %s)",
        "a1" * 16,
        "b2" * 8,
    ):
        claims += 1
    assert before == claims == 2
    assert queue.wanted() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "select params from public.tasks",
        "select count(id) from public.tasks",
        "update public.tasks set status = 'Cancelled'",
        "delete from public.tasks",
        "select * from public.workers",
        "select public.loop26_queue_facts()",
    ],
)
def test_the_role_can_do_nothing_else(queue: Queue, statement: str) -> None:
    """Its password lies in a cluster."""
    with (
        psycopg.connect(queue._keda) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)  # type: ignore[arg-type]  # a text of the test's own
