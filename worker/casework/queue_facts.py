"""What a row of the queue says of a task in more than one way: its root cause, model and times."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from telemetry.cascade import root_of
from worker.store.rows import UNSAID
from worker.task import Task


def root_cause(task: Task) -> str:
    """Return the id of the task that this one fell with; "" where it fell with none."""
    return root_of(task.error or {}, task.error_message or "")


def model_of(task: Task) -> str:
    """Return the model that a task names, as the queue files it."""
    details = task.params.get("orchestrator_details")
    nested: Any = details.get("model_name") if isinstance(details, Mapping) else None
    return str(task.params.get("model_name") or nested or task.params.get("model") or "")


def moment_text(at: datetime) -> str:
    """Write a moment as reports do; "" for one that the row does not tell."""
    return "" if at == UNSAID else f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
