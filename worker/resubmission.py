"""Resubmission: what has ended is made again as a new task; of a journey, all of it.

An end is final, so nothing is set back: a retry is another task with the same parameters. Its key
says whose retry it is, so that made twice it is one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from worker.errors import TaskNotFound, WorkerError
from worker.store.base import TaskStore
from worker.store.retries import key_of_retry
from worker.task import NewTask, Task, TaskStatus

_BADLY = (TaskStatus.FAILED, TaskStatus.CANCELLED)


class NotRetried(WorkerError):
    """Raised for a task that cannot be made again, or not yet; says what can be done instead."""

    exit_code = 2

    def __init__(self, task: Task, reason: str) -> None:
        super().__init__(f"task {task.id}: {reason}")
        self.task_id = task.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Remake:
    """A task that is to be made again.

    Attributes:
        asked: The tasks that were asked for: itself, or children of its journey.
        original: What is copied.
        new: The copy; None where one was made before.
        there: The one that was made before.
    """

    asked: tuple[Task, ...]
    original: Task
    new: NewTask | None
    there: Task | None = None


def plan(
    store: TaskStore,
    tasks: Sequence[Task],
    *,
    again: bool,
    refused: Callable[[NotRetried], None] | None = None,
) -> list[Remake]:
    """Plan how tasks are made again; nothing is inserted.

    A child of a journey stands for the whole of it: one that has ended takes no children. What a
    task depended on and has ended badly is replaced by its retry, made before or, where it stands
    before it in `tasks`, with it.

    Args:
        store: The queue.
        tasks: What is to be made again.
        again: Whether one that is Complete is, too.
        refused: Is told of each that cannot be; they are left out then.

    Raises:
        NotRetried: One has not ended, is Complete, or waits for one that will never be Complete;
            not with `refused`.
    """
    remakes: dict[UUID, Remake] = {}
    for task in tasks:
        try:
            remake = _remake(store, task, remakes, again=again)
        except NotRetried as reason:
            if refused is None:
                raise
            refused(reason)
        else:
            remakes[remake.original.id] = remake
    return list(remakes.values())


def _remake(store: TaskStore, task: Task, remakes: Mapping[UUID, Remake], *, again: bool) -> Remake:
    original = _original(store, task)
    _refuse(task, original, again=again)
    if (same := remakes.get(original.id)) is not None:
        return replace(same, asked=(*same.asked, task))
    there = store.of_key(key_of_retry(original.id))
    new = None if there else _copy(store, original, remakes)
    return Remake(asked=(task,), original=original, new=new, there=there)


def _original(store: TaskStore, task: Task) -> Task:
    """Return the task that is copied: the orchestrator of a child, where this queue has it."""
    if task.parent_id is None:
        return task
    try:
        return store.get(task.parent_id)
    except TaskNotFound:
        return task


def _refuse(task: Task, original: Task, *, again: bool) -> None:
    if not task.status.terminal:
        raise NotRetried(
            task, f"is {task.status} and has not ended; wait, or end it with `loop26 cancel`"
        )
    if not original.status.terminal:
        raise NotRetried(
            task,
            f"its journey {original.id} is {original.status} and has not ended; wait, or end it "
            "with `loop26 cancel`",
        )
    if task.status is TaskStatus.COMPLETE and not again:
        raise NotRetried(task, "is Complete; `loop26 retry --again` makes it once more")


def _copy(store: TaskStore, original: Task, remakes: Mapping[UUID, Remake]) -> NewTask:
    needed = [_needed(store, original, each, remakes) for each in original.dependant_on]
    return NewTask(
        task_type=original.task_type,
        params=original.params,
        dependant_on=tuple(needed),
        project_id=original.project_id,
        idempotency_key=key_of_retry(original.id),
    )


def _needed(store: TaskStore, original: Task, needed: UUID, remakes: Mapping[UUID, Remake]) -> UUID:
    """Return what a copy depends on: the same, or its newest retry if that has ended badly."""
    found: Task | None = store.get(needed)
    while found is not None and found.status in _BADLY:
        if found.id in remakes and (new := remakes[found.id].new) is not None:
            return new.id
        needed, status = found.id, found.status
        found = store.of_key(key_of_retry(needed))
    if found is None:
        raise NotRetried(
            original,
            f"depends on task {needed}, which is {status}; retry both: "
            f"`loop26 retry {needed} {original.id}`",
        )
    return found.id
