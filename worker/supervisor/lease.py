"""The lease: extends the claim of the task in hand, and learns when it is lost or cancelled."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from worker.errors import (
    Fenced,
    QueueForbidden,
    QueueIncompatible,
    QueueUnavailable,
    TaskNotFound,
)
from worker.store.base import TaskStore
from worker.supervisor.duty import Duty
from worker.task import Claim, TaskStatus

OnLost = Callable[[UUID, str], None]
DROP_WAIT_S = 0.5
SETTLE_WAIT_S = 5.0  # by then a settle is answered, or there is no answer to be had
_log = logging.getLogger(__name__)


def renew_all(keepers: "Iterable[LeaseKeeper]") -> bool | None:
    """Renew what several keep: `LeaseKeeper.renew` of all of them, and None where one says so."""
    told = [keeper.renew() for keeper in keepers]
    return None if None in told and False not in told else all(told)


class LeaseKeeper(Duty):
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
        super().__init__("lease")
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._check_s = check_s
        self._on_lost = on_lost
        self._clock = clock
        self._noting = threading.Lock()  # held for an instant
        self._calling = threading.Lock()  # held over a call to the store
        self._no_settle = threading.Event()  # set while no settle is under way
        self._no_settle.set()
        self._claim: Claim | None = None
        self._progress: dict[str, Any] | None = None
        self._progress_due = False
        self._started_due = False
        self._extended_at = 0.0

    @property
    def patience_s(self) -> float | None:
        """Until the next look at the task, while there is one, or the next beat if that is sooner.

        A beat that could not be written is tried again with the next look.
        """
        if self._claim is None:
            return None
        beat_s = self._extended_at + self._heartbeat_s - self._clock()
        return min(self._check_s, beat_s) if beat_s > 0 else self._check_s

    def keep(self, claim: Claim) -> None:
        """Keep this claim alive from now on; it has just been made."""
        with self._noting:
            self._claim = claim
            self._no_settle.set()
            self._progress = None
            self._progress_due = self._started_due = False
            self._extended_at = self._clock()
        self.wake()

    def hand_over(self) -> bool:
        """Leave the claim to whoever settles it; whether the start of generation is to be told.

        Until `drop` nothing is kept alive here, and `renew` waits. An extension that is under way
        is waited for, but not for long.
        """
        with self._noting:
            self._no_settle.clear()
            self._claim = None
        if self._calling.acquire(timeout=DROP_WAIT_S):
            self._calling.release()
        return self._started_due

    def drop(self) -> None:
        """Keep nothing alive: the claim is settled, or somebody else's."""
        with self._noting:
            self._claim = None
            self._no_settle.set()

    def progress(self, progress: dict[str, Any], *, at_once: bool) -> None:
        """Note how far the task is; `at_once` writes it with the next look, not the next beat."""
        with self._noting:
            self._progress = progress
            self._progress_due = self._progress_due or at_once

    def started(self) -> None:
        """Note that the model is loaded; the row is told at once, or when the store is back."""
        with self._noting:
            self._started_due = True
        self.wake()

    def renew(self) -> bool | None:
        """Extend the lease now: after a pause it may have run out, and still be ours to keep.

        Returns whether the store could be told; None while the claim is being settled, which a
        sweep must not come before. That is waited for, but not for long.
        """
        if not self._no_settle.wait(SETTLE_WAIT_S):
            return None
        with self._noting:
            self._extended_at = -math.inf
        told = self._beat()
        return told if self._no_settle.is_set() else None  # one may have begun meanwhile

    def round(self) -> None:
        """Extend the lease if that is due, else look whether the task is still ours."""
        self._beat()

    def _beat(self) -> bool:
        """Do a round; whether the store answered, or was not to be asked."""
        with self._calling:
            claim = self._claim
            if claim is None:
                return True
            try:
                reason = self._tell_store(claim)
            except Fenced as fenced:
                reason = fenced.reason
            except (TaskNotFound, QueueForbidden, QueueIncompatible) as refused:
                reason = str(refused)
            except QueueUnavailable as trouble:
                _log.warning("the lease is not extended: %s", trouble)  # the next beat tries
                return False
        if reason:
            with self._noting:
                ours, self._claim = self._claim is claim, None
            if ours:
                self._on_lost(claim.token, reason)
        return True

    def _tell_store(self, claim: Claim) -> str:
        """Say why the claim is lost, or ""."""
        with self._noting:
            started, self._started_due = self._started_due, False
            due = self._progress_due or self._clock() - self._extended_at >= self._heartbeat_s
            progress = self._progress
        if started:
            try:
                self._store.mark_started(claim.token)
            except QueueUnavailable:
                self._started_due = True
                raise
        if due:
            self._store.extend(claim.token, lease_s=self._lease_s, progress=progress)
            with self._noting:
                self._extended_at = self._clock()
                self._progress_due = self._progress is not progress
            return ""
        task = self._store.get(claim.task.id)
        if task.status is TaskStatus.IN_PROGRESS:
            return ""
        return task.error_message or f"the task is {task.status}"
