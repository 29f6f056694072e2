"""The contract: orchestrators and their children, and how an end spreads through a family."""

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from worker.errors import Fenced, InvalidTask
from worker.task import Failure, NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue


def test_an_orchestrator_waits_without_a_lease(queue: "Queue") -> None:
    """A spawned orchestrator stays In Progress, and no sweep takes it."""
    orchestrator, _ = queue.journey()
    queue.advance(1_000_000)
    assert queue.store.sweep(max_deaths=1) == []
    assert queue.status(orchestrator) is TaskStatus.IN_PROGRESS


def test_spawn_returns_the_childrens_ids(queue: "Queue") -> None:
    """The ids come in order, and the children have their parent."""
    orchestrator, children = queue.journey(2, stitch=False)
    assert [queue.store.get(child).parent_id for child in children] == [orchestrator] * 2


def test_the_last_child_completes_its_orchestrator(queue: "Queue") -> None:
    """An orchestrator is Complete when every child is, and not before."""
    orchestrator, _ = queue.journey(2, stitch=False)
    queue.run()
    assert queue.status(orchestrator) is TaskStatus.IN_PROGRESS
    queue.run()
    assert queue.status(orchestrator) is TaskStatus.COMPLETE


def test_the_stitch_is_the_orchestrators_output(queue: "Queue") -> None:
    """With a stitch, the journey's output is the stitch's; its result is what spawn gave it."""
    orchestrator, _ = queue.journey(2)
    for name in ("0.mp4", "1.mp4", "whole.mp4"):
        queue.run(name)
    task = queue.store.get(orchestrator)
    assert (task.output_location, task.result_data) == ("whole.mp4", {"planned": 2})


def test_without_a_stitch_the_output_lists_the_segments(queue: "Queue") -> None:
    """Without one it is a JSON array, by segment_index and not by order of completion."""
    orchestrator = queue.insert("travel_orchestrator")
    claim = queue.claim()
    children = [
        NewTask(task_type="travel_segment", params={"segment_index": index}) for index in (10, 2, 1)
    ]
    queue.store.spawn(claim.token, children, result={})
    for name in ("10.mp4", "2.mp4", "1.mp4"):
        queue.run(name)
    assert queue.store.get(orchestrator).output_location == '["1.mp4", "2.mp4", "10.mp4"]'


def test_an_orchestrator_without_children_completes_at_once(queue: "Queue") -> None:
    """There is nothing to wait for."""
    orchestrator, _ = queue.journey(0, stitch=False)
    assert queue.status(orchestrator) is TaskStatus.COMPLETE


def test_an_orchestrator_of_orchestrators_completes_too(queue: "Queue") -> None:
    """Completion goes up as far as it reaches."""
    top = queue.insert("travel_orchestrator")
    inner = NewTask(task_type="travel_orchestrator", params={})
    queue.store.spawn(queue.claim().token, [inner], result={})
    queue.store.spawn(
        queue.claim().token, [NewTask(task_type="travel_segment", params={})], result={}
    )
    queue.run()
    assert queue.status(top) is TaskStatus.COMPLETE


def test_a_plan_made_twice_has_each_child_once(queue: "Queue") -> None:
    """An orchestrator that is run again finds the children of its first run, by their keys."""
    orchestrator = queue.insert("travel_orchestrator")
    keys = [f"{orchestrator}/s{n}" for n in (0, 1)]
    plan = [NewTask(task_type="travel_segment", params={}, idempotency_key=key) for key in keys]
    queue.claim()
    there = queue.store.insert([replace(plan[0], parent_id=orchestrator)])
    queue.advance(61)
    queue.store.sweep(max_deaths=3)
    again = queue.claim(task_types=["travel_orchestrator"])
    ids = queue.store.spawn(again.token, [replace(child, id=uuid4()) for child in plan], result={})
    assert ids[0] == there[0]
    assert [task.id for task in queue.store.list_tasks(parent_id=orchestrator)] == ids


