"""The contract: leases, workers that are lost, and deaths that are counted."""

from typing import TYPE_CHECKING

from worker.task import Failure, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

DEATH = Failure(kind="death", type="SIGSEGV", message="signal 11", sentence="It crashed.")


def test_a_lease_holds_until_it_expires(queue: "Queue") -> None:
    """A claim is not swept at the last moment of its lease, and is a moment later."""
    task_id = queue.insert()
    queue.claim(lease_s=60)
    queue.advance(60)
    assert queue.store.sweep(max_deaths=3) == []
    queue.advance(0.001)
    assert [task.id for task in queue.store.sweep(max_deaths=3)] == [task_id]


def test_an_extended_lease_holds_longer(queue: "Queue") -> None:
    """A heartbeat keeps the claim."""
    queue.insert()
    token = queue.claim(lease_s=60).token
    for _ in range(5):
        queue.advance(50)
        queue.store.extend(token, lease_s=60, progress=None)
    assert queue.store.sweep(max_deaths=3) == []


def test_a_late_worker_that_nobody_missed_still_owns_its_task(queue: "Queue") -> None:
    """A lease that ran out costs nothing until it is swept: no finished work is thrown away."""
    task_id = queue.insert()
    claim = queue.claim(lease_s=60)
    queue.advance(600)
    queue.complete(claim)
    assert queue.status(task_id) is TaskStatus.COMPLETE


def test_a_swept_task_is_queued_again(queue: "Queue") -> None:
    """A lost worker's task is tried again; its death and its attempt are counted."""
    task_id = queue.insert()
    queue.claim()
    queue.advance(61)
    queue.store.sweep(max_deaths=3)
    task = queue.store.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 1, 1)


def test_a_sweep_returns_the_tasks_as_they_were(queue: "Queue") -> None:
    """What the sweeper needs to close the lost span is in what it gets back."""
    queue.insert()
    claim = queue.claim(worker_id="gone")
    queue.advance(61)
    (lost,) = queue.store.sweep(max_deaths=3)
    assert (lost.status, lost.worker_id, lost.process_context) == (
        TaskStatus.IN_PROGRESS,
        "gone",
        claim.task.process_context,
    )


def test_a_sweep_says_who_was_lost(queue: "Queue") -> None:
    """The `worker_lost` event names worker, attempt, lease and last progress."""
    task_id = queue.insert()
    token = queue.claim(worker_id="gone").token
    queue.store.extend(token, lease_s=60, progress={"stage": "generate"})
    queue.advance(61)
    queue.store.sweep(max_deaths=3)
    event = queue.event(task_id, "worker_lost")
    assert (event["worker_id"], event["attempt"]) == ("gone", 1)
    assert event["progress"] == {"stage": "generate"}
    assert event["failure"]["stage"] == "generate"


def test_a_sweep_happens_once(queue: "Queue") -> None:
    """A second sweep finds nothing."""
    queue.insert()
    queue.claim()
    queue.advance(61)
    queue.store.sweep(max_deaths=3)
    assert queue.store.sweep(max_deaths=3) == []


def test_a_task_that_loses_too_many_workers_fails(queue: "Queue") -> None:
    """At the limit of deaths the task is Failed, and says that its worker was lost."""
    task_id = queue.insert()
    for _ in range(3):
        queue.claim()
        queue.advance(61)
        queue.store.sweep(max_deaths=3)
    task = queue.store.get(task_id)
    assert (task.status, task.deaths, task.attempts) == (TaskStatus.FAILED, 3, 3)
    assert task.error is not None
    assert task.error["type"] == "WorkerLost"
    assert queue.names(task_id)[-2:] == ["worker_lost", "failed"]


def test_deaths_are_counted_up_to_the_limit(queue: "Queue") -> None:
    """A task that kills its process is queued again, and Failed at the limit."""
    task_id = queue.insert()
    statuses = [
        queue.store.record_death(queue.claim().token, DEATH, max_deaths=3) for _ in range(3)
    ]
    assert statuses == [TaskStatus.QUEUED, TaskStatus.QUEUED, TaskStatus.FAILED]
    assert queue.store.get(task_id).error_message == "It crashed."
    assert queue.event(task_id, "died")["failure"]["type"] == "SIGSEGV"


def test_a_repeated_death_has_the_first_ones_answer(queue: "Queue") -> None:
    """A repeated report of a death counts once, also when the task has moved on."""
    task_id = queue.insert()
    token = queue.claim().token
    queue.store.record_death(token, DEATH, max_deaths=3)
    queue.run()
    assert queue.store.record_death(token, DEATH, max_deaths=3) is TaskStatus.QUEUED
    assert queue.store.get(task_id).deaths == 1


def test_retries_are_no_deaths(queue: "Queue") -> None:
    """Attempts that ended otherwise leave the count of deaths alone."""
    task_id = queue.insert()
    for _ in range(5):
        queue.store.release(queue.claim().token, reason="503", give_back=False)
    task = queue.store.get(task_id)
    assert (task.attempts, task.deaths) == (5, 0)


def test_the_last_death_takes_the_family(queue: "Queue") -> None:
    """A death at the limit cascades as any failure does."""
    orchestrator, children = queue.journey(2)
    queue.store.record_death(queue.claim().token, DEATH, max_deaths=1)
    assert {queue.status(each) for each in (orchestrator, *children)} == {TaskStatus.FAILED}


def test_two_relatives_lost_at_once_are_both_returned(queue: "Queue") -> None:
    """A task that another's cascade ends in the same sweep is reported lost all the same."""
    _, children = queue.journey(2, stitch=False)
    queue.claim(worker_id="one")
    queue.claim(worker_id="two")
    queue.advance(61)
    lost = queue.store.sweep(max_deaths=1)
    assert {task.worker_id for task in lost} == {"one", "two"}
    assert all("worker_lost" in queue.names(child) for child in children)
    assert {queue.status(child) for child in children} == {TaskStatus.FAILED}
