"""The folder in which drills run: a queue, journals and outputs of their own, beside the real."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from worker.errors import WorkerError
from worker.settings import Settings
from worker.settings.home import prepare_home
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, TaskStatus

FOLDER: Final = "drill"
_LOCK: Final = "drill.lock"
_MOST_LEFT: Final = 1000


class DrillBusy(WorkerError):
    """Raised when another drill runs in the folder: each would work on the other's tasks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another drill runs in {str(folder)!r}; wait for its end, or choose another home"
        )
        self.folder = folder


@contextmanager
def drill_folder(settings: Settings) -> Iterator[Settings]:
    """Have the folder ready for the length of a `with` block; give the settings for it.

    They are those of the deployment but for what would keep a drill from running, or make it wait:
    the device, the telemetry's addresses and all limits are the real ones.

    Raises:
        DrillBusy: Another drill runs there.
        HomeError: The folder cannot be used.
    """
    own = settings.model_copy(
        update={
            "home": settings.home / FOLDER,
            "supabase_url": None,
            "storage": None,
            "task_types": TASK_TYPES,
            "allowed_roots": (),
            "max_deaths": 1,
            "retries": {},
            "blocking_rerun": False,
            "poll_s": min(settings.poll_s, 0.2),
            "recycle_after_tasks": 0,
        }
    )
    prepare_home(own)
    with (own.home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DrillBusy(own.home) from None
        _cancel_what_is_left(own)
        yield own


def _cancel_what_is_left(settings: Settings) -> None:
    """Cancel the tasks of a drill that was ended before they were."""
    with closing(LocalStore(settings.queue_path)) as store:
        statuses = (TaskStatus.QUEUED, TaskStatus.IN_PROGRESS)
        for task in store.list_tasks(statuses=statuses, limit=_MOST_LEFT):
            if not store.get(task.id).status.terminal:
                store.cancel(task.id, reason="its drill was ended")