def test_a_repeated_spawn_returns_the_same_children(queue: "Queue") -> None:
    """A spawn whose answer was lost returns the first one's ids, whatever it is called with."""
    queue.insert("travel_orchestrator")
    token = queue.claim().token
    child = NewTask(task_type="travel_segment", params={})
    first = queue.store.spawn(token, [child], result={})
    assert queue.store.spawn(token, [replace(child, id=uuid4())], result={}) == first


def test_a_bad_child_keeps_the_whole_plan_out(queue: "Queue") -> None:
    """Planning is whole or nothing; the orchestrator is still owned, and can be failed."""
    orchestrator = queue.insert("travel_orchestrator")
    token = queue.claim().token
    good = NewTask(task_type="travel_segment", params={})
    with pytest.raises(InvalidTask):
        queue.store.spawn(token, [good, replace(good, dependant_on=(uuid4(),))], result={})
    assert queue.store.list_tasks(parent_id=orchestrator) == []
    queue.store.extend(token, lease_s=60, progress=None)


def test_a_child_of_another_journey_is_not_taken_over(queue: "Queue") -> None:
    """A key that belongs to another orchestrator's child is refused."""
    first = queue.insert("travel_orchestrator")
    child = NewTask(task_type="travel_segment", params={}, idempotency_key=f"{first}/k")
    queue.store.spawn(queue.claim().token, [child], result={})
    queue.insert("travel_orchestrator")
    token = queue.claim(task_types=["travel_orchestrator"]).token
    with pytest.raises(InvalidTask, match="another"):
        queue.store.spawn(token, [replace(child, id=uuid4())], result={})


def test_children_that_are_complete_already_complete_the_orchestrator(queue: "Queue") -> None:
    """Children that ended before their orchestrator began to wait are not waited for."""
    orchestrator = queue.insert("travel_orchestrator")
    token = queue.claim().token
    child = NewTask(
        task_type="travel_segment",
        params={},
        parent_id=orchestrator,
        idempotency_key=f"{orchestrator}/k",
    )
    queue.store.insert([child])
    queue.run("0.mp4")
    queue.store.spawn(token, [child], result={})
    assert queue.status(orchestrator) is TaskStatus.COMPLETE


def test_no_orchestrator_is_completed_over_its_children(queue: "Queue") -> None:
    """Another application has named it as their parent; its claim still stands, and may wait."""
    orchestrator = queue.insert("travel_orchestrator")
    claim = queue.claim()
    child = queue.insert("travel_segment", params={"orchestrator_task_id_ref": str(orchestrator)})
    with pytest.raises(InvalidTask, match=f"children = '{child}': is Queued"):
        queue.complete(claim)
    running = queue.claim()
    with pytest.raises(InvalidTask, match=f"children = '{child}': is In Progress"):
        queue.complete(claim)
    queue.store.spawn(claim.token, [], result={})
    queue.complete(running, "0.mp4")
    assert queue.store.get(orchestrator).output_location == '["0.mp4"]'


def test_a_task_of_another_type_waits_for_nobody(queue: "Queue") -> None:
    """Whoever names a generation as a parent does not fail it."""
    queue.insert("t2v")
    claim = queue.claim()
    child = queue.insert("t2v", parent_id=claim.task.id)
    queue.complete(claim)
    assert [queue.status(claim.task.id), queue.status(child)] == [
        TaskStatus.COMPLETE,
        TaskStatus.QUEUED,
    ]


def test_a_task_whose_children_are_complete_may_be_completed(queue: "Queue") -> None:
    """There is nobody left to wait for."""
    orchestrator = queue.insert("travel_orchestrator")
    claim = queue.claim()
    queue.insert("travel_segment", parent_id=orchestrator)
    queue.run()
    queue.complete(claim, "whole.mp4")
    queue.complete(claim, "whole.mp4")
    assert queue.store.get(orchestrator).output_location == "whole.mp4"


