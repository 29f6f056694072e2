"""What is tried again, and what is not: deaths by type, dead letters, late failures."""

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from worker.errors import Fenced
from worker.store.base import MOST_TAKEN_BACK
from worker.store.retries import key_of_retry, retried_from
from worker.store.statements import sqlite
from worker.task import Claim, Failure, NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue


def lose(queue: "Queue", **limits: Any) -> Claim:
    """Claim a task, and have its worker taken for lost."""
    claim = queue.claim(lease_s=1.0)
    queue.advance(2)
    queue.store.sweep(max_deaths=3, **limits)
    return claim


def call_late(queue: "Queue", claim: Claim) -> None:
    """Have the worker that was taken for lost call again."""
    with pytest.raises(Fenced):
        queue.store.extend(claim.token, lease_s=60, progress=None)


def dead(queue: "Queue", limit: int = 100) -> list[UUID]:
    """Return the ids of the dead letters."""
    return [task.id for task in queue.store.dead_letters(limit=limit)]


# Deaths.


def test_a_sweep_has_limits_by_type(queue: "Queue") -> None:
    """A type that is named has its own, the others the general one."""
    named, other = queue.insert("i2v"), queue.insert("t2v")
    queue.claim(lease_s=1.0)
    queue.claim(lease_s=1.0)
    queue.advance(2)
    queue.store.sweep(max_deaths=3, by_type={"i2v": 1, "travel_stitch": 7})
    assert (queue.status(named), queue.status(other)) == (TaskStatus.FAILED, TaskStatus.QUEUED)


def test_a_worker_that_had_lost_its_queue_is_no_death(queue: "Queue") -> None:
    """It was taken for lost, and lives: its first call afterwards takes the death back."""
    task_id = queue.insert()
    claim = lose(queue)
    assert queue.store.get(task_id).deaths == 1
    call_late(queue, claim)
    assert queue.store.get(task_id).deaths == 0
    assert queue.event(task_id, "refused")["death_taken_back"] is True


def test_a_death_is_taken_back_once(queue: "Queue") -> None:
    """However often the worker calls."""
    task_id = queue.insert()
    queue.store.record_death(
        queue.claim().token,
        Failure(kind="death", type="oom", message="m", sentence="s"),
        max_deaths=9,
    )
    claim = lose(queue)
    call_late(queue, claim)
    call_late(queue, claim)
    assert queue.store.get(task_id).deaths == 1


def test_a_running_attempt_is_none_of_a_late_calls_business(queue: "Queue") -> None:
    """It goes on under its number; the death before it is off the count."""
    task_id = queue.insert()
    late = lose(queue)
    owner = queue.claim()
    call_late(queue, late)
    task = queue.store.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.IN_PROGRESS, 2, 0)
    queue.complete(owner)


def test_a_task_that_has_ended_stays_as_it_is(queue: "Queue") -> None:
    """Its last death was one too many, and an end is final."""
    task_id = queue.insert()
    claim = lose(queue, by_type={"t2v": 1})
    call_late(queue, claim)
    task = queue.store.get(task_id)
    assert (task.status, task.deaths) == (TaskStatus.FAILED, 1)


def test_deaths_are_not_taken_back_for_ever(queue: "Queue") -> None:
    """A task that stalls every machine for longer than a lease fails in the end."""
    task_id = queue.insert()
    for _ in range(MOST_TAKEN_BACK + 3):
        call_late(queue, lose(queue))
    assert queue.status(task_id) is TaskStatus.FAILED


def test_an_attempt_that_was_given_back_is_counted_nowhere(queue: "Queue") -> None:
    """As often as workers drain."""
    task_id = queue.insert()
    for _ in range(5):
        queue.store.release(queue.claim().token, reason="drain", give_back=True)
    task = queue.store.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)


# Failures that came too late.


def fallen(queue: "Queue") -> Claim:
    """Return a segment's claim whose sibling has failed meanwhile."""
    queue.journey(2)
    first, second = queue.claim(), queue.claim(worker_id="worker-2")
    queue.store.fail(
        first.token, Failure(kind="exception", type="OSError", message="m", sentence="s")
    )
    return second


def refuse(queue: "Queue", claim: Claim, failure: Failure) -> None:
    """Have a failure refused."""
    with pytest.raises(Fenced):
        queue.store.fail(claim.token, failure)


def test_a_refused_failure_is_kept(queue: "Queue", failure: Failure) -> None:
    """With what had ended the claim, by every call that tells of one."""
    claim = fallen(queue)
    calls = {
        "fail": lambda: queue.store.fail(claim.token, failure),
        "release": lambda: queue.store.release(
            claim.token, reason="", give_back=False, failure=failure
        ),
        "record_death": lambda: queue.store.record_death(claim.token, failure, max_deaths=3),
    }
    for call, late in calls.items():
        with pytest.raises(Fenced):
            late()
        refused = queue.event(claim.task.id, "refused")
        assert (refused["call"], refused["ended"]) == (call, "cascaded")
        assert refused["failure"]["line"] == failure.line


