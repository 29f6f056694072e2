"""The time that one download has, and whether it shall go on."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from worker.inputs.sources import input_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a download must be done.

    Attributes:
        source: Its URL, for the error.
        timeout_s: How long it may take as a whole.
        at: When that is over, on the monotonic clock.
        check: Raises to stop the download.
    """

    source: str
    timeout_s: float
    at: float
    check: Callable[[], None]

    @classmethod
    def after(cls, timeout_s: float, *, source: str, check: Callable[[], None]) -> "Deadline":
        """Start the time now."""
        at = time.monotonic() + timeout_s
        return cls(source=source, timeout_s=timeout_s, at=at, check=check)

    def wait_s(self, longest_s: float) -> float:
        """Return how long the next wait may take: `longest_s`, or what is left if that is less.

        Raises:
            InputError: Nothing is left; another try may be quicker.
        """
        self.check()
        left = self.at - time.monotonic()
        if left <= 0:
            problem = f"was not downloaded within {self.timeout_s:g} s"
            raise input_error(self.source, problem, retryable=True)
        return min(longest_s, left)
