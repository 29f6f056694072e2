"""The lease: extends the claim of the task in hand, and learns when it is lost or cancelled."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from worker.errors import Fenced, QueueUnavailable
from worker.store.base import TaskStore
from worker.task import Claim, TaskStatus

OnLost = Callable[[UUID, str], None]
_log = logging.getLogger(__name__)


class LeaseKeeper:
    """A thread that keeps one claim alive at a time.

    It lives in the supervisor, not in the task process, so that it goes on while native code there
    holds the GIL. The progress that it writes is the task's own: alive and stuck differ.

    Args:
        store: Where the claim is held.
        lease_s: Seconds that each extension buys.
        heartbeat_s: Seconds between extensions.
        check_s: Seconds between looks at the task's status, so that a cancel is seen soon.
        on_lost: Called from the thread, once, with the token and the reason.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        store: TaskStore,
        *,
        lease_s: float,
        heartbeat_s: float,
        check_s: float,
        on_lost: OnLost,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._check_s = check_s
        self._on_lost = on_lost
        self._clock = clock
        self._lock = threading.Lock()
        self._claim: Claim | None = None
        self._progress: dict[str, Any] | None = None
        self._progress_due = False
        self._started_due = False
        self._extended_at = 0.0
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; the claim in hand runs out unless it is settled."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=5)

    def keep(self, claim: Claim) -> None:
        """Keep this claim alive from now on; it has just been made."""
        with self._lock:
            self._claim = claim
            self._progress = None
            self._progress_due = False
            self._started_due = False
            self._extended_at = self._clock()
        self._wake.set()

    def drop(self) -> None:
        """Keep nothing alive; no extension is made after this returns."""
        with self._lock:
            self._claim = None

    def progress(self, progress: dict[str, Any], *, at_once: bool) -> None:
        """Note how far the task is; `at_once` writes it with the next look, not the next beat."""
        with self._lock:
            self._progress = progress
            self._progress_due = self._progress_due or at_once

    def started(self) -> None:
        """Note that the model is loaded; the row is told at once, or when the store is back."""
        with self._lock:
            self._started_due = True
        self._wake.set()

    def beat(self) -> None:
        """Extend the lease if that is due, else look whether the task is still ours."""
        with self._lock:  # held over the store's call, so that `drop` means what it says
            claim = self._claim
            if claim is None:
                return
            try:
                if self._started_due:
                    self._store.mark_started(claim.token)
                    self._started_due = False
                if self._progress_due or self._clock() - self._extended_at >= self._heartbeat_s:
                    self._store.extend(claim.token, lease_s=self._lease_s, progress=self._progress)
                    self._extended_at = self._clock()
                    self._progress_due = False
                    return
                status = self._store.get(claim.task.id).status
                if status is TaskStatus.IN_PROGRESS:
                    return
                reason = f"the task is {status}"
            except Fenced as fenced:
                reason = fenced.reason
            except QueueUnavailable as trouble:
                _log.warning("the lease is not extended: %s", trouble)  # the next beat tries
                return
            if not reason:
                return
            self._claim = None
        self._on_lost(claim.token, reason)

    def _extend_or_look(self, claim: Claim) -> str:
        """Say why the claim is lost, or ""."""
        if self._progress_due or self._clock() - self._extended_at >= self._heartbeat_s:
            self._store.extend(claim.token, lease_s=self._lease_s, progress=self._progress)
            self._extended_at = self._clock()
            self._progress_due = False
            return ""
        status = self._store.get(claim.task.id).status
        return "" if status is TaskStatus.IN_PROGRESS else f"the task is {status}"

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._check_s if self._claim else None)
            self._wake.clear()
            if not self._stopping:
                self.beat()
