"""The doctor over every queue: what it finds in tasks, in clocks, and in a database."""

from typing import TYPE_CHECKING

import pytest

from worker.doctor.database import examine_database
from worker.doctor.finding import Finding, Verdict
from worker.doctor.queue import examine_queue
from worker.store.supabase import SupabaseStore, rows
from worker.store.supabase.connection import Access

from .shared_queue import WORKER_TOKEN, SharedQueue

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase
    from tests.worker.store.conftest import Queue
    from worker.task import Failure


def _found(queue: "Queue", name: str) -> Finding:
    return _named(examine_queue(queue.store), name)


def _named(findings: list[Finding], name: str) -> Finding:
    (found,) = [each for each in findings if each.name == name]
    return found


def _wrong(findings: list[Finding]) -> list[str]:
    # The tests' clock stands far from today, and is a function of their own.
    wrong = [each for each in findings if each.verdict is not Verdict.OK and each.name != "clock"]
    return [each.found for each in wrong if each.found != "not as migrated: now (differs)"]


def test_a_sound_queue_has_nothing(queue: "Queue") -> None:
    """Not an empty one, and not one in which work goes on."""
    assert _wrong(examine_queue(queue.store)) == []
    queue.journey(3)
    queue.run()
    queue.claim()
    assert _wrong(examine_queue(queue.store)) == []


def test_the_queue_says_what_it_is_and_what_is_in_it(queue: "Queue") -> None:
    """Server, schema, how many of each status."""
    queue.insert()
    queue.run()
    queue.insert()
    found = _found(queue, "queue")
    assert ("SQLite" if queue.shared is None else "PostgreSQL") in found.found
    assert "1 Complete, 1 Queued" in found.found


def test_a_lease_that_nobody_swept_is_an_error(queue: "Queue") -> None:
    """After two minutes: then no worker lives that would."""
    task_id = queue.insert()
    queue.claim()
    queue.advance(60 + 119)
    assert _found(queue, "expired leases").verdict is Verdict.OK
    queue.advance(2)
    found = _found(queue, "expired leases")
    assert (found.verdict, found.ids) == (Verdict.ERROR, (str(task_id),))
    assert "start one" in found.advice


def test_a_task_in_nobodys_hands_is_an_error(queue: "Queue") -> None:
    """In Progress by another application's hand: no lease will ever run out."""
    task_id = queue.insert()
    queue.write(task_id, status="In Progress")
    found = _found(queue, "tasks in nobody's hands")
    assert (found.verdict, found.ids) == (Verdict.ERROR, (str(task_id),))


def test_an_orchestrator_that_waits_for_nothing_is_an_error(queue: "Queue") -> None:
    """Another application has completed its last child."""
    orchestrator, [child] = queue.journey(1, stitch=False)
    queue.claim()
    assert _found(queue, "orchestrators that wait for nothing").verdict is Verdict.OK
    queue.write(child, status="Complete")
    found = _found(queue, "orchestrators that wait for nothing")
    assert (found.verdict, found.ids) == (Verdict.ERROR, (str(orchestrator),))


def test_an_orphan_of_a_cascade_is_an_error(queue: "Queue") -> None:
    """Another application has failed what a task depends on, or its orchestrator."""
    needed = queue.insert("i2v")
    waiting = queue.insert(dependant_on=(needed,))
    queue.write(needed, status="Failed")
    found = _found(queue, "orphans of a cascade")
    assert (found.verdict, found.ids) == (Verdict.ERROR, (str(waiting),))


def test_poison_is_a_warning(queue: "Queue", failure: "Failure") -> None:
    """A task that has taken two workers with it and is tried again."""
    task_id = queue.insert()
    for _ in (1, 2):
        queue.store.record_death(queue.claim().token, failure, max_deaths=9)
    found = _found(queue, "poison tasks")
    assert (found.verdict, found.ids) == (Verdict.WARNING, (str(task_id),))


def test_a_task_that_nobody_takes_is_a_warning(queue: "Queue") -> None:
    """After an hour."""
    queue.insert()
    assert _found(queue, "waiting").verdict is Verdict.OK
    queue.advance(3601)
    assert _found(queue, "waiting").verdict is Verdict.WARNING


def test_clocks_that_differ_are_a_warning(queue: "Queue") -> None:
    """The tests' clock does."""
    found = _found(queue, "clock")
    assert (found.verdict, "NTP" in found.advice) == (Verdict.WARNING, True)


@pytest.mark.parametrize(
    ("statement", "name", "named"),
    [
        ("alter table public.workers disable row level security", "row security", "workers"),
        ("grant select on public.task_events to anon", "tables", "task_events (anon SELECT)"),
        ("drop index public.tasks_queued", "indexes", "tasks_queued"),
        ("drop trigger tasks_have_history on public.tasks", "triggers", "tasks_have_history"),
        (
            "alter table public.tasks disable trigger tasks_follow_the_transitions",
            "triggers",
            "tasks_follow_the_transitions",
        ),
        ("drop function loop26.uuid_of(text)", "functions", "uuid_of (missing)"),
        (
            (
                "create or replace function loop26.span_id_of(p_context text) returns text "
                "language sql immutable set search_path = pg_catalog, pg_temp as 'select p_context'"
            ),
            "functions",
            "span_id_of (differs)",
        ),
        (
            "alter function public.loop26_get_task(uuid) reset search_path",
            "search paths",
            "loop26_get_task",
        ),
        (
            "grant execute on function public.loop26_find_tasks(text) to anon",
            "grants",
            "loop26_find_tasks",
        ),
        ("update loop26.migrations set version = 999", "schema", "version 999"),
    ],
)
def test_what_the_migrations_did_not_make_so_is_an_error(
    shared_queue: SharedQueue, statement: str, name: str, named: str
) -> None:
    """Each thing that somebody may have undone is found by its name."""
    with shared_queue.connection.transaction(force_rollback=True):
        assert named not in _of_database(shared_queue, name).found
        shared_queue.connection.execute(statement)
        found = _of_database(shared_queue, name)
    assert found.verdict is Verdict.ERROR
    assert named in found.found
    assert found.advice


def _of_database(shared_queue: SharedQueue, name: str) -> Finding:
    query = "select public.loop26_diagnose_queue()"
    (answer,) = shared_queue.connection.execute(query).fetchone() or ({},)
    return _named(list(examine_database(rows.diagnosis_of(answer))), name)


def test_a_worker_is_told_whether_it_is_let_in(
    supabase_server: "Supabase", shared_queue: SharedQueue
) -> None:
    """Its token shows it no tasks; that is said, with the way out."""
    shared_queue.empty()
    url, key = supabase_server.rest_url, supabase_server.key("anon")
    store = SupabaseStore(Access(url=url, rest_url=url, key=key, worker_token=WORKER_TOKEN))
    found = examine_queue(store)
    assert _named(found, "queue").verdict is Verdict.OK
    assert "SUPABASE_SECRET_KEY" in _named(found, "tasks and database").advice
    store.close()


def test_a_queue_that_does_not_answer_is_one_line() -> None:
    """Nothing is raised."""
    store = SupabaseStore(
        Access(url="http://127.0.0.1:9", rest_url="http://127.0.0.1:9", key="k"), patience_s=0
    )
    (found,) = examine_queue(store)
    assert (found.verdict, "cannot be reached" in found.found) == (Verdict.ERROR, True)
    store.close()
