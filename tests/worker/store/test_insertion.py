"""The contract: what may be inserted, whole or not at all, and what is refused."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from worker.errors import InvalidTask
from worker.task import NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

SEGMENT = NewTask(task_type="travel_segment", params={})


def test_ids_come_back_in_order(queue: "Queue") -> None:
    """`insert` returns the ids of what was inserted, in the order given."""
    tasks = [NewTask(task_type="t2v", params={"n": n}) for n in range(3)]
    assert queue.store.insert(tasks) == [task.id for task in tasks]


def test_a_task_is_kept_as_it_was_given(queue: "Queue") -> None:
    """Every fact of a new task can be read back."""
    new = NewTask(
        task_type="i2v",
        params={"prompt": "ein Boot, 船", "nested": {"list": [1, None, 2.5, True]}},
        project_id=uuid4(),
        idempotency_key="key",
        trace_context="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )
    queue.store.insert([new])
    task = queue.store.get(new.id)
    facts = ("id", "task_type", "params", "project_id", "idempotency_key", "trace_context")
    assert all(getattr(task, fact) == getattr(new, fact) for fact in facts)
    assert (task.status, task.attempts, task.created_at.timestamp()) == (
        TaskStatus.QUEUED,
        0,
        queue.clock(),
    )


def test_a_key_inserts_once(queue: "Queue") -> None:
    """A second task with the key of a first is the first."""
    first = queue.insert(idempotency_key="journey 1")
    assert queue.insert(idempotency_key="journey 1") == first
    assert len(queue.store.list_tasks()) == 1


def test_a_key_inserts_once_within_one_call(queue: "Queue") -> None:
    """The same holds between two tasks of the same call."""
    task = NewTask(task_type="t2v", params={}, idempotency_key="k")
    ids = queue.store.insert([task, replace(task, id=uuid4())])
    assert ids == [task.id, task.id]


def test_what_depends_on_a_known_key_depends_on_the_task_that_is_there(queue: "Queue") -> None:
    """A plan made again, with new ids, joins on to what the first plan inserted."""
    there = queue.insert("i2v", idempotency_key="k")
    again = NewTask(task_type="i2v", params={}, idempotency_key="k")
    after = NewTask(task_type="t2v", params={}, dependant_on=(again.id,))
    queue.store.insert([again, after])
    assert queue.store.get(after.id).dependant_on == (there,)


def test_a_dependency_may_come_later_in_the_same_call(queue: "Queue") -> None:
    """The order of the tasks of one call does not matter to their dependencies."""
    last = NewTask(task_type="t2v", params={})
    first = NewTask(task_type="t2v", params={}, dependant_on=(last.id,))
    queue.store.insert([first, last])
    assert queue.claim().task.id == last.id


def test_an_unknown_dependency_is_refused(queue: "Queue") -> None:
    """A dependency that is nowhere is named, since its task would wait for ever."""
    nowhere = uuid4()
    with pytest.raises(InvalidTask, match=str(nowhere)):
        queue.insert(dependant_on=(nowhere,))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_cycle_is_refused(queue: "Queue", count: int) -> None:
    """Tasks that wait for each other, or one for itself, are refused."""
    ids = [uuid4() for _ in range(count)]
    tasks = [
        NewTask(id=each, task_type="t2v", params={}, dependant_on=(ids[(n + 1) % count],))
        for n, each in enumerate(ids)
    ]
    with pytest.raises(InvalidTask, match="wait for each other"):
        queue.store.insert(tasks)


def test_a_child_that_waits_for_its_orchestrator_is_refused(queue: "Queue") -> None:
    """An orchestrator waits for its children, so none of them may wait for it."""
    orchestrator = queue.insert("travel_orchestrator")
    with pytest.raises(InvalidTask, match="wait for each other"):
        queue.insert("travel_segment", parent_id=orchestrator, dependant_on=(orchestrator,))


def test_a_child_that_waits_for_it_through_another_is_refused(queue: "Queue") -> None:
    """The same through a task that was inserted before."""
    orchestrator = queue.insert("travel_orchestrator")
    between = queue.insert(dependant_on=(orchestrator,))
    with pytest.raises(InvalidTask, match="wait for each other"):
        queue.insert("travel_segment", parent_id=orchestrator, dependant_on=(between,))


def test_a_bad_task_keeps_the_good_ones_out(queue: "Queue") -> None:
    """All of a call are inserted, or none."""
    good = NewTask(task_type="t2v", params={})
    bad = NewTask(task_type="t2v", params={}, dependant_on=(uuid4(),))
    with pytest.raises(InvalidTask):
        queue.store.insert([good, bad])
    assert queue.store.list_tasks() == []


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object, {1, 2}, b"bytes", "\ud800"], ids=repr
)
def test_params_that_json_cannot_hold_are_refused(queue: "Queue", value: Any) -> None:
    """What cannot be kept exactly is not kept at all."""
    with pytest.raises(InvalidTask, match="JSON"):
        queue.insert(params={"value": value})


def test_params_without_bottom_are_refused(queue: "Queue") -> None:
    """Params nested beyond measure are bad input and no crash."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"deeper": deep}
    with pytest.raises(InvalidTask, match="JSON"):
        queue.insert(params=deep)
    # Freed level by level: the interpreter would otherwise recurse just as deep.
    while deep:
        deep = deep.pop("deeper")


