"""How many tasks wait in the queue, and for how long: asked now and then, never by who claims."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from telemetry import names
from telemetry.metrics import Look, Observed
from worker.errors import QueueError
from worker.store.depth import Depth, TellsDepth
from worker.supervisor.duty import Duty

STALE_ROUNDS: Final = 3
_log = logging.getLogger(__name__)


class QueueWatch(Duty):
    """A thread that asks the queue for its depth.

    What it was told is shown until it is three rounds old: while the queue is away nothing is
    shown, rather than what was true before.

    Args:
        store: The queue.
        task_types: Those that this worker accepts.
        every_s: Seconds between two questions.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        store: TellsDepth,
        task_types: Sequence[str],
        *,
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("queue-watch")
        self._store = store
        self._task_types = tuple(task_types)
        self._every_s = every_s
        self._clock = clock
        self._depths: Sequence[Depth] = ()
        self._asked_at = clock()
        self._is_away = False

    @property
    def patience_s(self) -> float:
        """Until the next question."""
        return self._every_s

    def round(self) -> None:
        """Ask once; trouble is said once."""
        try:
            depths = self._store.depths(self._task_types)
        except QueueError as trouble:
            if not self._is_away:
                _log.warning("the queue's depth cannot be measured: %s", trouble)
            self._is_away = True
            return
        self._depths, self._asked_at, self._is_away = depths, self._clock(), False

    def looks(self) -> Mapping[str, Look]:
        """Say how the queue's instruments are looked at."""
        return {names.QUEUE_TASKS: self._tasks, names.QUEUE_OLDEST_AGE: self._ages}

    def _fresh(self) -> Sequence[Depth]:
        age_s = self._clock() - self._asked_at
        return self._depths if age_s < STALE_ROUNDS * self._every_s else ()

    def _tasks(self) -> Iterator[Observed]:
        for depth in self._fresh():
            for state, count in (("ready", depth.ready), ("held", depth.held)):
                yield Observed(count, {names.TASK_TYPE: depth.task_type, names.QUEUE_STATE: state})

    def _ages(self) -> Iterator[Observed]:
        for depth in self._fresh():
            yield Observed(depth.oldest_s, {names.TASK_TYPE: depth.task_type})
