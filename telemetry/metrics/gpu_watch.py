"""Watches the GPUs in a thread of its own: a driver that is stuck holds up nothing else."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

from telemetry import names
from telemetry.metrics.gpu import Gpu, GpuReader, NvmlReader
from telemetry.metrics.meters import Look, Observed

EVERY_S: Final = 10.0
AFTER_TROUBLE_S: Final = 60.0
STALE_AFTER_S: Final = 60.0
_VENDOR: Final = "NVIDIA"
_log = logging.getLogger(__name__)


class GpuWatch:
    """Reads the GPUs again and again for the length of a `with` block, and shows the newest values.

    A machine without a GPU, or without the library, is said once, at INFO; so is each new trouble
    of one that has answered before, and a reading that does not end. Values older than
    `STALE_AFTER_S` are not shown; `loop26.gpu.reading.age` then says for how long.

    Args:
        reader: Reads the GPUs.
        every_s: Seconds between two readings; longer after trouble.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        reader: GpuReader | None = None,
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader or NvmlReader()
        self._every_s = every_s
        self._clock = clock
        self._gpus: tuple[Gpu, ...] = ()
        self._answered_at = clock()
        self._answered = False
        self._reading = False
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gpu-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()  # not joined: it may be stuck, and dies with the process

    def looks(self) -> Mapping[str, Look]:
        """Say how the instruments of GPUs are looked at."""
        return {
            names.GPU_UTILIZATION: lambda: self._each(_utilization),
            names.GPU_MEMORY_UTILIZATION: lambda: self._each(_memory_utilization),
            names.GPU_MEMORY_USAGE: lambda: self._each(lambda gpu: (gpu.memory_used, {})),
            names.GPU_MEMORY_LIMIT: lambda: self._each(lambda gpu: (gpu.memory_total, {})),
            names.GPU_TEMPERATURE: lambda: self._each(_temperature),
            names.GPU_POWER: lambda: self._each(lambda gpu: (gpu.power_w, {names.HW_TYPE: "gpu"})),
            names.GPU_READING_AGE: self._age,
        }

    def read(self) -> bool:
        """Read once; False after trouble, which is said."""
        self._reading = True
        readings = self._reader.read()
        self._reading = False
        if readings.gpus:
            self._gpus, self._answered_at, self._answered = readings.gpus, self._clock(), True
        if not readings.trouble:
            self._told.clear()
            return True
        level = logging.WARNING if self._answered else logging.INFO
        self._tell(level, f"no metrics of a GPU: {readings.trouble}")
        return False

    def _watch(self) -> None:
        while not self._stopping.is_set():
            well = self.read()
            self._stopping.wait(self._every_s if well else max(self._every_s, AFTER_TROUBLE_S))

    def _tell(self, level: int, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            _log.log(level, "%s", sentence)

    def _each(
        self, value_of: Callable[[Gpu], tuple[float | None, Mapping[str, Any]]]
    ) -> Iterator[Observed]:
        if self._clock() - self._answered_at > STALE_AFTER_S:
            return
        for gpu in self._gpus:
            value, more = value_of(gpu)
            if value is not None:
                yield Observed(value, {**_attributes(gpu), **more})

    def _age(self) -> Iterator[Observed]:
        """Show how old the values are; nothing on a machine that has never had any."""
        age_s = self._clock() - self._answered_at
        stuck = self._reading and age_s > STALE_AFTER_S
        if stuck:
            self._tell(logging.WARNING, "the GPU's driver does not answer NVML")
        if self._answered or stuck:
            yield Observed(age_s)


def _attributes(gpu: Gpu) -> dict[str, Any]:
    return {
        names.HW_ID: gpu.id,
        names.HW_NAME: gpu.name,
        names.HW_VENDOR: _VENDOR,
        names.HW_DRIVER_VERSION: gpu.driver,
    }


def _utilization(gpu: Gpu) -> tuple[float | None, Mapping[str, Any]]:
    return gpu.utilization, {names.HW_GPU_TASK: "general"}


def _memory_utilization(gpu: Gpu) -> tuple[float | None, Mapping[str, Any]]:
    if gpu.memory_used is None or not gpu.memory_total:
        return None, {}
    return gpu.memory_used / gpu.memory_total, {}


def _temperature(gpu: Gpu) -> tuple[float | None, Mapping[str, Any]]:
    return gpu.temperature_c, {names.HW_PARENT: gpu.id}
