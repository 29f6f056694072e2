"""Claiming: asks the queue for the next task that this worker can do."""

from dataclasses import dataclass
from uuid import uuid4

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from worker.store.base import ClaimRequest, TaskStore
from worker.task import TaskStatus

_IDS = RandomIdGenerator()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimer:
    """Makes claim requests for one worker, and knows when the queue has nothing left for it."""

    store: TaskStore
    worker_id: str
    task_types: tuple[str, ...]
    lease_s: float

    def request(self, loaded_model: str | None) -> ClaimRequest:
        """Make a request with a token, and the ids of the span that its task would have."""
        return ClaimRequest(
            worker_id=self.worker_id,
            token=uuid4(),
            task_types=self.task_types,
            lease_s=self.lease_s,
            trace_id=f"{_IDS.generate_trace_id():032x}",
            span_id=f"{_IDS.generate_span_id():016x}",
            loaded_model=loaded_model,
        )

    def nothing_left(self) -> bool:
        """Whether no task of this worker's types is queued or running, here or elsewhere."""
        statuses = (TaskStatus.QUEUED, TaskStatus.IN_PROGRESS)
        tasks = self.store.list_tasks(statuses=statuses, limit=1000)
        return not any(task.task_type in self.task_types for task in tasks)
