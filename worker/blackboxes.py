"""Black boxes: what is known of a task that failed is kept beside its outputs, in one file."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID

from worker.settings import Settings
from worker.store.base import TaskStore

NAME: Final = "failure.blackbox"
_log = logging.getLogger(__name__)


def black_box_of(settings: Settings, task_id: UUID) -> Path:
    """Return where a task's black box is kept."""
    return settings.outputs_dir / str(task_id) / NAME


def keeper(settings: Settings, store: TaskStore) -> Callable[[UUID], None]:
    """Return what keeps the black box of a task that has just failed.

    It raises nothing: the task is settled, and its journal has all that a black box has.
    """

    def keep(task_id: UUID) -> None:
        try:
            _keep(settings, store, task_id)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, it must not end the worker
            _log.warning("no black box of task %s is kept: %s", task_id, trouble)

    return keep if settings.black_boxes else lambda _task_id: None


def _keep(settings: Settings, store: TaskStore, task_id: UUID) -> None:
    # Loaded at the first failure: a worker that has none starts sooner.
    from telemetry.reports.sources import blackbox
    from worker.casework import gather

    path = black_box_of(settings, task_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    blackbox.write(gather(settings, store, store.get(task_id)), path)
