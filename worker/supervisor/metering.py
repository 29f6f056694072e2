"""A worker's metrics, put together: measured from journals, looked at in threads of their own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Self

from telemetry.journal import ProcessFacts
from telemetry.metrics import OLDEST_S, GpuWatch, MeasuringStream, Meters
from telemetry.shipper import OtlpTarget, Shipper
from worker.store.base import TaskStore
from worker.supervisor import metrics
from worker.supervisor.metrics_queue import QueueWatch
from worker.supervisor.presence import Presence

LAST_EXPORT_S: Final = 1.0


class Metering:
    """Measures for the length of a `with` block; nothing, where nobody is to get it.

    The block must enclose that of the shipper: what the last journal records tell is exported at
    its end, in `LAST_EXPORT_S` at the most.

    Args:
        shipper: Reads the journals.
        target: Where spans and logs go; None where telemetry stays local.
        every_s: Seconds between two exports; 0 sends none.
    """

    def __init__(self, shipper: Shipper, target: OtlpTarget | None, *, every_s: float) -> None:
        self._shipper = shipper
        self._meters = Meters(target, every_s=every_s) if target and every_s else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._meters is not None:
            self._meters.stop(LAST_EXPORT_S)

    def begin(self, facts: ProcessFacts) -> None:
        """Begin to measure, as this process; before the shipper is started."""
        if self._meters is not None:
            self._meters.start(facts)
            self._shipper.also_feed(MeasuringStream(self._meters.take), newest_s=OLDEST_S)

    @contextmanager
    def show(
        self,
        presence: Presence,
        store: TaskStore,
        task_types: Sequence[str],
        unclosed: Callable[[], int],
    ) -> Iterator[None]:
        """Look at the worker, its queue and its GPUs for the length of a `with` block.

        Args:
            presence: The worker's.
            store: The queue.
            task_types: Those that the worker accepts.
            unclosed: Counts the ends that the supervisor could not write yet.
        """
        if (meters := self._meters) is None:
            yield
            return
        gpus = GpuWatch()
        depth = QueueWatch(store, task_types, every_s=meters.every_s)
        with gpus, depth:
            meters.observe(metrics.looks(presence, self._shipper, meters, unclosed))
            meters.observe({**gpus.looks(), **depth.looks()})
            yield
