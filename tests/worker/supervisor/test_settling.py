"""An outcome becomes one call to the store, and what the store refuses fails its task alone."""

import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest

from worker.errors import QueueUnavailable
from worker.supervisor.retries import RetryPolicy
from worker.supervisor.settling import SUPERSEDED, LastWord
from worker.task import Done, Failed, Failure, NewTask, Retry, Spawned, TaskStatus

from .conftest import Desk

FAILURE = Failure(kind="exception", type="OSError", message="m", sentence="OSError: m")


def test_a_superseded_outcome_overwrites_nothing(desk: Desk) -> None:
    """The task was cancelled meanwhile: its video is not published, its folder is gone."""
    claim = desk.claim()
    video = desk.video(claim)
    desk.store.cancel(claim.task.id)
    settled = desk.settler.settle(claim, Done(files=(video,)), {})
    assert settled.status == SUPERSEDED
    assert "cancelled" in settled.sentence
    assert not video.parent.exists()
    assert not (desk.settler.storage.outputs_dir / str(claim.task.id) / "video.mp4").exists()


def test_a_missing_output_fails_the_task_by_name(desk: Desk) -> None:
    """What cannot be published is a failure with its line, not the end of the worker."""
    claim = desk.claim()
    missing = desk.video(claim)
    missing.unlink()
    settled = desk.settler.settle(claim, Done(files=(missing,)), {})
    assert settled.status == TaskStatus.FAILED
    error = desk.store.get(claim.task.id).error or {}
    assert error["type"] == "worker.errors.OutputError"
    assert error["line"] > 0


def test_a_plan_that_the_store_refuses_fails_the_orchestrator(desk: Desk) -> None:
    """A child that depends on nothing that exists: none is inserted, and the task says why."""
    claim = desk.claim()
    child = NewTask(task_type="travel_segment", params={}, dependant_on=(uuid4(),))
    settled = desk.settler.settle(claim, Spawned(children=(child,)), {})
    assert settled.status == TaskStatus.FAILED
    assert (desk.store.get(claim.task.id).error or {})["type"] == "worker.errors.InvalidTask"
    assert desk.store.list_tasks(parent_id=claim.task.id) == []


def test_a_retry_at_the_limit_is_a_failure(desk: Desk) -> None:
    """Until then the task goes back to the queue, later each time."""
    claim = desk.claim()
    again = desk.settler.settle(claim, Retry(failure=FAILURE), {})
    assert (again.status, again.sentence) == (TaskStatus.QUEUED, "again in 2 s: OSError: m")
    last = desk.claim()
    limited = type(desk.settler)(
        store=desk.store,
        storage=desk.settler.storage,
        recorder=desk.recorder,
        lease_s=60,
        retries=RetryPolicy(max_attempts=1),
    )
    assert limited.settle(last, Retry(failure=FAILURE), {}).status == TaskStatus.FAILED


def test_a_locked_queue_is_told_and_the_settle_can_be_repeated(desk: Desk, tmp_path: Path) -> None:
    """Nothing is lost by trying again."""
    claim = desk.claim()
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueUnavailable):
        desk.settler.settle(claim, Failed(failure=FAILURE), {})
    other.execute("ROLLBACK")
    other.close()
    assert desk.settler.settle(claim, Failed(failure=FAILURE), {}).status == TaskStatus.FAILED


def test_a_released_task_has_its_attempt_back(desk: Desk) -> None:
    """A drain is no try."""
    claim = desk.claim()
    desk.settler.release(claim, "it stops")
    task = desk.store.get(claim.task.id)
    assert (task.status, task.attempts) == (TaskStatus.QUEUED, 0)


def test_a_failure_that_comes_too_late_is_in_the_history(desk: Desk) -> None:
    """The task has ended meanwhile; the refusal of the call that tells of it has what it was."""
    claim = desk.claim()
    desk.store.cancel(claim.task.id)
    settled = desk.settler.settle(claim, Failed(failure=FAILURE), {}, LastWord(started=True))
    assert settled.status == SUPERSEDED
    newest = desk.store.events(claim.task.id)[-1]
    assert (newest.name, newest.data["call"]) == ("refused", "fail")
    assert newest.data["failure"]["type"] == "OSError"


def test_an_error_that_may_pass_and_comes_too_late_is_in_the_history(desk: Desk) -> None:
    """By the call that would have had it tried again."""
    claim = desk.claim()
    desk.store.cancel(claim.task.id)
    assert desk.settler.settle(claim, Retry(failure=FAILURE), {}).status == SUPERSEDED
    newest = desk.store.events(claim.task.id)[-1]
    assert (newest.data["call"], newest.data["failure"]["type"]) == ("release", "OSError")


def test_a_failure_whose_answer_was_lost_is_no_refusal_when_it_is_repeated(desk: Desk) -> None:
    """The queue has it already, from this very claim."""
    claim = desk.claim()
    settles = [desk.settler.settle(claim, Failed(failure=FAILURE), {}) for _ in range(2)]
    assert [settled.status for settled in settles] == [TaskStatus.FAILED] * 2
