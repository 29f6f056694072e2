"""What NVIDIA's management library says of the GPUs; nothing else here imports it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

_PERCENT: Final = 100
_MILLI: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU at one moment; None is what it does not tell, as a part of one (MIG) does not.

    Attributes:
        id: Its UUID, as `GPU-…`.
        utilization: Fraction of the time before in which it computed.
        memory_used: In bytes, by whomever.
        memory_total: In bytes.
        temperature_c: Of its core, in degrees Celsius.
        power_w: In watts.
    """

    id: str
    name: str
    driver: str
    utilization: float | None
    memory_used: int | None
    memory_total: int | None
    temperature_c: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The GPUs that answered, and why another, or any, did not, or ""."""

    gpus: tuple[Gpu, ...]
    trouble: str = ""


class GpuReader(Protocol):
    """Reads the GPUs of this machine."""

    def read(self) -> Readings:
        """Ask every GPU. May take for ever, where a driver is stuck."""
        ...


class NvmlReader:
    """Reads by NVML. To be used from one thread.

    Args:
        library: Returns the module `pynvml`, or what stands for it.
    """

    def __init__(self, library: Callable[[], Any] | None = None) -> None:
        self._library = library or _pynvml
        self._nvml: Any = None
        self._driver = ""

    def read(self) -> Readings:
        """Ask every GPU; after trouble of any, the library is begun anew the next time."""
        try:
            if self._nvml is None:
                self._begin()
            count = self._nvml.nvmlDeviceGetCount()
        except Exception as trouble:  # noqa: BLE001 - no library, no driver, no GPU: it is said
            self._end()
            return Readings(gpus=(), trouble=_said(trouble))
        gpus, said = [], ""
        for index in range(count):
            try:
                gpus.append(self._gpu(index))
            except Exception as trouble:  # noqa: BLE001 - a name may be no text: it is said, too
                said = f"GPU {index}: {_said(trouble)}"
        if said:
            self._end()
        return Readings(gpus=tuple(gpus), trouble=said)

    def _begin(self) -> None:
        nvml = self._library()
        nvml.nvmlInit()
        self._nvml = nvml
        self._driver = str(nvml.nvmlSystemGetDriverVersion())

    def _end(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError:
                return  # there is nothing left to shut down

    def _gpu(self, index: int) -> Gpu:
        nvml = self._nvml
        gpu = nvml.nvmlDeviceGetHandleByIndex(index)
        rates = self._ask(lambda: nvml.nvmlDeviceGetUtilizationRates(gpu))
        memory = self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu))
        core = nvml.NVML_TEMPERATURE_GPU
        power_mw = self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(gpu))
        return Gpu(
            id=str(nvml.nvmlDeviceGetUUID(gpu)),
            name=str(nvml.nvmlDeviceGetName(gpu)),
            driver=self._driver,
            utilization=None if rates is None else rates.gpu / _PERCENT,
            memory_used=None if memory is None else int(memory.used),
            memory_total=None if memory is None else int(memory.total),
            temperature_c=self._ask(lambda: nvml.nvmlDeviceGetTemperature(gpu, core)),
            power_w=None if power_mw is None else power_mw / _MILLI,
        )

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Ask for one value; None where this GPU, its driver or our rights do not have it."""
        nvml = self._nvml
        try:
            return question()
        except (
            nvml.NVMLError_NotSupported,
            nvml.NVMLError_FunctionNotFound,
            nvml.NVMLError_NoPermission,
        ):
            return None


def _pynvml() -> Any:
    import pynvml

    return pynvml


def _said(trouble: Exception) -> str:
    return f"{type(trouble).__name__}: {trouble}"