def test_what_another_application_completes_is_left_so(queue: "Queue", failure: Failure) -> None:
    """In Progress to Complete is its right; the children go on, and change nothing of it."""
    orchestrator, children = queue.journey(2, stitch=False)
    queue.write(orchestrator, status="Complete", output_location="theirs.mp4")
    queue.run()
    queue.store.fail(queue.claim().token, failure)
    assert [queue.status(child) for child in children] == [TaskStatus.COMPLETE, TaskStatus.FAILED]
    task = queue.store.get(orchestrator)
    assert (task.status, task.output_location) == (TaskStatus.COMPLETE, "theirs.mp4")


def test_a_child_that_failed_already_fails_the_orchestrator(
    queue: "Queue", failure: Failure
) -> None:
    """A child that failed before its orchestrator was there takes the whole plan with it."""
    orchestrator = NewTask(task_type="travel_orchestrator", params={})
    child = NewTask(
        task_type="travel_segment",
        params={"orchestrator_task_id_ref": str(orchestrator.id)},
        idempotency_key=f"{orchestrator.id}/k",
    )
    queue.store.insert([child])
    queue.store.fail(queue.claim().token, failure)
    queue.store.insert([orchestrator])
    sibling = NewTask(task_type="travel_segment", params={})
    queue.store.spawn(queue.claim().token, [child, sibling], result={})
    for relative in (orchestrator.id, sibling.id):
        task = queue.store.get(relative)
        assert task.status is TaskStatus.FAILED
        assert task.error is not None
        assert task.error["root_cause"]["task_id"] == str(child.id)


def test_children_carry_their_orchestrators_trace(queue: "Queue") -> None:
    """A child without a trace context gets the orchestrator's attempt as its parent."""
    queue.insert("travel_orchestrator")
    claim = queue.claim()
    own = "00-" + "3" * 32 + "-" + "4" * 16 + "-01"
    children = [
        NewTask(task_type="travel_segment", params={}),
        NewTask(task_type="travel_segment", params={}, trace_context=own),
    ]
    ids = queue.store.spawn(claim.token, children, result={})
    contexts = [queue.store.get(child).trace_context for child in ids]
    assert contexts == [claim.task.process_context, own]


def test_a_failed_child_fails_its_family(queue: "Queue", failure: Failure) -> None:
    """Orchestrator, waiting siblings and the stitch fail with the child."""
    orchestrator, children = queue.journey(3)
    queue.store.fail(queue.claim().token, failure)
    assert {queue.status(each) for each in (orchestrator, *children)} == {TaskStatus.FAILED}


def test_relatives_are_told_the_root_cause(queue: "Queue", failure: Failure) -> None:
    """Every relative has the text that applications follow, and type, message, place, trace."""
    orchestrator, children = queue.journey(2)
    queue.store.fail(queue.claim().token, failure)
    for relative in (orchestrator, *children[1:]):
        task = queue.store.get(relative)
        assert task.error_message == (
            f"Cascaded failed from related task {children[0]}: {failure.sentence}"
        )
        assert task.error is not None
        assert task.error["root_cause"] == {
            "task_id": str(children[0]),
            "type": failure.type,
            "message": failure.message,
            "file": failure.file,
            "line": failure.line,
            "function": failure.function,
            "trace_id": failure.trace_id,
        }


def test_the_root_cause_stands_on_the_task_that_failed(queue: "Queue", failure: Failure) -> None:
    """The failed task itself has its own error, not a cascade's."""
    _, children = queue.journey(2)
    queue.store.fail(queue.claim().token, failure)
    task = queue.store.get(children[0])
    assert task.error is not None
    assert (task.error_message, task.error["kind"]) == (failure.sentence, "exception")


def test_what_is_complete_stays_complete(queue: "Queue", failure: Failure) -> None:
    """A cascade touches nothing that has ended."""
    _, children = queue.journey(2)
    queue.run()
    queue.store.fail(queue.claim().token, failure)
    assert queue.status(children[0]) is TaskStatus.COMPLETE


def test_a_running_sibling_is_stopped(queue: "Queue", failure: Failure) -> None:
    """A sibling that runs is Failed at once; its worker is told by which task."""
    _, children = queue.journey(2)
    first, second = queue.claim(), queue.claim(worker_id="sibling")
    queue.store.fail(first.token, failure)
    with pytest.raises(Fenced, match=f"Cascaded failed from related task {children[0]}"):
        queue.store.extend(second.token, lease_s=60, progress=None)


