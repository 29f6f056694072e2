"""The upload of an output: a thread does it, while the GPU is at work on the next task."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final

from worker.errors import QueueUnavailable

RETRY_S: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An upload is over, well or not: its task can be settled."""


class Upload:
    """Publishes the output of one attempt, once, in a thread of its own.

    It raises nothing and settles nothing: what came of it is there for the settle to ask. The claim
    is held meanwhile by the queue; while that is away, it is tried again, for as long as it takes.

    Args:
        publish: Publishes the files, and returns where they are. May be called again.
        tell: Called from the thread when it is over.

    Attributes:
        began_ns: When it began; 0 before that.
    """

    def __init__(self, publish: Callable[[], tuple[str, ...]], tell: Callable[[], None]) -> None:
        self._publish = publish
        self._tell = tell
        self._published: Future[tuple[str, ...]] = Future()
        self.began_ns = 0

    def begin(self) -> None:
        """Begin; what is logged of it belongs to the span that is current now."""
        self.began_ns = time.time_ns()
        run = copy_context().run
        threading.Thread(target=run, args=(self._run,), name="upload", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether the files are published, or will not be."""
        return self._published.done()

    def locations(self) -> tuple[str, ...]:
        """Return where the files are, once it is over. Raises what it failed with."""
        return self._published.result()

    def _run(self) -> None:
        try:
            self._published.set_result(self._until_published())
        except BaseException as exc:  # noqa: BLE001 - the settle raises it, and decides
            self._published.set_exception(exc)
        self._tell()

    def _until_published(self) -> tuple[str, ...]:
        while True:
            try:
                return self._publish()
            except QueueUnavailable as trouble:
                _log.warning("the claim of an output cannot be held: %s", trouble)
            time.sleep(RETRY_S)
