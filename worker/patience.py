"""Patience with a server: what may pass is asked again, with growing pauses and for so long."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from worker.errors import WorkerError

_T = TypeVar("_T")


class Patience:
    """Asks until it is answered, or told what will not pass.

    Args:
        seconds: For how long one thing is asked before an error that may pass is let through.
        first_s: The first pause; each is twice as long as the one before, and a part of it is cut
            off at random: workers that lost the same server come back to it together.
        longest_s: The longest pause.
        tell: Is told of the first trouble with each thing that is asked again.
        clock: Seconds that never go back.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        first_s: float = 0.1,
        longest_s: float = 5.0,
        tell: Callable[[WorkerError], object] = lambda _trouble: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._first_s = first_s
        self._longest_s = longest_s
        self._tell = tell
        self._clock = clock
        self._sleep = sleep

    def __call__(
        self,
        ask: Callable[[], _T],
        *,
        between: Callable[[], None] = lambda: None,
        passes: Callable[[WorkerError], bool] = lambda trouble: trouble.retryable,
        seconds: float | None = None,
    ) -> _T:
        """Return what is answered; what `between` raises, before each new try, ends it.

        Raises what `ask` raises: at once where that does not pass.
        """
        until = self._clock() + (self.seconds if seconds is None else seconds)
        wait_s = self._first_s
        while True:
            try:
                return ask()
            except WorkerError as trouble:
                pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - to part them, no secret
                if not passes(trouble) or self._clock() + pause_s > until:
                    raise
                if wait_s == self._first_s:
                    self._tell(trouble)
            self._sleep(pause_s)
            between()
            wait_s = min(2 * wait_s, self._longest_s)
