"""Presence: what others see of a worker, in the queue's list of workers and in a status file."""

import logging
import os
from typing import Any

from worker.errors import QueueUnavailable
from worker.store.base import TaskStore
from worker.supervisor.attempt import Attempt
from worker.supervisor.health import HealthFile
from worker.wording import quiet_for

_log = logging.getLogger(__name__)


class Presence:
    """Shows a worker to others.

    Attributes:
        state: starting, ready, busy, draining or stopped.
        device: What its task process computes on.
        model: The model that its task process has loaded.
        trouble: Why the queue cannot be reached, or "".
    """

    def __init__(self, store: TaskStore, health: HealthFile, worker_id: str) -> None:
        self._store = store
        self._health = health
        self._worker_id = worker_id
        self.state = "starting"
        self.device: dict[str, Any] = {}
        self.model: str | None = None
        self.trouble = ""

    def record(self) -> None:
        """Write the worker's row; any thread may. That it cannot be written fails nothing."""
        try:
            self._store.record_worker(
                self._worker_id,
                status=self.state,
                current_model=self.model,
                metadata={"device": self.device},
            )
        except QueueUnavailable as trouble:
            _log.warning("the worker's row is not written: %s", trouble)

    def show(self, state: str, attempt: Attempt | None, **facts: Any) -> None:
        """Write the status file that `loop26 health` reads."""
        self.state = state
        task = attempt.claim.task if attempt else None
        doing = f"task {task.id}" if task else "waiting for tasks"
        quiet = quiet_for(attempt.progress.get("quiet_s", 0)) if attempt else ""
        if attempt and quiet:
            doing += f", {quiet} in stage {attempt.progress.get('stage', 'none')}"
        self._health.write(
            {
                "state": state,
                "sentence": self.trouble or doing,
                "pid": os.getpid(),
                "worker_id": self._worker_id,
                "model": self.model,
                "task_id": str(task.id) if task else None,
                "progress": attempt.progress if attempt else None,
                **facts,
            }
        )
