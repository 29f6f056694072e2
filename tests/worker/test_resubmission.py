"""A task that has ended is made again, as a new task; of a journey, all of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from worker.errors import TaskNotFound
from worker.resubmission import NotRetried, Remake, plan
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.store.retries import key_of_retry
from worker.task import TASK_TYPES, Failure, NewTask, TaskStatus

FAILURE = Failure(kind="exception", type="OSError", message="m", sentence="s")


class Shelf:
    """A queue, and short words for what is done to it."""

    def __init__(self, path: Path) -> None:
        self.store = LocalStore(path)

    def insert(self, task_type: str = "t2v", **facts: Any) -> UUID:
        """Insert a task."""
        return self.store.insert([NewTask(task_type=task_type, **{"params": {}, **facts})])[0]

    def claim(self) -> UUID:
        """Claim the next task; return the token."""
        request = ClaimRequest(
            worker_id="gpu-1",
            token=uuid4(),
            task_types=TASK_TYPES,
            lease_s=60,
            trace_id="a1" * 16,
            span_id="b2" * 8,
        )
        assert self.store.claim(request) is not None
        return request.token

    def failed(self, **facts: Any) -> UUID:
        """Insert a task that fails."""
        task_id = self.insert(**facts)
        self.store.fail(self.claim(), FAILURE)
        return task_id

    def complete(self, **facts: Any) -> UUID:
        """Insert a task that goes well."""
        task_id = self.insert(**facts)
        self.store.complete(self.claim(), output_location="x.mp4", result={})
        return task_id

    def journey(self) -> tuple[UUID, list[UUID]]:
        """Insert a journey of two segments that waits for them."""
        orchestrator = self.insert("travel_orchestrator", params={"run_id": "r"})
        children = [NewTask(task_type="travel_segment", params={}) for _ in range(2)]
        return orchestrator, self.store.spawn(self.claim(), children, result={})

    def plan(self, *ids: UUID, again: bool = False) -> list[Remake]:
        """Plan the retry of tasks."""
        return plan(self.store, [self.store.get(each) for each in ids], again=again)

    def retry(self, *ids: UUID) -> list[UUID]:
        """Retry tasks; return the ids of the new ones."""
        return self.store.insert([one.new for one in self.plan(*ids) if one.new])


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Give an empty queue."""
    shelf = Shelf(tmp_path / "queue.db")
    yield shelf
    shelf.store.close()


def test_a_retry_is_a_new_task_of_the_same_kind(shelf: Shelf) -> None:
    """Type, parameters and project are those of the old one, which stays as it was."""
    needed = shelf.complete()
    project = uuid4()
    old = shelf.failed(params={"prompt": "a lake"}, project_id=project, dependant_on=(needed,))
    before = shelf.store.get(old)
    [new] = shelf.retry(old)
    task = shelf.store.get(new)
    assert (task.task_type, task.params, task.project_id) == ("t2v", {"prompt": "a lake"}, project)
    assert (task.dependant_on, task.status, task.attempts) == ((needed,), TaskStatus.QUEUED, 0)
    assert shelf.store.get(old) == before


def test_each_knows_of_the_other(shelf: Shelf) -> None:
    """The new one by its key, the old one by who has that."""
    old = shelf.failed()
    [new] = shelf.retry(old)
    assert shelf.store.get(new).idempotency_key == key_of_retry(old)
    [remake] = shelf.plan(old)
    assert remake.new is None
    assert remake.there is not None
    assert remake.there.id == new


def test_a_retry_that_failed_is_retried_itself(shelf: Shelf) -> None:
    """Each has one."""
    old = shelf.failed()
    [new] = shelf.retry(old)
    shelf.store.fail(shelf.claim(), FAILURE)
    [newer] = shelf.retry(new)
    assert len({old, new, newer}) == 3


def test_of_a_journey_all_is_made_again(shelf: Shelf) -> None:
    """Whichever of it is named, and once however many are."""
    orchestrator, children = shelf.journey()
    shelf.store.fail(shelf.claim(), FAILURE)
    [remake] = shelf.plan(*children, orchestrator)
    assert remake.original.id == orchestrator
    assert [task.id for task in remake.asked] == [*children, orchestrator]
    assert remake.new is not None
    assert (remake.new.task_type, remake.new.params) == ("travel_orchestrator", {"run_id": "r"})
    assert remake.new.idempotency_key == key_of_retry(orchestrator)


