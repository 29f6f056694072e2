"""The queue's depth is asked now and then, and never shown when it is old."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from telemetry import names
from telemetry.metrics import Look
from worker.errors import QueueUnavailable
from worker.store.depth import Depth
from worker.supervisor.metrics_queue import STALE_ROUNDS, QueueWatch
from worker.task import NewTask

if TYPE_CHECKING:
    from tests.worker.supervisor.conftest import Desk


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Away:
    """A queue that can be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked: list[tuple[str, ...]] = []

    def depths(self, task_types: Sequence[str]) -> list[Depth]:
        """Answer, or not."""
        self.asked.append(tuple(task_types))
        if self.is_away:
            raise QueueUnavailable("nobody answers")
        return [Depth(task_type="t2v", ready=3, held=1, oldest_s=26.0)]


def seen(look: Look) -> list[tuple[float, dict[str, Any]]]:
    """Look."""
    return [(one.value, dict(one.attributes)) for one in look()]


def test_the_queue_is_shown_by_type(desk: "Desk") -> None:
    """Ready and held; a type of which nothing waits, with zero."""
    first, _ = desk.store.insert([NewTask(task_type="t2v", params={}) for _ in range(2)])
    desk.store.insert([NewTask(task_type="i2v", params={}, dependant_on=(first,))])
    watch = QueueWatch(desk.store, ["t2v", "i2v"], every_s=60)
    watch.round()
    counts = {
        (more[names.TASK_TYPE], more[names.QUEUE_STATE]): value
        for value, more in seen(watch.looks()[names.QUEUE_TASKS])
    }
    assert counts == {
        ("t2v", "ready"): 2,
        ("t2v", "held"): 0,
        ("i2v", "ready"): 0,
        ("i2v", "held"): 1,
    }
    ages = {more[names.TASK_TYPE]: age for age, more in seen(watch.looks()[names.QUEUE_OLDEST_AGE])}
    assert ages["t2v"] > 0
    assert ages["i2v"] == 0


def test_looking_asks_nothing() -> None:
    """Only a round of the duty does, of the types that this worker accepts."""
    queue = Away()
    watch = QueueWatch(queue, ["t2v"], every_s=60)
    assert [seen(look) for look in watch.looks().values()] == [[], []]
    assert queue.asked == []
    watch.round()
    for look in watch.looks().values():
        look()
    assert queue.asked == [("t2v",)]


def test_a_queue_that_is_away_is_said_once_and_not_shown_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was true some rounds ago may be anything by now."""
    queue, clock = Away(), Clock()
    watch = QueueWatch(queue, ["t2v"], every_s=10, clock=clock)
    watch.round()
    queue.is_away = True
    with caplog.at_level(logging.INFO):
        for _ in range(STALE_ROUNDS):
            assert len(seen(watch.looks()[names.QUEUE_OLDEST_AGE])) == 1
            clock.now += 10
            watch.round()
        assert seen(watch.looks()[names.QUEUE_OLDEST_AGE]) == []
    assert len(caplog.records) == 1
    queue.is_away = False
    watch.round()
    assert seen(watch.looks()[names.QUEUE_OLDEST_AGE]) == [(26.0, {names.TASK_TYPE: "t2v"})]
