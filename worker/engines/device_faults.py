"""What an exception says of the device: its memory is used up, it is poisoned, or it is gone.

torch 2.9 and later raise an `AcceleratorError` with CUDA's own number; earlier ones, and the
libraries below, a `RuntimeError` that says "CUDA error". Nothing here imports torch: where it is
not loaded, nothing of its own can have been raised.
"""

import sys
from enum import Enum
from typing import Any, Final

from telemetry.recorder.exceptions import chain, message
from worker.engines import nvml


class DeviceFault(Enum):
    """What is wrong with a device.

    OUT_OF_MEMORY: the call found no room; the device is well. POISONED: every later call of this
    process fails, too; another process may be well. GONE: no process can compute on it.
    """

    OUT_OF_MEMORY = "out of memory"
    POISONED = "poisoned"
    GONE = "gone"


# Numbers of `cudaError_t`, the same since CUDA 10.1. What is raised where CUDA is begun with is not
# among them: a process begins before its first task, and says then that its device is not ready.
_NO_MEMORY: Final = 2
_GONE_CODES: Final = frozenset(
    {
        46,  # cudaErrorDevicesUnavailable
        100,  # cudaErrorNoDevice
        802,  # cudaErrorSystemNotReady
        803,  # cudaErrorSystemDriverMismatch
    }
)
_NO_MEMORY_TEXTS: Final = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
    # The allocator asks NVML for the text of its own error, and trips where NVML does not answer.
    "NVML_SUCCESS == ",
)
_GONE_TEXTS: Final = (
    "CUDA-capable device(s) is/are busy or unavailable",
    "no CUDA-capable device is detected",
    "system not yet initialized",
    "unsupported display driver / cuda driver combination",
)
# Of the poisoned: the hardware has failed, and what ran on it is not to blame.
_HARDWARE_CODES: Final = frozenset(
    {
        214,  # cudaErrorECCUncorrectable
        220,  # cudaErrorNvlinkUncorrectable
    }
)
_HARDWARE_TEXTS: Final = ("uncorrectable ECC error", "uncorrectable NVLink error")
_POISON_TEXTS: Final = (
    "CUDA error:",
    "CUDA driver error:",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "CUDNN_STATUS_MAPPING_ERROR",
)


def device_fault(exc: BaseException) -> DeviceFault | None:
    """Say what an exception, or one behind it, says of the device; None where it says nothing.

    The worst is what counts: an exception may hide what it was raised in the handling of.
    """
    found = {_of_one(link.exception) for link in chain(exc)}
    worst_first = (DeviceFault.GONE, DeviceFault.POISONED, DeviceFault.OUT_OF_MEMORY)
    return next((fault for fault in worst_first if fault in found), None)


def is_of_hardware(exc: BaseException) -> bool:
    """Whether an exception, or one behind it, says that the device itself has failed."""
    return any(_says_hardware(link.exception) for link in chain(exc))


def _says_hardware(exc: BaseException) -> bool:
    if _of_one(exc) is not DeviceFault.POISONED:
        return False
    text = message(exc)
    return getattr(exc, "error_code", None) in _HARDWARE_CODES or any(
        one in text for one in _HARDWARE_TEXTS
    )


def unheard_fault() -> BaseException | None:
    """Ask CUDA whether all that was asked of it has gone well; return what it says if not.

    An engine may have kept an error to itself: the device is then found poisoned by its next task.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    try:
        torch.cuda.synchronize()
    except RuntimeError as exc:
        return exc if device_fault(exc) is not None else None
    return None


def device_lost() -> str:
    """Ask NVML, which needs no CUDA, why the device in use cannot be had any more; "" if it can."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    try:
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    except RuntimeError:
        return ""
    return nvml.lost(str(properties.uuid))


def _of_one(exc: BaseException) -> DeviceFault | None:
    if not isinstance(exc, RuntimeError):
        return None
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(exc, torch.OutOfMemoryError):
        return DeviceFault.OUT_OF_MEMORY
    accelerator_error = getattr(torch, "AcceleratorError", None)
    is_of_cuda = accelerator_error is not None and isinstance(exc, accelerator_error)
    code = getattr(exc, "error_code", None) if is_of_cuda else None
    if code == _NO_MEMORY:
        return DeviceFault.OUT_OF_MEMORY
    if code in _GONE_CODES:
        return DeviceFault.GONE
    fault = _by_text(message(exc))
    return DeviceFault.POISONED if fault is None and is_of_cuda else fault


def _by_text(said: str) -> DeviceFault | None:
    """Go by the words; the first kind that matches is it, for a text of one has another's words."""
    for texts, fault in (
        (_NO_MEMORY_TEXTS, DeviceFault.OUT_OF_MEMORY),
        (_GONE_TEXTS, DeviceFault.GONE),
        (_POISON_TEXTS, DeviceFault.POISONED),
    ):
        if any(text in said for text in texts):
            return fault
    return None