def test_a_child_whose_orchestrator_is_not_here_is_made_again_alone(shelf: Shelf) -> None:
    """Its journey is another queue's."""
    params = {"orchestrator_task_id_ref": str(uuid4())}
    old = shelf.failed(task_type="travel_segment", params=params)
    [new] = shelf.retry(old)
    assert shelf.store.get(new).params == params


def test_a_segment_made_alone_is_made_again_alone(shelf: Shelf) -> None:
    """It names a journey and is no part of it."""
    orchestrator, _ = shelf.journey()
    shelf.store.fail(shelf.claim(), FAILURE)
    params = {"orchestrator_task_id_ref": str(orchestrator)}
    old = shelf.failed(task_type="individual_travel_segment", params=params)
    [remake] = shelf.plan(old)
    assert remake.original.id == old


def test_a_cancelled_task_may_be_retried(shelf: Shelf) -> None:
    """Somebody has thought better of it."""
    old = shelf.insert()
    shelf.store.cancel(old)
    assert len(shelf.retry(old)) == 1


@pytest.mark.parametrize("claimed", [False, True])
def test_what_has_not_ended_is_refused(shelf: Shelf, *, claimed: bool) -> None:
    """With what can be done."""
    old = shelf.insert()
    if claimed:
        shelf.claim()
    with pytest.raises(NotRetried, match=r"has not ended.*loop26 cancel"):
        shelf.plan(old)


def test_what_is_complete_is_refused_unless_it_is_meant(shelf: Shelf) -> None:
    """A video costs money."""
    old = shelf.complete()
    with pytest.raises(NotRetried, match="--again"):
        shelf.plan(old)
    [remake] = shelf.plan(old, again=True)
    assert remake.new is not None


def test_a_child_of_a_journey_that_goes_on_is_refused(shelf: Shelf) -> None:
    """It went well, and others still run."""
    orchestrator, children = shelf.journey()
    shelf.store.complete(shelf.claim(), output_location="x", result={})
    with pytest.raises(NotRetried, match=f"its journey {orchestrator} is In Progress"):
        shelf.plan(children[0], again=True)


def test_what_it_waited_for_is_replaced_by_its_retry(shelf: Shelf) -> None:
    """That one may go well; the old one never will."""
    needed = shelf.insert()
    old = shelf.insert(dependant_on=(needed,))
    shelf.store.fail(shelf.claim(), FAILURE)
    [new_needed] = shelf.retry(needed)
    [new] = shelf.retry(old)
    assert shelf.store.get(new).dependant_on == (new_needed,)


def test_two_that_depend_on_each_other_are_retried_together(shelf: Shelf) -> None:
    """Of one alone it is said that the other must be, and how."""
    needed = shelf.insert()
    old = shelf.insert(dependant_on=(needed,))
    shelf.store.fail(shelf.claim(), FAILURE)
    with pytest.raises(NotRetried, match=f"`loop26 retry {needed} {old}`"):
        shelf.plan(old)
    new_needed, new = shelf.retry(needed, old)
    assert shelf.store.get(new).dependant_on == (new_needed,)


def test_of_many_those_that_can_be_are_planned(shelf: Shelf) -> None:
    """Where somebody listens to why the others are not."""
    old, waiting = shelf.failed(), shelf.insert()
    tasks = [shelf.store.get(each) for each in (waiting, old)]
    refused: list[NotRetried] = []
    [remake] = plan(shelf.store, tasks, again=False, refused=refused.append)
    assert remake.original.id == old
    assert [reason.task_id for reason in refused] == [waiting]


def test_a_dependency_that_is_gone_is_named(shelf: Shelf) -> None:
    """Another application deleted it."""
    old = shelf.failed()
    task = replace(shelf.store.get(old), dependant_on=(uuid4(),))
    with pytest.raises(TaskNotFound):
        plan(shelf.store, [task], again=False)
