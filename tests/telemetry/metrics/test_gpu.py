"""What NVML says of GPUs, and what becomes of it where it says nothing."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from threading import Event
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from telemetry import names
from telemetry.metrics import GpuWatch
from telemetry.metrics.gpu import Gpu, NvmlReader, Readings
from telemetry.metrics.gpu_watch import STALE_AFTER_S
from telemetry.testing import wait_until

GIB = 2**30


class Library:
    """Stands for the driver behind `pynvml`: its functions, its constants and its very errors."""

    def __init__(self, **faults: Exception) -> None:
        self.faults = faults
        self.begun = 0
        self.ended = 0

    def __getattr__(self, name: str) -> Any:
        """Give pynvml's errors and constants as they are, and its functions as the driver's."""
        if not name.startswith("nvml") or name == "nvml":
            return getattr(pynvml, name)
        if name not in _ANSWERS:
            raise AttributeError(name)

        def call(*asked: Any) -> Any:
            if name in self.faults:
                raise self.faults[name]
            return _ANSWERS[name](self, *asked)

        return call


def _begin(library: Library) -> None:
    library.begun += 1


def _end(library: Library) -> None:
    library.ended += 1


_ANSWERS: dict[str, Callable[..., Any]] = {
    "nvmlInit": _begin,
    "nvmlShutdown": _end,
    "nvmlSystemGetDriverVersion": lambda _: "580.95",
    "nvmlDeviceGetCount": lambda _: 2,
    "nvmlDeviceGetHandleByIndex": lambda _, index: index,
    "nvmlDeviceGetUUID": lambda _, gpu: f"GPU-{gpu}",
    "nvmlDeviceGetName": lambda _, gpu: f"NVIDIA H200 {gpu}",
    "nvmlDeviceGetUtilizationRates": lambda _, _gpu: SimpleNamespace(gpu=87, memory=40),
    "nvmlDeviceGetMemoryInfo": lambda _, _gpu: SimpleNamespace(
        total=140 * GIB, used=35 * GIB, free=105 * GIB
    ),
    "nvmlDeviceGetTemperature": lambda _, _gpu, _sensor: 64,
    "nvmlDeviceGetPowerUsage": lambda _, _gpu: 412_500,
}


class Clock:
    """Seconds that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def reader(**faults: Exception) -> NvmlReader:
    """Make a reader of a driver with these faults."""
    library = Library(**faults)
    return NvmlReader(lambda: library)


def shown(watch: GpuWatch, name: str) -> list[tuple[float, Any]]:
    """Return what a watch shows of an instrument, with the GPU's id."""
    return [(one.value, one.attributes.get(names.HW_ID)) for one in watch.looks()[name]()]


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return what was logged, with its level."""
    return [(one.levelno, one.getMessage()) for one in caplog.records]


def test_a_gpu_is_read_whole() -> None:
    """In base units: fractions, bytes, degrees Celsius, watts."""
    readings = reader().read()
    assert (len(readings.gpus), readings.trouble) == (2, "")
    assert readings.gpus[0] == Gpu(
        id="GPU-0",
        name="NVIDIA H200 0",
        driver="580.95",
        utilization=0.87,
        memory_used=35 * GIB,
        memory_total=140 * GIB,
        temperature_c=64,
        power_w=412.5,
    )


@pytest.mark.parametrize("missing", [pynvml.NVMLError_NotSupported, pynvml.NVMLError_NoPermission])
def test_a_value_that_a_gpu_does_not_have_is_missing_alone(missing: type[Exception]) -> None:
    """A part of one (MIG) has no utilisation, a laptop no power."""
    faults = {"nvmlDeviceGetUtilizationRates": missing(), "nvmlDeviceGetPowerUsage": missing()}
    (gpu, _), trouble = (readings := reader(**faults).read()).gpus, readings.trouble
    assert (gpu.utilization, gpu.power_w, gpu.temperature_c, trouble) == (None, None, 64, "")


def test_a_gpu_that_is_lost_is_said_and_the_library_begun_anew() -> None:
    """Its driver may be loaded again meanwhile."""
    library = Library(nvmlDeviceGetMemoryInfo=pynvml.NVMLError_GpuIsLost())
    one = NvmlReader(lambda: library)
    lost = one.read()
    assert "GPU 1: NVMLError_GpuIsLost" in lost.trouble
    library.faults.clear()
    assert len(one.read().gpus) == 2
    assert (library.begun, library.ended) == (2, 1)


def test_a_gpu_whose_answer_is_not_understood_is_said() -> None:
    """The thread that reads goes on: another GPU, or another time, may be better."""
    garbled = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    readings = reader(nvmlDeviceGetName=garbled).read()
    assert "GPU 1: UnicodeDecodeError" in readings.trouble


def test_without_nvml_there_is_nothing_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By the library itself, on a machine that has no driver."""
    if _has_driver():
        pytest.skip("this machine has a driver")
    caplog.set_level(logging.INFO)
    watch = GpuWatch(NvmlReader())
    assert [watch.read() for _ in range(3)] == [False] * 3
    ((level, sentence),) = said(caplog)
    assert (level, sentence) == (
        logging.INFO,
        "no metrics of a GPU: NVMLError_LibraryNotFound: NVML Shared Library Not Found",
    )
    assert [shown(watch, name) for name in watch.looks()] == [[]] * len(watch.looks())


