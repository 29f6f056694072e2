"""The contract: how a claim ends, that it ends once, and that a lost one changes nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from worker.errors import Fenced, IllegalTransition, TaskNotFound
from worker.store.base import TaskStore
from worker.task import Failure, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

Call = Callable[[TaskStore, UUID], Any]
FAILURE = Failure(kind="death", type="Died", message="signal 9", sentence="It was killed.")

SETTLES: dict[str, Call] = {
    "complete": lambda store, token: store.complete(token, output_location="late", result={}),
    "spawn": lambda store, token: store.spawn(token, [], result={}),
    "fail": lambda store, token: store.fail(token, FAILURE),
    "release": lambda store, token: store.release(token, reason="drain", give_back=True),
    "record_death": lambda store, token: store.record_death(token, FAILURE, max_deaths=3),
}
CALLS: dict[str, Call] = {
    **SETTLES,
    "extend": lambda store, token: store.extend(token, lease_s=60, progress={"step": 1}),
    "mark_started": lambda store, token: store.mark_started(token),
}


def test_complete_keeps_the_output(queue: "Queue") -> None:
    """A completed task has its output, its result, and the moment it was processed."""
    task_id = queue.insert()
    claim = queue.claim()
    queue.advance(5)
    queue.store.complete(claim.token, output_location="a/b.mp4", result={"frames": 81})
    task = queue.store.get(task_id)
    assert (task.status, task.output_location, task.result_data) == (
        TaskStatus.COMPLETE,
        "a/b.mp4",
        {"frames": 81},
    )
    assert task.generation_processed_at is not None
    assert task.generation_processed_at.timestamp() == queue.clock()


def test_fail_keeps_the_error(queue: "Queue", failure: Failure) -> None:
    """A failed row has one sentence for people and the rest for engineers."""
    task_id = queue.insert()
    queue.store.fail(queue.claim().token, failure)
    task = queue.store.get(task_id)
    assert (task.status, task.error_message) == (TaskStatus.FAILED, failure.sentence)
    assert task.error is not None
    assert (task.error["type"], task.error["file"], task.error["line"]) == (
        "AttributeError",
        "engines/wan.py",
        41,
    )
    assert task.output_location is None


def test_mark_started_resets_the_beginning(queue: "Queue") -> None:
    """Billing begins when the model is loaded, not when the task was claimed."""
    task_id = queue.insert()
    claim = queue.claim()
    queue.advance(248)
    queue.store.mark_started(claim.token)
    started = queue.store.get(task_id).generation_started_at
    assert started is not None
    assert started.timestamp() == queue.clock()


def test_extend_keeps_progress(queue: "Queue") -> None:
    """Progress stands on the row until newer progress comes."""
    task_id = queue.insert()
    token = queue.claim().token
    queue.store.extend(token, lease_s=60, progress={"stage": "generate", "step": 3})
    queue.store.extend(token, lease_s=60, progress=None)
    assert queue.store.get(task_id).progress == {"stage": "generate", "step": 3}


def test_a_released_task_gets_its_attempt_back(queue: "Queue") -> None:
    """A drain is no try: the attempt is not counted."""
    task_id = queue.insert()
    queue.store.release(queue.claim().token, reason="drain", give_back=True)
    task = queue.store.get(task_id)
    assert (task.status, task.attempts, task.worker_id) == (TaskStatus.QUEUED, 0, None)
    assert queue.names(task_id)[-1] == "released"


def test_a_retried_task_keeps_its_attempt(queue: "Queue", failure: Failure) -> None:
    """A failed try counts, and its failure is kept in the history."""
    task_id = queue.insert()
    queue.store.release(queue.claim().token, reason="503", give_back=False, failure=failure)
    assert queue.store.get(task_id).attempts == 1
    assert queue.store.get(task_id).error is None
    assert queue.event(task_id, "retried")["failure"]["type"] == "AttributeError"


def test_a_released_task_waits_for_its_delay(queue: "Queue") -> None:
    """`delay_s` keeps a task out of reach until it has passed."""
    queue.insert()
    queue.store.release(queue.claim().token, reason="503", give_back=False, delay_s=30)
    queue.advance(29)
    assert queue.try_claim() is None
    queue.advance(1)
    assert queue.claim().task.attempts == 2


@pytest.mark.parametrize("call", SETTLES)
def test_a_settle_may_be_repeated(queue: "Queue", call: str) -> None:
    """A settle whose answer was lost is repeated without effect, by the same answer."""
    task_id = queue.insert()
    token = queue.claim().token
    first = SETTLES[call](queue.store, token)
    before, names = queue.store.get(task_id), queue.names(task_id)
    assert SETTLES[call](queue.store, token) == first
    assert (queue.store.get(task_id), queue.names(task_id)) == (before, names)


@pytest.mark.parametrize("second", CALLS)
@pytest.mark.parametrize("first", SETTLES)
def test_a_settled_claim_takes_no_other_call(queue: "Queue", first: str, second: str) -> None:
    """After a settle, any other call is refused and recorded, and changes nothing."""
    if first == second:
        return
    task_id = queue.insert()
    token = queue.claim().token
    SETTLES[first](queue.store, token)
    before = queue.store.get(task_id)
    with pytest.raises(Fenced, match=f"settled by {first}"):
        CALLS[second](queue.store, token)
    assert queue.store.get(task_id) == before
    assert queue.event(task_id, "refused")["call"] == second


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_token_is_fenced(queue: "Queue", call: str) -> None:
    """A token that never claimed anything owns nothing."""
    queue.insert()
    with pytest.raises(Fenced, match="no task was ever claimed"):
        CALLS[call](queue.store, uuid4())


@pytest.mark.parametrize("call", CALLS)
def test_a_superseded_worker_is_fenced(queue: "Queue", call: str) -> None:
    """Once its task has another owner, nothing that the first says counts."""
    task_id = queue.insert()
    late = queue.claim(worker_id="late")
    queue.advance(61)
    queue.store.sweep(max_deaths=3)
    owner = queue.claim(worker_id="owner")
    with pytest.raises(Fenced, match="lease expired"):
        CALLS[call](queue.store, late.token)
    assert queue.store.get(task_id).worker_id == "owner"
    assert queue.event(task_id, "refused")["worker_id"] == "late"
    queue.complete(owner)


@pytest.mark.parametrize("call", CALLS)
def test_a_cancelled_worker_is_told_so(queue: "Queue", call: str) -> None:
    """The worker of a cancelled task learns at its next call that it was cancelled, and why."""
    task_id = queue.insert()
    token = queue.claim().token
    queue.store.cancel(task_id, reason="changed my mind")
    with pytest.raises(Fenced, match="the task was cancelled: changed my mind"):
        CALLS[call](queue.store, token)
    assert queue.status(task_id) is TaskStatus.CANCELLED


def test_cancel_takes_a_waiting_task(queue: "Queue") -> None:
    """A cancelled task is not claimed."""
    task_id = queue.insert()
    assert queue.store.cancel(task_id) == [task_id]
    assert queue.try_claim() is None


def test_cancel_refuses_what_has_ended(queue: "Queue") -> None:
    """A finished task cannot be cancelled any more."""
    task_id = queue.insert()
    queue.run()
    with pytest.raises(IllegalTransition, match="'Complete' and cannot become 'Cancelled'"):
        queue.store.cancel(task_id)


@pytest.mark.parametrize("call", ["get", "cancel"])
def test_an_unknown_task_is_named(queue: "Queue", call: str) -> None:
    """An id that no task has is named in the error."""
    nowhere = uuid4()
    with pytest.raises(TaskNotFound, match=str(nowhere)):
        getattr(queue.store, call)(nowhere)


def test_find_takes_the_beginning_of_an_id(queue: "Queue") -> None:
    """People type the first few digits, in either case."""
    task_id = queue.insert()
    for _ in range(3):
        queue.insert()
    assert [task.id for task in queue.store.find(str(task_id)[:13].upper())] == [task_id]
    assert queue.store.find("xyz") == []


def test_find_returns_twenty_at_the_most(queue: "Queue") -> None:
    """An empty beginning is no way to read the whole queue."""
    for _ in range(25):
        queue.insert()
    assert len(queue.store.find("")) == 20


def test_tasks_are_listed_newest_first(queue: "Queue") -> None:
    """The newest tasks are listed first, up to the limit."""
    ids = [queue.insert() for _ in range(4)]
    assert [task.id for task in queue.store.list_tasks(limit=3)] == ids[:0:-1]


def test_tasks_are_listed_by_status(queue: "Queue") -> None:
    """Only tasks of the wanted statuses are listed."""
    done = queue.insert()
    queue.insert()
    queue.run()
    listed = queue.store.list_tasks(statuses=[TaskStatus.COMPLETE, TaskStatus.FAILED])
    assert [task.id for task in listed] == [done]


def test_children_are_listed_in_their_order(queue: "Queue") -> None:
    """The children of an orchestrator are listed as they were planned."""
    orchestrator, children = queue.journey()
    assert [task.id for task in queue.store.list_tasks(parent_id=orchestrator)] == children


def test_a_worker_is_noted_again_and_again(queue: "Queue") -> None:
    """A worker's row is made once and kept up to date."""
    for model in (None, "wan-a"):
        queue.store.record_worker("w", status="active", current_model=model, metadata={"gib": 24})
