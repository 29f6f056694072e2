"""The faults of a device that tests have a task meet: torch's own exceptions, raised for real.

The line that is to be named has the fault's name as its comment.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

# Numbers of `cudaError_t`.
UNAVAILABLE = 46
ASSERT = 710


def no_device_memory(said: str = "CUDA out of memory. Tried to allocate 2.00 GiB.") -> None:
    """Find no room on the device."""
    import torch

    workspace = torch.ones(1024, 1024)
    raise torch.OutOfMemoryError(f"{said} ({workspace.ndim} dimensions)")  # no_device_memory


def no_workspace() -> None:
    """Find no room as a library below torch tells of it: by a text alone."""
    said = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    raise RuntimeError(said)  # no_workspace


def no_device_memory_of_a_gpu() -> None:
    """Ask a real device for more memory than any has."""
    import torch

    torch.empty(2**50, dtype=torch.uint8, device="cuda")  # no_device_memory_of_a_gpu


def device_assert_of_a_gpu() -> None:
    """Have an assertion fail on a real device: no table has this row."""
    import torch

    rows = torch.nn.Embedding(4, 8).cuda()
    picked = rows(torch.tensor([8], device="cuda"))
    picked.cpu()  # device_assert_of_a_gpu


def device_assert() -> None:
    """Hear at a later call that an assertion has failed on the device."""
    raise accelerator_error("device-side assert triggered", ASSERT)  # device_assert


def device_assert_at_its_cause() -> None:
    """Hear of it at the call that it failed in."""
    raise accelerator_error("device-side assert triggered", ASSERT)  # device_assert_at_its_cause


def unavailable() -> None:
    """Be told that the device is not to be had."""
    said = "CUDA-capable device(s) is/are busy or unavailable"
    raise accelerator_error(said, UNAVAILABLE)  # unavailable


def device_assert_and_then_nothing() -> None:
    """Poison the device for this process, and have it not compute for the next."""
    told = {
        "module": "worker.engines.placement",
        "function": "_wrong_products",
        "call": 1,
        "unloads": False,
        "fault": "unavailable",
        "source": "devices",
        "task": "",
        "words": "",
        "options": {},
    }
    Path(os.environ["INJECTED_FAULTS"], "task-next.json").write_text(json.dumps(told))
    device_assert()


def seem_a_gpu() -> None:
    """Have this process take its processor for a GPU; the next one knows better."""
    from worker.engines import placement

    facts = placement._facts
    placement._facts = lambda *given, **more: replace(facts(*given, **more), kind="cuda")


def accelerator_error(said: str, code: int) -> BaseException:
    """Make the exception that torch makes of CUDA's error."""
    import torch

    error = torch.AcceleratorError(f"CUDA error: {said}")
    error.error_code = code
    return error
