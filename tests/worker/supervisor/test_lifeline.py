"""The lifeline takes the tasks of workers that are gone, and not of those whose queue was away."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.store.local import LocalStore
from worker.supervisor.health import HealthFile
from worker.supervisor.lifeline import ROUNDS_PASSED_OVER, Lifeline
from worker.supervisor.presence import Presence
from worker.supervisor.retries import RetryPolicy
from worker.task import NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.supervisor.conftest import Desk

LEASE_S = 60.0


class Shore:
    """A worker's lifeline over a queue in which another worker has a task and a lease."""

    def __init__(self, desk: "Desk", path: Path) -> None:
        self.now = 1_700_000_000.0
        self.path = path / "another.db"
        self.store = LocalStore(self.path, clock=lambda: self.now, busy_timeout_s=0.05)
        (self.task_id,) = self.store.insert([NewTask(task_type="t2v", params={})])
        claim = self.store.claim(desk.request())
        assert claim is not None
        self.token = claim.token
        health = HealthFile(desk.recorder.writer.directory)
        self.presence = Presence(self.store, health, "gpu")
        self.lifeline = Lifeline(
            self.store,
            desk.recorder,
            every_s=LEASE_S / 4,
            retries=RetryPolicy(),
            before=lambda: True,
            chores=(self.presence.record,),
        )

    @property
    def status(self) -> TaskStatus:
        """The status of the other worker's task."""
        return self.store.get(self.task_id).status

    @contextmanager
    def away(self) -> Iterator[None]:
        """Hold the queue's write lock."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@pytest.fixture
def shore(desk: "Desk", tmp_path: Path) -> Iterator[Shore]:
    """Give a lifeline, and another worker's task."""
    shore = Shore(desk, tmp_path)
    yield shore
    shore.store.close()


def test_a_lost_workers_task_is_taken_with_the_first_round(shore: Shore) -> None:
    """Its lease has run out, and the queue was there all along."""
    shore.now += LEASE_S + 1
    shore.lifeline.round()
    assert shore.status is TaskStatus.QUEUED


def test_after_an_outage_others_have_a_moment_to_come_back(shore: Shore) -> None:
    """Who is back first takes nothing of who is back a moment later."""
    with shore.away():
        shore.now += 3600
        shore.lifeline.round()
    for _ in range(ROUNDS_PASSED_OVER):
        shore.lifeline.round()
    assert shore.status is TaskStatus.IN_PROGRESS
    shore.store.extend(shore.token, lease_s=LEASE_S, progress=None)
    shore.lifeline.round()
    assert shore.status is TaskStatus.IN_PROGRESS


def test_who_does_not_come_back_loses_the_task(shore: Shore) -> None:
    """After that moment."""
    with shore.away():
        shore.now += 3600
        shore.lifeline.round()
    for _ in range(ROUNDS_PASSED_OVER + 1):
        shore.lifeline.round()
    assert shore.status is TaskStatus.QUEUED


def test_a_lease_that_could_not_be_extended_is_an_outage(shore: Shore) -> None:
    """This worker's own claim must not be swept by itself when the queue is back just then."""
    shore.now += LEASE_S + 1
    shore.lifeline._before = lambda: False
    shore.lifeline.round()
    assert shore.status is TaskStatus.IN_PROGRESS


def test_an_outage_is_heard_of_and_its_end(shore: Shore) -> None:
    """What a thread has met, the main loop tells people."""
    with shore.away():
        shore.lifeline.round()
        assert shore.presence.unheard is not None
    shore.presence.trouble = "it is away"
    shore.lifeline.round()
    assert (shore.presence.unheard, shore.presence.trouble) == (None, "")
