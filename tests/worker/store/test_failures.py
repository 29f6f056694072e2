"""Attempts that failed, and the last task that went well: what every store answers."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from worker.errors import Fenced
from worker.store.base import FailedAttempt
from worker.store.rows import UNSAID
from worker.task import Failure, TaskStatus

from .conftest import BEGINNING, Queue

NOW = datetime.fromtimestamp(BEGINNING, UTC)


def fail(queue: Queue, failure: Failure, **facts: Any) -> Any:
    """Insert a task, and fail it."""
    task_id = queue.insert(**facts)
    queue.store.fail(queue.claim().token, failure)
    return task_id


def told(found: list[FailedAttempt]) -> list[tuple[str, int]]:
    """Return which events are listed, of which attempt."""
    return [(one.name, one.attempt) for one in found]


def test_a_failure_is_listed_with_what_it_is(queue: Queue, failure: Failure) -> None:
    """Task, type, model, status, worker, attempt, time, and every field of the failure."""
    task_id = fail(queue, failure, params={"model_name": "wan"})
    [found] = queue.store.failures()
    assert found == FailedAttempt(
        task_id=task_id,
        task_type="t2v",
        model="wan",
        status=TaskStatus.FAILED,
        at=NOW,
        name="failed",
        attempt=1,
        worker_id="worker-1",
        failure=found.failure,
    )
    assert found.failure["type"] == "AttributeError"
    assert found.failure["fingerprint"] == "f00d"


def test_nothing_has_failed(queue: Queue) -> None:
    """Neither waiting nor complete tasks are listed."""
    queue.insert()
    queue.insert()
    queue.run()
    assert queue.store.failures() == []


def test_the_newest_is_first(queue: Queue, failure: Failure) -> None:
    """By the time of the failure, not of the task."""
    first, second = queue.insert(), queue.insert()
    claims = [queue.claim(), queue.claim(worker_id="worker-2")]
    queue.store.fail(claims[1].token, failure)
    queue.advance(1)
    queue.store.fail(claims[0].token, failure)
    assert [one.task_id for one in queue.store.failures()] == [first, second]


def test_failures_of_one_moment_have_one_order(queue: Queue, failure: Failure) -> None:
    """Whoever asks, and however often."""
    for _ in range(5):
        fail(queue, failure)
    found = [one.task_id for one in queue.store.failures()]
    assert found == [one.task_id for one in queue.store.failures(limit=5)]
    assert found[:2] == [one.task_id for one in queue.store.failures(limit=2)]


def test_a_retried_attempt_is_listed(queue: Queue, failure: Failure) -> None:
    """Though its task went on, and well."""
    queue.insert()
    queue.store.release(
        queue.claim().token, reason="again", give_back=False, delay_s=1.0, failure=failure
    )
    queue.advance(2)
    queue.run()
    [found] = queue.store.failures()
    assert (found.name, found.attempt, found.status) == ("retried", 1, TaskStatus.COMPLETE)


def test_an_attempt_that_was_given_back_has_not_failed(queue: Queue) -> None:
    """A drain is no failure."""
    queue.insert()
    queue.store.release(queue.claim().token, reason="drain", give_back=True)
    assert queue.store.failures() == []


def test_a_death_that_fails_its_task_is_one_attempt(queue: Queue, failure: Failure) -> None:
    """It leaves two events: died and failed."""
    task_id = queue.insert()
    for _ in range(2):
        queue.store.record_death(queue.claim().token, failure, max_deaths=2)
    assert queue.names(task_id)[-2:] == ["died", "failed"]
    assert sorted(told(queue.store.failures())) == [("died", 1), ("died", 2)]


def test_a_lost_worker_that_fails_its_task_is_one_attempt(queue: Queue) -> None:
    """Likewise: worker_lost and failed."""
    queue.insert()
    queue.claim(lease_s=1.0)
    queue.advance(2)
    queue.store.sweep(max_deaths=1)
    [found] = queue.store.failures()
    assert (found.name, found.failure["type"]) == ("worker_lost", "WorkerLost")


def test_an_exception_after_a_death_is_an_attempt_of_its_own(
    queue: Queue, failure: Failure
) -> None:
    """The death was the first attempt, the exception is the second."""
    queue.insert()
    queue.store.record_death(queue.claim().token, failure, max_deaths=3)
    queue.store.fail(queue.claim().token, failure)
    assert sorted(told(queue.store.failures())) == [("died", 1), ("failed", 2)]


def test_a_failure_after_a_refused_late_call_is_listed(queue: Queue, failure: Failure) -> None:
    """A superseded claim calls late, in between."""
    task_id = queue.insert()
    late = queue.claim(lease_s=1.0)
    queue.advance(2)
    queue.store.sweep(max_deaths=3)
    claim = queue.claim()
    with pytest.raises(Fenced, match="lease expired"):
        queue.store.fail(late.token, failure)
    queue.store.fail(claim.token, failure)
    assert "refused" in queue.names(task_id)
    assert sorted(told(queue.store.failures())) == [("failed", 2), ("worker_lost", 1)]


def test_those_that_fell_with_another_are_not_listed(queue: Queue, failure: Failure) -> None:
    """One failure, whatever it took down."""
    queue.journey(3)
    claim = queue.claim()
    queue.store.fail(claim.token, failure)
    assert [one.task_id for one in queue.store.failures()] == [claim.task.id]


def test_a_cancelled_task_has_not_failed(queue: Queue) -> None:
    """It was ended on purpose."""
    task_id = queue.insert()
    queue.claim()
    queue.store.cancel(task_id, reason="no need")
    assert queue.store.failures() == []


def test_a_fingerprint_picks_one_kind(queue: Queue, failure: Failure) -> None:
    """Across tasks."""
    fail(queue, failure)
    wanted = fail(queue, replace(failure, fingerprint="beef"))
    assert [one.task_id for one in queue.store.failures(fingerprint="beef")] == [wanted]
    assert queue.store.failures(fingerprint="dead") == []


def test_since_is_the_first_moment_and_before_the_one_after_the_last(
    queue: Queue, failure: Failure
) -> None:
    """To the microsecond."""
    first = fail(queue, failure)
    queue.advance(10)
    second = fail(queue, failure)
    later = NOW + timedelta(seconds=10)
    since = queue.store.failures(since=later)
    before = queue.store.failures(before=later)
    assert [one.task_id for one in since] == [second]
    assert [one.task_id for one in before] == [first]
    assert queue.store.failures(since=later + timedelta(microseconds=1)) == []


def test_a_moment_in_another_time_zone_is_the_same_moment(queue: Queue, failure: Failure) -> None:
    """People give theirs."""
    fail(queue, failure)
    here = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert len(queue.store.failures(since=here)) == 1


def test_the_limit_keeps_the_newest(queue: Queue, failure: Failure) -> None:
    """The oldest are left out."""
    for _ in range(3):
        newest = fail(queue, failure)
        queue.advance(1)
    assert [one.task_id for one in queue.store.failures(limit=1)] == [newest]


@pytest.mark.parametrize(
    ("params", "model"),
    [
        ({"model_name": "wan"}, "wan"),
        ({"orchestrator_details": {"model_name": "wan"}}, "wan"),
        ({"model": "tiny"}, "tiny"),
        ({"model_name": 7}, "7"),
        ({}, ""),
    ],
)
def test_a_task_says_its_model_in_one_of_many_ways(
    queue: Queue, failure: Failure, params: dict[str, Any], model: str
) -> None:
    """As applications write it; "" where it says none."""
    fail(queue, failure, params=params)
    [found] = queue.store.failures()
    assert found.model == model


# The last task that went well.


def test_the_newest_complete_task_of_type_and_model_is_found(queue: Queue) -> None:
    """Not that of another model, or of another type."""
    for task_type, model in (("t2v", "wan"), ("t2v", "wan"), ("t2v", "tiny"), ("i2v", "wan")):
        queue.insert(task_type, params={"model_name": model})
        claim = queue.run()
        queue.advance(1)
        if (task_type, model) == ("t2v", "wan"):
            wanted = claim.task.id
    found = queue.store.last_complete("t2v", "wan")
    assert found is not None
    assert found.id == wanted


def test_a_task_that_says_no_model_has_those_alone_as_its_like(queue: Queue) -> None:
    """Which is no reason to take any."""
    queue.insert(params={"model_name": "wan"})
    queue.run()
    assert queue.store.last_complete("t2v", "") is None
    queue.insert()
    claim = queue.run()
    found = queue.store.last_complete("t2v", "")
    assert found is not None
    assert found.id == claim.task.id


def test_none_is_found_where_nothing_went_well(queue: Queue, failure: Failure) -> None:
    """A failed, a waiting and a running one are none."""
    fail(queue, failure, params={"model_name": "wan"})
    queue.insert(params={"model_name": "wan"})
    queue.claim()
    queue.insert(params={"model_name": "wan"})
    assert queue.store.last_complete("t2v", "wan") is None


def test_the_last_that_went_well_went_well_last(queue: Queue) -> None:
    """By its end, not by its beginning."""
    first, _ = queue.insert(), queue.insert()
    claims = [queue.claim(), queue.claim(worker_id="worker-2")]
    queue.complete(claims[1])
    queue.advance(1)
    queue.complete(claims[0])
    found = queue.store.last_complete("t2v", "")
    assert found is not None
    assert found.id == first


def test_the_last_that_went_well_before_a_moment_ended_before_it(queue: Queue) -> None:
    """One that ended at it is none of them."""
    first, second = queue.insert(), queue.insert()
    queue.run()
    queue.advance(10)
    queue.run()
    moment = NOW + timedelta(seconds=10)
    for before, wanted in ((moment, first), (moment + timedelta(microseconds=1), second)):
        found = queue.store.last_complete("t2v", "", before=before)
        assert found is not None
        assert found.id == wanted
    assert queue.store.last_complete("t2v", "", before=NOW) is None


# Tasks that another application set to Failed.


def test_a_task_that_was_set_to_failed_is_untold(queue: Queue, failure: Failure) -> None:
    """Neither one that failed by itself, nor those that fell with it; not one that waits."""
    fail(queue, failure)
    queue.journey(2)
    queue.store.fail(queue.claim().token, failure)
    queue.insert()
    ours = queue.insert()
    queue.write(ours, status="Failed")
    assert [one.id for one in queue.store.untold_failures(limit=10)] == [ours]


def test_a_task_that_was_tried_before_it_was_set_to_failed_is_untold(
    queue: Queue, failure: Failure
) -> None:
    """What its first attempt failed with is told; its end is not."""
    task_id = queue.insert()
    queue.store.record_death(queue.claim().token, failure, max_deaths=3)
    queue.claim()
    queue.write(task_id, status="Failed")
    assert [one.id for one in queue.store.untold_failures(limit=10)] == [task_id]
    assert told(queue.store.failures()) == [("died", 1)]


# What another application wrote.


@pytest.mark.parametrize(
    ("data", "attempt"),
    [
        ('{"failure": {"type": "OSError"}, "attempt": "x", "worker_id": 7}', 0),
        ('{"failure": {"type": "OSError"}, "attempt": true}', 0),
        ('{"failure": {"type": "OSError"}, "attempt": 3}', 3),
    ],
)
def test_an_attempt_of_nonsense_is_not_said(
    queue: Queue, raw: sqlite3.Connection, data: str, attempt: int
) -> None:
    """Its failure is."""
    task_id = queue.insert()
    raw.execute(
        "INSERT INTO events (task_id, seq, at, name, data) VALUES (?, 9, 'once', 'failed', ?)",
        (str(task_id), data),
    )
    [found] = queue.store.failures()
    assert (found.attempt, found.worker_id, found.failure) == (attempt, "", {"type": "OSError"})
    assert queue.store.events(task_id)[-1].at == UNSAID


def test_a_value_within_too_many_others_is_not_said(queue: Queue) -> None:
    """What is beside it is."""
    task_id = queue.insert()
    deep = '{"a":' * 300 + "1" + "}" * 300
    error = f'{{"type": "OSError", "deep": {deep}}}'
    queue.write(task_id, error=error)
    found = queue.store.get(task_id).error or {}
    assert found["type"] == "OSError"
    assert str(found["deep"]).count("{") == 63
