"""How deep the queue is, of each type."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.store.depth import Depth

if TYPE_CHECKING:
    from .conftest import Queue


def test_an_empty_queue_has_each_type_that_is_asked_for(queue: "Queue") -> None:
    """In the order of the question: a gauge goes to zero, it does not vanish."""
    assert queue.store.depths(["t2v", "i2v"]) == [Depth(task_type="t2v"), Depth(task_type="i2v")]


def test_ready_tasks_are_counted_by_type_with_the_oldests_age(queue: "Queue") -> None:
    """By the store's own clock; types that are not asked for are left out."""
    queue.insert("t2v")
    queue.advance(30)
    queue.insert("t2v")
    queue.insert("i2v")
    queue.insert("travel_stitch")
    queue.advance(10)
    assert queue.store.depths(["t2v", "i2v"]) == [
        Depth(task_type="t2v", ready=2, oldest_s=40.0),
        Depth(task_type="i2v", ready=1, oldest_s=10.0),
    ]


def test_what_waits_for_another_task_is_held(queue: "Queue") -> None:
    """No worker could take it, so it has no age either."""
    first = queue.insert("t2v")
    queue.insert("i2v", dependant_on=(first,))
    (depth,) = queue.store.depths(["i2v"])
    assert (depth.ready, depth.held, depth.oldest_s) == (0, 1, 0.0)


def test_what_waits_for_a_delay_is_held_until_then(queue: "Queue") -> None:
    """Then its age begins at the end of the delay, not at its insertion."""
    task_id = queue.insert("t2v")
    soon = datetime.fromtimestamp(queue.clock.now + 60, UTC)
    queue.write(task_id, run_after=soon.isoformat())
    assert queue.store.depths(["t2v"]) == [Depth(task_type="t2v", held=1)]
    queue.advance(65)
    assert queue.store.depths(["t2v"]) == [Depth(task_type="t2v", ready=1, oldest_s=5.0)]


def test_what_runs_or_has_ended_is_not_counted(queue: "Queue") -> None:
    """Depth is of what waits."""
    queue.insert("t2v")
    queue.claim()
    queue.insert("t2v")
    queue.run()
    assert queue.store.depths(["t2v"]) == [Depth(task_type="t2v")]