def test_without_the_package_there_is_nothing_either(caplog: pytest.LogCaptureFixture) -> None:
    """As in an installation that left it out."""

    def absent() -> Any:
        raise ModuleNotFoundError("No module named 'pynvml'")

    caplog.set_level(logging.INFO)
    assert not GpuWatch(NvmlReader(absent)).read()
    assert "ModuleNotFoundError" in said(caplog)[0][1]


def test_what_is_read_is_shown_with_the_gpu_that_it_is_of() -> None:
    """By the conventions' names."""
    watch = GpuWatch(reader())
    assert watch.read()
    assert shown(watch, names.GPU_UTILIZATION) == [(0.87, "GPU-0"), (0.87, "GPU-1")]
    assert shown(watch, names.GPU_MEMORY_USAGE)[0] == (35 * GIB, "GPU-0")
    assert shown(watch, names.GPU_MEMORY_LIMIT)[0] == (140 * GIB, "GPU-0")
    assert shown(watch, names.GPU_MEMORY_UTILIZATION)[0] == (0.25, "GPU-0")
    assert shown(watch, names.GPU_TEMPERATURE)[0] == (64, "GPU-0")
    (power, _) = watch.looks()[names.GPU_POWER]()
    assert power.attributes == {
        names.HW_ID: "GPU-0",
        names.HW_NAME: "NVIDIA H200 0",
        names.HW_VENDOR: "NVIDIA",
        names.HW_DRIVER_VERSION: "580.95",
        names.HW_TYPE: "gpu",
    }


def test_a_gpu_that_stops_answering_is_said_once_and_shows_nothing_old(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its age tells for how long; once it is back, the next trouble is said again."""
    library, clock = Library(), Clock()
    watch = GpuWatch(NvmlReader(lambda: library), clock=clock)
    for _ in range(2):
        library.faults.clear()
        assert watch.read()
        assert shown(watch, names.GPU_POWER)[0] == (412.5, "GPU-0")
        library.faults["nvmlDeviceGetCount"] = pynvml.NVMLError_GpuIsLost()
        assert [watch.read() for _ in range(3)] == [False] * 3
        clock.now += STALE_AFTER_S + 1
        assert shown(watch, names.GPU_POWER) == []
        assert shown(watch, names.GPU_READING_AGE) == [(STALE_AFTER_S + 1, None)]
    lost = (logging.WARNING, "no metrics of a GPU: NVMLError_GpuIsLost: GPU is lost")
    assert said(caplog) == [lost, lost]


class Stuck:
    """A driver that does not come back from its second call."""

    def __init__(self) -> None:
        self.calls = 0
        self.released = Event()

    def read(self) -> Readings:
        """Answer once, then not."""
        self.calls += 1
        if self.calls > 1:
            self.released.wait(60)
        return reader().read()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """A driver that gets stuck, until the test is over."""
    driver = Stuck()
    yield driver
    driver.released.set()


def test_a_driver_that_is_stuck_holds_up_nobody(
    stuck: Stuck, caplog: pytest.LogCaptureFixture
) -> None:
    """Who looks is answered at once, and the end of the block does not wait."""
    clock = Clock()
    with GpuWatch(stuck, every_s=0.001, clock=clock) as watch:
        wait_until(lambda: stuck.calls == 2)
        assert len(shown(watch, names.GPU_POWER)) == 2
        clock.now += STALE_AFTER_S + 1
        assert shown(watch, names.GPU_POWER) == []
        for _ in range(3):
            assert shown(watch, names.GPU_READING_AGE) == [(STALE_AFTER_S + 1, None)]
    assert not stuck.released.is_set()
    assert said(caplog) == [(logging.WARNING, "the GPU's driver does not answer NVML")]


def test_a_task_process_does_not_load_nvml() -> None:
    """Nor does whoever only imports metrics: the library is loaded where GPUs are read."""
    code = "import sys, telemetry.metrics; print('pynvml' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "False"


@pytest.mark.gpu
def test_a_real_gpu_is_read() -> None:
    """Every value of the first one makes sense."""
    if not _has_driver():
        pytest.skip("no NVIDIA driver")
    readings = NvmlReader().read()
    assert readings.trouble == ""
    gpu = readings.gpus[0]
    assert gpu.id.startswith(("GPU-", "MIG-"))
    assert gpu.memory_total is not None
    assert gpu.memory_used is not None
    assert 0 < gpu.memory_used <= gpu.memory_total
    assert gpu.utilization is None or 0 <= gpu.utilization <= 1
    assert gpu.temperature_c is None or 0 < gpu.temperature_c < 120
    assert gpu.power_w is None or 0 < gpu.power_w < 2000


def _has_driver() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    pynvml.nvmlShutdown()
    return True
