"""A queue as a worker without the service key has it, beside an operator who has that."""

from typing import Any
from uuid import UUID

from worker.errors import TaskNotFound
from worker.store.base import Event
from worker.store.supabase import SupabaseStore
from worker.task import Task

OF_WORKERS = {
    "claim",
    "complete",
    "extend",
    "fail",
    "mark_started",
    "record_death",
    "record_worker",
    "release",
    "spawn",
    "sweep",
}


class DividedStore:
    """A `TaskStore` of two: what workers call goes with a worker token, all else with a key.

    A worker reads what it has claimed; that must be what the operator reads.
    """

    queue = SupabaseStore.queue
    system = SupabaseStore.system

    def __init__(self, worker: SupabaseStore, operator: SupabaseStore) -> None:
        self._worker = worker
        self._operator = operator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker if name in OF_WORKERS else self._operator, name)

    def get(self, task_id: UUID) -> Task:
        """Read one task."""
        found = self._operator.get(task_id)
        try:
            assert self._worker.get(task_id) == found
        except TaskNotFound:
            assert not self._worker.events(task_id)
        return found

    def events(self, task_id: UUID) -> list[Event]:
        """Read a task's history."""
        found = self._operator.events(task_id)
        assert self._worker.events(task_id) in ([], found)
        return found

    def close(self) -> None:
        """Close both."""
        self._worker.close()
        self._operator.close()
