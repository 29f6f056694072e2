"""Signals: SIGTERM and SIGINT ask the supervisor to stop, from its first line to its last."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """SIGTERM or SIGINT has come."""

    number: int

    @property
    def name(self) -> str:
        """The signal's name."""
        return signal.Signals(self.number).name


@contextmanager
def stop_signals(tell: Callable[[StopAsked], None]) -> Iterator[None]:
    """Have both signals told for the length of a `with` block; main thread only.

    `tell` is called between two lines of Python of the main thread, and must not block.
    """

    def handle(number: int, _frame: object) -> None:
        tell(StopAsked(number=number))

    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
