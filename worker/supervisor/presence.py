"""Presence: what others see of a worker, in the queue's list of workers and in a status file."""

import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import msgspec

from telemetry.shipper import Counters
from worker.errors import QueueError, QueueUnavailable
from worker.messages import TelemetryTrouble
from worker.store.base import TaskStore
from worker.supervisor.attempt import Attempt
from worker.supervisor.health import HealthFile
from worker.task import Task
from worker.wording import quiet_for

NO_TROUBLE: Final = TelemetryTrouble(faults=0, last_fault="", lost=0)
_log = logging.getLogger(__name__)


class Presence:
    """Shows a worker to others.

    Of its telemetry it shows what was lost, and why: faults that were contained, and records that
    could not be written, here and in its task processes; and what its shipper has done.

    Args:
        store: The queue.
        health: The status file.
        worker_id: The worker's.
        own: What is wrong with the supervisor's own telemetry.
        shipped: What its shipper has done.

    Attributes:
        state: starting, ready, busy, draining or stopped.
        device: What its task process computes on.
        model: The model that its task process has loaded.
        trouble: Why the queue cannot be reached, or "".
        unheard: The same as a thread has met it, until people are told; or None.
    """

    def __init__(
        self,
        store: TaskStore,
        health: HealthFile,
        worker_id: str,
        own: Callable[[], TelemetryTrouble] = lambda: NO_TROUBLE,
        shipped: Callable[[], Counters] = Counters,
    ) -> None:
        self._store = store
        self._health = health
        self._worker_id = worker_id
        self._own = own
        self._shipped = shipped
        self._heard = NO_TROUBLE
        self.state = "starting"
        self.device: dict[str, Any] = {}
        self.model: str | None = None
        self.trouble = ""
        self.unheard: QueueUnavailable | None = None

    def record(self) -> bool:
        """Write the worker's row; any thread may. That it cannot be written fails nothing.

        Returns whether it is written.
        """
        try:
            self._store.record_worker(
                self._worker_id,
                status=self.state,
                current_model=self.model,
                metadata={"device": self.device},
            )
        except QueueError as trouble:
            _log.warning("the worker's row is not written: %s", trouble)
            if isinstance(trouble, QueueUnavailable):
                self.unheard = trouble
            return False
        self.unheard, self.trouble = None, ""
        return True

    def hear(self, trouble: TelemetryTrouble) -> None:
        """Take in what is wrong with the telemetry of a task process."""
        self._heard = _sum(self._heard, trouble)
        _log.warning(
            "telemetry of the task process: %d faults (%s), %d records lost",
            trouble.faults,
            trouble.last_fault or "none",
            trouble.lost,
        )

    @property
    def telemetry(self) -> TelemetryTrouble:
        """What has gone wrong with the worker's telemetry, here and in its task processes."""
        return _sum(self._heard, self._own())

    def show(
        self, state: str, attempt: Attempt | None, uploaded: Task | None = None, **facts: Any
    ) -> None:
        """Write the status file that `loop26 health` reads.

        Args:
            state: As in `state`.
            attempt: The one in front.
            uploaded: The task whose output is being uploaded.
            facts: What else to write.
        """
        self.state = state
        task = attempt.claim.task if attempt else None
        doing = f"task {task.id}" if task else "waiting for tasks"
        quiet = quiet_for(attempt.progress.get("quiet_s", 0)) if attempt else ""
        if attempt and quiet:
            doing += f", {quiet} in stage {attempt.progress.get('stage', 'none')}"
        if uploaded:
            doing += f"; the output of task {uploaded.id} is being uploaded"
        self._health.write(
            {
                "state": state,
                "sentence": self.trouble or doing,
                "pid": os.getpid(),
                "worker_id": self._worker_id,
                "model": self.model,
                "task_id": str(task.id) if task else None,
                "progress": attempt.progress if attempt else None,
                "uploaded_task_id": str(uploaded.id) if uploaded else None,
                "telemetry": self._telemetry(),
                **facts,
            }
        )

    def _telemetry(self) -> dict[str, Any]:
        return {**msgspec.to_builtins(self.telemetry), "shipping": asdict(self._shipped())}


def _sum(one: TelemetryTrouble, other: TelemetryTrouble) -> TelemetryTrouble:
    return TelemetryTrouble(
        faults=one.faults + other.faults,
        last_fault=other.last_fault or one.last_fault,
        lost=one.lost + other.lost,
    )
