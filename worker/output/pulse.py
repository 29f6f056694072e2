"""The pulse of a long upload: a claim is held for as long as its files are on their way."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Final

BEAT_S: Final = 10.0
_log = logging.getLogger(__name__)


class Pulse:
    """Calls `hold` every so often, and remembers when it said that the claim is lost.

    Trouble that may pass (`retryable`) is passed over: the next beat asks again, and the last
    word is `beat`'s, before anything becomes visible.
    """

    def __init__(self, hold: Callable[[], None]) -> None:
        self._hold = hold
        self._over = threading.Event()
        self._lost: Exception | None = None

    def check(self) -> None:
        """Raise what a beat has said: that the claim is lost."""
        if self._lost is not None:
            raise self._lost

    def beat(self) -> None:
        """Hold the claim now. Raises what `hold` raises."""
        self.check()
        self._hold()

    def run(self, every_s: float) -> None:
        """Beat until `stop`, in a thread of its own."""
        while not self._over.wait(every_s) and self._lost is None:
            try:
                self._hold()
            except Exception as exc:  # noqa: BLE001 - decided on by who publishes
                if getattr(exc, "retryable", False):
                    _log.warning("a claim could not be extended: %s", exc)
                else:
                    self._lost = exc

    def stop(self) -> None:
        """End `run`."""
        self._over.set()


@contextlib.contextmanager
def beating(hold: Callable[[], None], every_s: float) -> Iterator[Pulse]:
    """Hold a claim for the length of a `with` block."""
    pulse = Pulse(hold)
    run = copy_context().run  # what it logs belongs to the task
    thread = threading.Thread(target=run, args=(pulse.run, every_s), name="pulse", daemon=True)
    thread.start()
    try:
        yield pulse
    finally:
        pulse.stop()
        thread.join()
