"""The lifeline: finds claims whose worker is gone, and gives their tasks back."""

import logging
import time
from collections.abc import Callable, Sequence

from opentelemetry.trace import SpanKind

from telemetry import names
from telemetry.propagation import remote_context
from telemetry.recorder import Recorder
from worker.errors import QueueError
from worker.store.base import TaskStore
from worker.supervisor.attempt import queue_attributes
from worker.supervisor.duty import Duty
from worker.supervisor.retries import RetryPolicy
from worker.task import Task

ROUNDS_PASSED_OVER = 4  # a lease: by then every worker that lives has been heard of
_log = logging.getLogger(__name__)


class Lifeline(Duty):
    """A thread that sweeps expired claims.

    Each is a death of a worker: its task is queued again, or failed, as the policy has it. The
    machine may be gone for good, and its journal with it: what is known is added to the attempt's
    trace.

    `before` is called before each sweep: after a pause of the whole machine this worker's own claim
    must be extended, not swept. It says None where that cannot be now, as while the claim is being
    settled: then this round sweeps nobody. `chores` are done at each round too. All of them say
    whether the queue answered: after an outage the leases of all have run out, and whoever is back
    first must not take the tasks of those who are a moment later.
    """

    def __init__(
        self,
        store: TaskStore,
        recorder: Recorder,
        *,
        every_s: float,
        retries: RetryPolicy,
        before: Callable[[], bool | None],
        chores: Sequence[Callable[[], bool]] = (),
    ) -> None:
        super().__init__("lifeline")
        self._store = store
        self._recorder = recorder
        self._every_s = every_s
        self._retries = retries
        self._before = before
        self._chores = chores
        self._to_pass_over = 0

    @property
    def patience_s(self) -> float:
        """Until the next sweep."""
        return self._every_s

    def round(self) -> None:
        """Do the chores, and sweep once, unless the queue was away until just now."""
        kept, kept_at = self._before(), time.monotonic()
        answered = [kept is not False, *(chore() for chore in self._chores)]
        # This process may have been stopped since, for longer than its own claim lasts.
        is_fresh = time.monotonic() - kept_at < self._every_s
        if not all(answered):
            self._to_pass_over = ROUNDS_PASSED_OVER
        elif self._to_pass_over:
            self._to_pass_over -= 1
        elif kept and is_fresh:
            self.sweep()

    def sweep(self) -> int:
        """Sweep once; return how many claims had expired."""
        try:
            lost = self._store.sweep(
                max_deaths=self._retries.deaths, by_type=self._retries.deaths_by_type
            )
        except QueueError as trouble:  # one that stays ends the worker, by its next claim
            _log.warning("cannot look for lost workers: %s", trouble)
            self._to_pass_over = ROUNDS_PASSED_OVER
            return 0
        for task in lost:
            self._record(task)
        return len(lost)

    def _record(self, task: Task) -> None:
        attributes = {
            **queue_attributes(self._store, "settle", task.id),
            names.TASK_ID: str(task.id),
            names.TASK_ATTEMPT: task.attempts,
            names.WORKER_ID: task.worker_id or "",
            names.DEATH_KIND: "worker_lost",
        }
        with self._recorder.span(
            names.settle(self._store.queue),
            attributes,
            kind=SpanKind.CLIENT,
            context=remote_context(task.process_context),
        ):
            _log.warning(
                "worker %s was lost over task %s, attempt %d",
                task.worker_id,
                task.id,
                task.attempts,
            )
