"""The lease is kept while the task runs, and its loss is told once."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.supervisor import lease as lease_module
from worker.supervisor.lease import LeaseKeeper
from worker.task import Claim, NewTask

LEASE_S = 60.0
HEARTBEAT_S = 10.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Kept:
    """A store with one claimed task, and a keeper of its lease, on one clock."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.lost: list[tuple[UUID, str]] = []
        self.store = LocalStore(path / "queue.db", clock=self.clock)
        self.keeper = LeaseKeeper(
            self.store,
            lease_s=LEASE_S,
            heartbeat_s=HEARTBEAT_S,
            check_s=0.01,
            on_lost=lambda token, reason: self.lost.append((token, reason)),
            clock=self.clock,
        )
        self.store.insert([NewTask(task_type="t2v", params={})])
        self.claim = self._claim()
        self.keeper.keep(self.claim)

    def _claim(self) -> Claim:
        request = ClaimRequest(
            worker_id="gpu",
            token=uuid4(),
            task_types=("t2v",),
            lease_s=LEASE_S,
            trace_id="a" * 32,
            span_id="b" * 16,
        )
        claim = self.store.claim(request)
        assert claim is not None
        return claim


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Give a claimed task whose lease is kept."""
    kept = Kept(tmp_path)
    yield kept
    kept.store.close()


def test_a_lease_that_is_kept_does_not_run_out(kept: Kept) -> None:
    """Ten leases later, the task still is the worker's."""
    for _ in range(100):
        kept.clock.now += HEARTBEAT_S
        kept.keeper.round()
        assert kept.store.sweep(max_deaths=3) == []
    assert kept.lost == []


def test_a_lease_that_is_dropped_runs_out(kept: Kept) -> None:
    """After `drop` nothing extends it."""
    kept.keeper.drop()
    kept.clock.now += LEASE_S + 1
    kept.keeper.round()
    assert [task.id for task in kept.store.sweep(max_deaths=3)] == [kept.claim.task.id]


def test_a_claim_that_is_being_settled_is_not_extended_beside_that(kept: Kept) -> None:
    """What comes after its settle would be refused, and stand in the task's history."""
    kept.keeper.hand_over()
    kept.clock.now += HEARTBEAT_S
    kept.keeper.round()
    kept.store.complete(kept.claim.token, output_location="a.mp4", result={})
    kept.keeper.round()
    names = [event.name for event in kept.store.events(kept.claim.task.id)]
    assert names == ["inserted", "claimed", "completed"]


def test_a_sweep_waits_for_a_settle(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is answered nobody knows whether the lease has been extended."""
    monkeypatch.setattr(lease_module, "SETTLE_WAIT_S", 0.0)
    kept.keeper.hand_over()
    assert kept.keeper.renew() is None
    kept.keeper.drop()
    assert kept.keeper.renew() is True


def test_the_start_that_could_not_be_told_is_left_to_the_settle(kept: Kept) -> None:
    """Whoever takes the claim over tells it."""
    kept.keeper.started()
    assert kept.keeper.hand_over()


def test_progress_is_written_at_once_where_that_is_asked(kept: Kept) -> None:
    """A new stage shows on the row with the next look, steps with the next heartbeat."""
    kept.keeper.progress({"stage": "generate"}, at_once=True)
    kept.keeper.round()
    kept.keeper.progress({"stage": "generate", "step": 1}, at_once=False)
    kept.keeper.round()
    assert kept.store.get(kept.claim.task.id).progress == {"stage": "generate"}
    kept.clock.now += HEARTBEAT_S
    kept.keeper.round()
    assert kept.store.get(kept.claim.task.id).progress == {"stage": "generate", "step": 1}


def test_the_start_of_generation_is_written(kept: Kept) -> None:
    """`generation_started_at` is the time at which the model was loaded, not the claim's."""
    kept.clock.now += 5
    kept.keeper.started()
    kept.keeper.round()
    started = kept.store.get(kept.claim.task.id).generation_started_at
    assert started is not None
    assert started.timestamp() == kept.clock.now


def test_a_cancel_is_told_once(kept: Kept) -> None:
    """The supervisor learns that the task was cancelled, with the next look, one time."""
    kept.store.cancel(kept.claim.task.id)
    kept.keeper.round()
    kept.keeper.round()
    assert kept.lost == [(kept.claim.token, "the task is Cancelled")]


def test_a_task_taken_by_another_is_told(kept: Kept) -> None:
    """A worker whose lease ran out learns it with its next heartbeat."""
    kept.clock.now += LEASE_S + 1
    kept.store.sweep(max_deaths=3)
    kept.keeper.round()
    assert [token for token, _ in kept.lost] == [kept.claim.token]


def test_the_thread_beats_by_itself(kept: Kept) -> None:
    """In its block it writes without being asked; after it the thread is gone."""
    claimed_at = kept.store.get(kept.claim.task.id).generation_started_at
    kept.clock.now += 5
    with kept.keeper:
        kept.keeper.started()
        deadline = time.monotonic() + 10
        while kept.store.get(kept.claim.task.id).generation_started_at == claimed_at:
            assert time.monotonic() < deadline, "the thread did not beat"
    assert not kept.keeper._thread.is_alive()


def test_no_beat_waits_for_the_next_look(kept: Kept) -> None:
    """Looked at just before it is due, it comes when it is due, not a look later."""
    kept.clock.now += HEARTBEAT_S - 0.001
    kept.keeper.round()
    assert kept.keeper.patience_s == pytest.approx(0.001, abs=1e-5)
    kept.clock.now += 0.001
    assert kept.keeper.patience_s == kept.keeper._check_s


def test_a_pause_longer_than_the_lease_is_made_good(kept: Kept) -> None:
    """`renew` extends at once, before the sweep that would take the task away."""
    kept.clock.now += LEASE_S + 1
    kept.keeper.renew()
    assert kept.store.sweep(max_deaths=3) == []
    assert kept.lost == []


def test_a_row_that_vanished_is_a_lost_lease(kept: Kept, tmp_path: Path) -> None:
    """Another application deleted it: the task is to be stopped."""
    with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM tasks")
    kept.keeper.round()
    assert [token for token, _ in kept.lost] == [kept.claim.token]
