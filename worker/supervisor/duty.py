"""A background duty: a thread of the supervisor that outlives whatever one round of it meets."""

import logging
import threading
from abc import ABC, abstractmethod
from typing import Self

STOP_WAIT_S = 1.0  # a thread that waits for the queue is not waited for: it dies with the process
_log = logging.getLogger(__name__)


class Duty(ABC):
    """Does one round after another for the length of a `with` block."""

    def __init__(self, name: str) -> None:
        self._duty = name
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def round(self) -> None:
        """Do what is due. What this raises is logged whole, and the next round comes."""

    @property
    @abstractmethod
    def patience_s(self) -> float | None:
        """Seconds to the next round, unless something wakes it; None waits to be woken."""

    def wake(self) -> None:
        """Have the next round now."""
        self._wake.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=STOP_WAIT_S)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.round()
            except Exception:  # noqa: BLE001 - whatever it is, the duty goes on
                _log.exception("%s met what it does not know, and goes on", self._duty)
            self._wake.wait(self.patience_s)
            self._wake.clear()
