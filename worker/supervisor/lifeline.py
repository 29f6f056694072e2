"""The lifeline: finds claims whose worker is gone, and gives their tasks back."""

import logging
from collections.abc import Callable, Sequence

from opentelemetry.trace import SpanKind

from telemetry import names
from telemetry.propagation import remote_context
from telemetry.recorder import Recorder
from worker.errors import QueueUnavailable
from worker.store.base import TaskStore
from worker.supervisor.attempt import queue_attributes
from worker.supervisor.duty import Duty
from worker.task import Task

_log = logging.getLogger(__name__)


class Lifeline(Duty):
    """A thread that sweeps expired claims.

    Each is a death of a worker: its task is queued again, or failed at `max_deaths`. The machine
    may be gone for good, and its journal with it: what is known is added to the attempt's trace.
    `before` is called before each sweep: after a pause of the whole machine, or an hour without the
    queue, this worker's own claim must be extended, not swept. `chores` are done at each round too.
    """

    def __init__(
        self,
        store: TaskStore,
        recorder: Recorder,
        *,
        every_s: float,
        max_deaths: int,
        before: Callable[[], None],
        chores: Sequence[Callable[[], object]] = (),
    ) -> None:
        super().__init__("lifeline")
        self._store = store
        self._recorder = recorder
        self._every_s = every_s
        self._max_deaths = max_deaths
        self._before = before
        self._chores = chores

    @property
    def patience_s(self) -> float:
        """Until the next sweep."""
        return self._every_s

    def round(self) -> None:
        """Sweep once, and do the chores."""
        self._before()
        self.sweep()
        for chore in self._chores:
            chore()

    def sweep(self) -> int:
        """Sweep once; return how many claims had expired."""
        try:
            lost = self._store.sweep(max_deaths=self._max_deaths)
        except QueueUnavailable as trouble:
            _log.warning("cannot look for lost workers: %s", trouble)
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
