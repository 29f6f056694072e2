"""The end of a supervisor: with which exit code, and until when what is in hand may take."""

import time

from worker.console import Console
from worker.supervisor.signals import StopAsked


class Ending:
    """Knows whether the end is near, and how long it may take.

    Attributes:
        code: The exit code, once the supervisor is to end; the first that was said.
        by: Until when what is in hand may take, by the monotonic clock; None while no end is near.
    """

    def __init__(self, grace_s: float, console: Console) -> None:
        self._grace_s = grace_s
        self._console = console
        self.code: int | None = None
        self.by: float | None = None

    def ask(self, asked: StopAsked) -> None:
        """A signal asks for the end; another one has no patience with what is in hand."""
        if self.by is None:
            self.draw_near()
            said = f"{asked.name}: finishing the task in hand"
            self._console.note("info", said, grace_s=self._grace_s)
        else:
            self.by = 0.0
            self._console.note("warning", f"{asked.name} again: giving the task back")

    def draw_near(self) -> None:
        """Give what is in hand the time that it may take, from now on."""
        if self.by is None:
            self.by = time.monotonic() + self._grace_s

    def stop(self, code: int) -> None:
        """End as soon as can be."""
        if self.code is None:
            self.code = code

    @property
    def is_near(self) -> bool:
        """Whether nothing new is to be begun."""
        return self.by is not None

    @property
    def is_due(self) -> bool:
        """Whether what is in hand has had its time."""
        return self.by is not None and time.monotonic() >= self.by