def test_a_completion_after_a_cascade_is_refused(queue: "Queue", failure: Failure) -> None:
    """A late completion creates no output, and is in the history as refused."""
    _, children = queue.journey(2)
    first, second = queue.claim(), queue.claim()
    queue.store.fail(first.token, failure)
    with pytest.raises(Fenced):
        queue.complete(second)
    task = queue.store.get(children[1])
    assert (task.status, task.output_location) == (TaskStatus.FAILED, None)
    assert queue.names(children[1])[-2:] == ["cascaded", "refused"]


def test_a_failed_orchestrator_fails_its_children(queue: "Queue") -> None:
    """A cascade goes down as well as up."""
    orchestrator, children = queue.journey(2)
    queue.store.cancel(orchestrator, reason="enough")
    assert {queue.status(child) for child in children} == {TaskStatus.CANCELLED}


def test_a_cascade_follows_dependencies(queue: "Queue", failure: Failure) -> None:
    """What depends on a failed task fails, and what depends on that."""
    first = queue.insert("i2v")
    second = queue.insert(dependant_on=(first,))
    third = queue.insert(dependant_on=(second,))
    queue.store.fail(queue.claim().token, failure)
    assert [queue.status(each) for each in (second, third)] == [TaskStatus.FAILED] * 2


def test_a_cascade_reaches_a_dependants_family(queue: "Queue", failure: Failure) -> None:
    """A task that fails because of its dependency takes its own orchestrator along."""
    needed = queue.insert("i2v")
    orchestrator = queue.insert("travel_orchestrator")
    claim = queue.claim(task_types=["travel_orchestrator"])
    queue.insert("travel_segment", parent_id=orchestrator, dependant_on=(needed,))
    queue.store.spawn(claim.token, [], result={})
    queue.store.fail(queue.claim().token, failure)
    assert queue.status(orchestrator) is TaskStatus.FAILED


def test_a_cascade_leaves_strangers_alone(queue: "Queue", failure: Failure) -> None:
    """Tasks that are no relatives, dependencies included, go on."""
    needed, stranger = queue.insert("i2v"), queue.insert("i2v")
    queue.run()
    queue.insert("t2v", dependant_on=(needed,))
    queue.store.fail(queue.claim(task_types=["t2v"]).token, failure)
    assert (queue.status(needed), queue.status(stranger)) == (
        TaskStatus.COMPLETE,
        TaskStatus.QUEUED,
    )


def test_cancelling_a_child_cancels_its_family(queue: "Queue") -> None:
    """A cancelled child is told of in the words that applications follow, with the reason."""
    orchestrator, children = queue.journey(2)
    cancelled = queue.store.cancel(children[0], reason="changed my mind")
    assert cancelled[0] == children[0]
    assert set(cancelled) == {orchestrator, *children}
    task = queue.store.get(orchestrator)
    assert (task.status, task.error_message) == (
        TaskStatus.CANCELLED,
        f"Cascaded cancelled from related task {children[0]}: changed my mind",
    )


def test_a_cancellation_without_a_reason_has_no_colon(queue: "Queue") -> None:
    """Where nobody gave a reason, the text ends with the id."""
    orchestrator, children = queue.journey(1)
    queue.store.cancel(children[0])
    assert queue.store.get(orchestrator).error_message == (
        f"Cascaded cancelled from related task {children[0]}"
    )


def test_a_cascade_is_in_every_relatives_history(queue: "Queue", failure: Failure) -> None:
    """Each relative's history says what happened, and because of whom."""
    orchestrator, children = queue.journey(1, stitch=False)
    queue.store.fail(queue.claim().token, failure)
    assert queue.names(children[0]) == ["inserted", "claimed", "failed"]
    assert queue.names(orchestrator) == ["inserted", "claimed", "spawned", "cascaded"]
    assert queue.event(orchestrator, "cascaded")["root_cause"]["task_id"] == str(children[0])
