"""Black boxes: what is known of a task that failed is kept beside its outputs, in one file."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from worker.errors import OutputError
from worker.output.storage import Storage, black_box_name, black_box_of
from worker.settings import Settings
from worker.store.base import TaskStore
from worker.task import TaskStatus

END_WAIT_S: Final = 1.0  # what is not written then is in the journals all the same
SEND_WAIT_S: Final = 5.0  # those may go with the machine, and others see the bucket alone
_log = logging.getLogger(__name__)


class BlackBoxes:
    """Keeps a black box of each task that fails, for the length of a `with` block.

    In a thread, with a store of its own: however large a spool or a queue is, the supervisor's loop
    does not wait for it. It raises nothing: the task is settled, and its journal has all of it.

    The block ends when the last one is written, or `end_wait_s` later. One that is being gathered
    then is given up; one that is being written is waited for, as long again, and one that is being
    sent for some seconds. After the block there comes none, unless a disk takes longer than that.

    Args:
        settings: Say where, and whether at all.
        open_store: Opens the queue, for the thread alone.
        storage: Where a black box is put too, beside the task's outputs; None keeps it here alone.
        end_wait_s: How long the end of the block may take.
    """

    def __init__(
        self,
        settings: Settings,
        open_store: Callable[[], TaskStore],
        *,
        storage: Storage | None = None,
        end_wait_s: float = END_WAIT_S,
    ) -> None:
        self._settings = settings
        self._open_store = open_store
        self._storage = storage
        self._end_wait_s = end_wait_s
        self._writing = threading.Lock()
        self._given_up = False
        self._sending = False
        self._failed: queue.SimpleQueue[UUID | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="black boxes", daemon=True)

    def keep(self, task_id: UUID) -> None:
        """Have the black box of a task written that has just failed; of none that goes on."""
        if self._settings.black_boxes:
            self._failed.put(task_id)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._failed.put(None)
        self._thread.join(self._end_wait_s)
        written = self._writing.acquire(timeout=self._end_wait_s)
        self._given_up = True
        if written:
            self._writing.release()
        if self._sending:
            self._thread.join(SEND_WAIT_S)

    def _run(self) -> None:
        while (task_id := self._failed.get()) is not None and not self._given_up:
            try:
                with contextlib.closing(self._open_store()) as store:
                    self._keep(store, task_id)
            except Exception:  # noqa: BLE001 - whatever it is, the next one is kept
                _log.exception("no black box of task %s is kept", task_id)

    def _keep(self, store: TaskStore, task_id: UUID) -> None:
        # Loaded at the first failure: a worker that has none starts sooner.
        from telemetry.reports.sources import blackbox
        from worker.casework import gather
        from worker.casework.kept_records import claim_of, has_record

        task = store.get(task_id)
        if task.status is not TaskStatus.FAILED:
            return  # it has been taken over: what it ends with is not known yet
        case = gather(self._settings, store, task, compared=False)
        path = black_box_of(self._settings.outputs_dir, task_id)
        with self._writing:
            if self._given_up:
                return
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            blackbox.write(case, path)
            # Without a record of that attempt it tells others nothing that the queue does not, and
            # would take the place of the one that its worker has sent.
            told = case.task.id == str(task_id) and has_record(case)
            claim = claim_of(store.events(task_id)) if told else ""
            self._sending = bool(claim)
        if self._storage is not None and claim:
            self._send(self._storage, task_id, path, black_box_name(claim))

    def _send(self, storage: Storage, task_id: UUID, path: Path, name: str) -> None:
        try:
            storage.keep(task_id, path, name)
        except OutputError as trouble:
            _log.warning("the black box of task %s is kept here alone: %s", task_id, trouble)
        finally:
            self._sending = False
