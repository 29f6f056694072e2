"""What NVIDIA's management library says of a device, which it does without the device's memory.

It may be absent, or fail in a container that sees the GPU: then it says nothing, and nobody fails
for that.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

_MOST_PROCESSES: Final = 16
_log = logging.getLogger(__name__)


def lost(uuid: str) -> str:
    """Say why a device cannot be had any more; "" where it can, or where that is not known."""
    with _opened() as nvml:
        if nvml is None:
            return ""
        gone = (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED)
        try:
            nvml.nvmlDeviceGetMemoryInfo(_handle(nvml, uuid))
        except nvml.NVMLError as error:
            return f"NVML says of GPU {uuid}: {error}" if error.value in gone else ""
        return ""


def processes(uuid: str) -> dict[int, int]:
    """Return the bytes that each process holds on a device, by its id; 0 where it is not told."""
    with _opened() as nvml:
        if nvml is None:
            return {}
        try:
            found = nvml.nvmlDeviceGetComputeRunningProcesses(_handle(nvml, uuid))
        except nvml.NVMLError as error:
            _log.info("NVML does not say who uses GPU %s: %s", uuid, error)
            return {}
        return {int(one.pid): int(one.usedGpuMemory or 0) for one in found[:_MOST_PROCESSES]}


@contextmanager
def _opened() -> Iterator[Any]:
    """Give the library for the length of a `with` block; None where it is not there."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        with suppress(pynvml.NVMLError):  # with its GPU, the library may be gone, too
            pynvml.nvmlShutdown()


def _handle(nvml: Any, uuid: str) -> Any:
    return nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