def test_an_id_that_is_taken_is_refused(queue: "Queue") -> None:
    """Two tasks never share an id."""
    task_id = queue.insert()
    with pytest.raises(InvalidTask, match="already in the queue"):
        queue.insert(id=task_id)


def test_a_dependency_that_failed_is_refused(queue: "Queue") -> None:
    """A task that depends on one that will never be Complete could never run."""
    ended = queue.insert()
    queue.store.cancel(ended)
    with pytest.raises(InvalidTask, match="never be Complete"):
        queue.insert(dependant_on=(ended,))


def test_an_unknown_parent_is_refused(queue: "Queue") -> None:
    """A parent that is nowhere is named."""
    nowhere = uuid4()
    with pytest.raises(InvalidTask, match=str(nowhere)):
        queue.insert("travel_segment", parent_id=nowhere)


@pytest.mark.parametrize("by_reference", [False, True], ids=["parent_id", "reference"])
def test_a_child_of_an_ended_journey_is_refused(queue: "Queue", *, by_reference: bool) -> None:
    """A journey that is over takes no further children, however they name it."""
    orchestrator = queue.insert("travel_orchestrator")
    queue.store.cancel(orchestrator)
    child: dict[str, Any] = {"parent_id": orchestrator}
    if by_reference:
        child = {"params": {"orchestrator_task_id_ref": str(orchestrator)}}
    with pytest.raises(InvalidTask, match="journey is over"):
        queue.insert("travel_segment", **child)


def test_a_child_may_name_its_orchestrator_in_its_params_alone(queue: "Queue") -> None:
    """`orchestrator_task_id_ref` makes a segment a child, as other applications write it."""
    orchestrator = queue.insert("travel_orchestrator")
    child = queue.insert("travel_segment", params={"orchestrator_task_id_ref": str(orchestrator)})
    assert queue.store.get(child).parent_id == orchestrator


def test_an_individual_segment_is_no_child(queue: "Queue") -> None:
    """A segment made again alone neither waits for nor ends the journey it names."""
    orchestrator = queue.insert("travel_orchestrator")
    alone = queue.insert(
        "individual_travel_segment", params={"orchestrator_task_id_ref": str(orchestrator)}
    )
    assert queue.store.get(alone).parent_id is None


def test_an_insertion_is_in_the_history(queue: "Queue") -> None:
    """History begins with `inserted`."""
    assert queue.names(queue.insert()) == ["inserted"]


def test_an_id_given_twice_is_refused(queue: "Queue") -> None:
    """The same holds within one call."""
    task = NewTask(task_type="t2v", params={})
    with pytest.raises(InvalidTask, match="already in the queue"):
        queue.store.insert([task, task])
