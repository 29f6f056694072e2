"""Claiming: asks the queue for the next task that this worker can do."""

import time
from dataclasses import dataclass
from uuid import uuid4

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from worker.errors import Fenced
from worker.store.base import ClaimRequest, TaskStore
from worker.task import Claim

_IDS = RandomIdGenerator()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim, the request that it answers, and when that was made."""

    claim: Claim
    request: ClaimRequest
    asked_ns: int


class Claimer:
    """Claims for one worker.

    A request whose answer was lost is made again with its token, so that the task which the store
    may have given away is this worker's all the same.
    """

    def __init__(
        self, store: TaskStore, *, worker_id: str, task_types: tuple[str, ...], lease_s: float
    ) -> None:
        self.store = store
        self._worker_id = worker_id
        self._task_types = task_types
        self._lease_s = lease_s
        self._unanswered: ClaimRequest | None = None

    def claim(self, loaded_model: str | None) -> Claimed | None:
        """Take the next task, or None. Raises `QueueUnavailable`."""
        request = self._unanswered or self._request(loaded_model)
        self._unanswered = request
        asked_ns = time.time_ns()
        try:
            claim = self.store.claim(request)
        except Fenced:  # it was answered, and its lease ran out before we heard of it
            claim = None
        self._unanswered = None
        if claim is None:
            return None
        return Claimed(claim=claim, request=request, asked_ns=asked_ns)

    def nothing_left(self) -> bool:
        """Whether no task of this worker's types is queued or running, here or elsewhere."""
        return not self.store.has_open(self._task_types)

    def _request(self, loaded_model: str | None) -> ClaimRequest:
        return ClaimRequest(
            worker_id=self._worker_id,
            token=uuid4(),
            task_types=self._task_types,
            lease_s=self._lease_s,
            trace_id=f"{_IDS.generate_trace_id():032x}",
            span_id=f"{_IDS.generate_span_id():016x}",
            loaded_model=loaded_model,
        )
