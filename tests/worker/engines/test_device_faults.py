"""What torch raises says what is wrong with the device; where one is, that raises it itself."""

import subprocess
import sys

import pytest
import torch

from worker.engines.device_faults import DeviceFault, device_fault, device_lost, unheard_fault
from worker.errors import EngineError, InputError

NO_GPU = "needs a CUDA device"
# Each ends its CUDA for the whole process, so each has one of its own.
ASSERT = """
rows = torch.nn.Embedding(4, 8).cuda()
rows(torch.tensor([8], device="cuda")).cpu()
"""
WILD = """
source = 'extern "C" __global__ void wild(float* at) { at[1LL << 40] = 1.0f; }'
kernel = torch.cuda._compile_kernel(source, "wild")
kernel(grid=(1, 1, 1), block=(1, 1, 1), args=[torch.zeros(1, device="cuda")])
torch.cuda.synchronize()
"""
TOLD = """
import sys
import torch
from worker.engines.device_faults import device_fault, unheard_fault
try:
    exec(sys.argv[1])
except Exception as exc:
    print(device_fault(exc).value)
print(device_fault(unheard_fault()).value)
"""


class Numbered(RuntimeError):
    """An error of a library that has numbers of its own."""

    error_code = 100


def of_cuda(said: str, code: int | None = None) -> torch.AcceleratorError:
    """Make torch's exception of an error of CUDA, with its number if it has one."""
    error = torch.AcceleratorError(f"CUDA error: {said}")
    if code is not None:
        error.error_code = code
    return error


@pytest.mark.parametrize(
    "exc",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        of_cuda("out of memory", 2),
        of_cuda("out of memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED at CUDACachingAllocator.cpp:1131"),
    ],
    ids=["type", "number", "words", "old torch", "cuBLAS", "cuDNN", "NVML"],
)
def test_memory_that_is_used_up_leaves_the_device_well(exc: BaseException) -> None:
    """Whichever library asked for it."""
    assert device_fault(exc) is DeviceFault.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "exc",
    [
        of_cuda("device-side assert triggered", 710),
        of_cuda("an illegal memory access was encountered", 700),
        of_cuda("unspecified launch failure", 719),
        of_cuda("uncorrectable ECC error encountered", 214),
        of_cuda("unknown error", 999),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
    ids=["assert", "access", "launch", "ECC", "unknown", "old torch", "cuBLAS", "cuDNN"],
)
def test_any_other_error_of_cuda_poisons_the_device(exc: BaseException) -> None:
    """By its type, or by its text where torch is older."""
    assert device_fault(exc) is DeviceFault.POISONED


@pytest.mark.parametrize(
    "exc",
    [
        of_cuda("CUDA-capable device(s) is/are busy or unavailable", 46),
        of_cuda("no CUDA-capable device is detected", 100),
        RuntimeError("CUDA error: no CUDA-capable device is detected"),
        of_cuda("system not yet initialized", 802),
    ],
    ids=["unavailable", "none", "old torch", "not ready"],
)
def test_a_device_that_is_gone_is_told_from_one_that_is_poisoned(exc: BaseException) -> None:
    """No other process could do the task on it either."""
    assert device_fault(exc) is DeviceFault.GONE


@pytest.mark.parametrize(
    "exc",
    [
        RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        ValueError("CUDA error: said by somebody"),
        Numbered("no such channel"),
        EngineError("no"),
        MemoryError(),
    ],
    ids=["shape", "main memory", "another type", "another's number", "ours", "Python's"],
)
def test_other_errors_say_nothing_of_the_device(exc: BaseException) -> None:
    """A process that is well is not replaced."""
    assert device_fault(exc) is None


def test_an_error_of_cuda_counts_behind_another() -> None:
    """A LoRA that "does not fit" may be a device that computes nothing any more."""
    refusal = InputError("a.safetensors", "does not fit")
    refusal.__cause__ = of_cuda("an illegal memory access was encountered", 700)
    assert device_fault(refusal) is DeviceFault.POISONED


def test_poison_is_worse_than_a_lack_of_memory() -> None:
    """Nothing may be tried a second time on a poisoned device."""
    raised = torch.OutOfMemoryError("CUDA out of memory.")
    raised.__context__ = of_cuda("unspecified launch failure", 719)
    assert device_fault(raised) is DeviceFault.POISONED


@pytest.mark.skipif(torch.cuda.is_available(), reason="of a machine without CUDA")
def test_without_cuda_nothing_is_unheard_and_nothing_lost() -> None:
    """Asking does not begin to use CUDA."""
    assert unheard_fault() is None
    assert device_lost() == ""
    assert not torch.cuda.is_initialized()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_a_device_without_room_says_so() -> None:
    """By allocating more than there is; afterwards it computes."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8, device="cuda")
    assert device_fault(caught.value) is DeviceFault.OUT_OF_MEMORY
    assert unheard_fault() is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
@pytest.mark.parametrize("program", [ASSERT, WILD], ids=["assert", "illegal access"])
def test_a_device_that_a_kernel_has_poisoned_says_so(program: str) -> None:
    """An index that no table has, an address that no memory has; and at each later call again."""
    done = subprocess.run(
        [sys.executable, "-c", TOLD, program], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["poisoned", "poisoned"], done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_a_device_that_is_there_is_not_lost() -> None:
    """NVML finds it by the number that torch has of it."""
    torch.zeros(1, device="cuda")
    assert device_lost() == ""
