"""Patience with a bucket: what may pass is asked again, with growing pauses and for so long."""

import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from worker.output.bucket import StorageUnavailable

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 10.0
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Patience:
    """Asks a bucket until it answers.

    Args:
        seconds: For how long one thing is asked before `StorageUnavailable` is let through.
        clock: Seconds that never go back.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._sleep = sleep

    def __call__(
        self,
        ask: Callable[[], _T],
        *,
        between: Callable[[], None] = lambda: None,
        seconds: float | None = None,
    ) -> _T:
        """Return what is answered; what `between` raises, before each new try, ends it."""
        until = self._clock() + (self.seconds if seconds is None else seconds)
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return ask()
            except StorageUnavailable as trouble:
                # Not all at once: workers that lost the same storage come back to it together.
                pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - to part them, no secret
                if self._clock() + pause_s > until:
                    raise
                if wait_s == _FIRST_WAIT_S:
                    _log.warning("asked again: %s", trouble)
            self._sleep(pause_s)
            between()
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
