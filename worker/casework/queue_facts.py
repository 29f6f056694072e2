"""What a row of the queue says of a task in more than one way: its root cause, model and times."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.store.rows import UNSAID
from worker.task import Task

_CASCADED = re.compile(r"Cascaded \w+ from related task ([0-9a-f-]{36})")


def root_cause(task: Task) -> str:
    """Return the id of the task that this one fell with; "" where it fell with none.

    Other applications say it in the message alone.
    """
    root = (task.error or {}).get("root_cause")
    if isinstance(root, Mapping):
        return str(root.get("task_id") or "")
    said = _CASCADED.match(task.error_message or "")
    return said[1] if said else ""


def model_of(task: Task) -> str:
    """Return the model that a task names, as the queue files it."""
    details = task.params.get("orchestrator_details")
    nested: Any = details.get("model_name") if isinstance(details, Mapping) else None
    return str(task.params.get("model_name") or nested or task.params.get("model") or "")


def moment_text(at: datetime) -> str:
    """Write a moment as reports do; "" for one that the row does not tell."""
    return "" if at == UNSAID else f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