def test_a_call_that_tells_of_no_failure_is_refused_without_one(queue: "Queue") -> None:
    """There is none."""
    claim = fallen(queue)
    call_late(queue, claim)
    assert "failure" not in queue.event(claim.task.id, "refused")


def test_a_failure_that_came_after_a_fall_is_listed_once(queue: "Queue", failure: Failure) -> None:
    """By its fingerprint too, however often its worker tells of it."""
    claim = fallen(queue)
    refuse(queue, claim, failure)
    refuse(queue, claim, failure)
    [found] = queue.store.failures(fingerprint="f00d")
    assert (found.name, found.task_id, found.worker_id) == ("refused", claim.task.id, "worker-2")
    assert sorted(one.name for one in queue.store.failures()) == ["failed", "refused"]


def test_a_death_that_came_after_a_fall_is_not_listed(queue: "Queue", failure: Failure) -> None:
    """Its supervisor may have ended a task process that went on."""
    claim = fallen(queue)
    with pytest.raises(Fenced):
        queue.store.record_death(claim.token, failure, max_deaths=3)
    assert [one.name for one in queue.store.failures()] == ["failed"]


# Dead letters.


def test_what_failed_for_good_is_a_dead_letter(queue: "Queue", failure: Failure) -> None:
    """The newest first; not what waits, runs, went well, is tried again or was cancelled."""
    first = queue.insert()
    queue.store.fail(queue.claim().token, failure)
    queue.advance(1)
    second = queue.insert()
    queue.store.record_death(queue.claim().token, replace(failure, kind="death"), max_deaths=1)
    queue.insert("i2v")
    queue.run()
    queue.store.cancel(queue.insert("i2v"))
    queue.insert("i2v")
    queue.store.record_death(queue.claim().token, failure, max_deaths=9)
    assert dead(queue) == [second, first]
    assert dead(queue, limit=1) == [second]


def test_who_fell_with_another_is_no_dead_letter(queue: "Queue", failure: Failure) -> None:
    """Of a journey, the segment that failed."""
    queue.journey(3)
    claim = queue.claim()
    queue.store.fail(claim.token, failure)
    assert dead(queue) == [claim.task.id]


def test_who_fell_by_the_words_of_another_application_is_no_dead_letter(queue: "Queue") -> None:
    """They are the contract; the structured error is ours."""
    task_id, other = queue.insert(), queue.insert()
    said = f"Cascaded failed from related task {other}"
    queue.write(task_id, status="Failed", error_message=said)
    queue.write(other, status="Failed", error='{"kind": 7}')
    assert dead(queue) == [other]


def test_what_was_retried_is_no_dead_letter(queue: "Queue", failure: Failure) -> None:
    """By itself, or with its journey; the retry that failed is one."""
    alone = queue.insert()
    queue.store.fail(queue.claim().token, failure)
    orchestrator, _ = queue.journey(2)
    queue.store.fail(queue.claim().token, failure)
    again = queue.insert(idempotency_key=key_of_retry(alone))
    queue.store.fail(queue.claim().token, failure)
    queue.insert(idempotency_key=key_of_retry(orchestrator))
    assert dead(queue) == [again]


def test_no_error_at_all_is_a_dead_letter(queue: "Queue") -> None:
    """Another application set it to Failed and said nothing."""
    task_id = queue.insert()
    queue.write(task_id, status="Failed")
    assert dead(queue) == [task_id]


def test_an_error_that_is_no_json_is_no_hindrance(queue: "Queue", raw: sqlite3.Connection) -> None:
    """SQLite's column takes any text."""
    task_id = queue.insert()
    raw.execute("UPDATE tasks SET status = 'Failed', error = '{' WHERE id = ?", (str(task_id),))
    assert dead(queue) == [task_id]


def test_dead_letters_are_found_by_their_index(queue: "Queue", raw: sqlite3.Connection) -> None:
    """Among any number of tasks that went well, and without sorting."""
    del queue
    steps = raw.execute(f"EXPLAIN QUERY PLAN {sqlite('list_dead_letters')}", {"limit": 1})
    plan = "\n".join(step for *_, step in steps.fetchall())
    assert "USING INDEX tasks_failed" in plan
    assert "TEMP B-TREE" not in plan


# Keys.


def test_a_task_is_found_by_its_key(queue: "Queue") -> None:
    """And by no other."""
    task_id = queue.insert(idempotency_key="one")
    found = queue.store.of_key("one")
    assert found == queue.store.get(task_id)
    assert queue.store.of_key("two") is None


def test_a_retry_knows_what_it_is_the_retry_of() -> None:
    """By its key; other keys say nothing."""
    task_id = uuid4()
    assert retried_from(key_of_retry(task_id)) == task_id
    for key in (None, "", "retry/", "retry/7", f"a/retry/{task_id}", str(task_id)):
        assert retried_from(key) is None


def test_a_retry_made_twice_is_one(queue: "Queue") -> None:
    """As any task with a key."""
    key = key_of_retry(queue.insert())
    made = [NewTask(task_type="t2v", params={}, idempotency_key=key) for _ in range(2)]
    assert len({queue.store.insert([each])[0] for each in made}) == 1
