"""The faults of CUDA: real ones where CUDA is, else exceptions of the same form.

Run as a program it exits with 0 where torch finds CUDA: in a process of its own, since neither the
command line nor the supervisor may load torch.
"""

import sys
from typing import Final

# A pebibyte: more than any device has.
_TOO_MANY_BYTES: Final = 2**50
_ROWS: Final = 4


class OutOfMemoryError(RuntimeError):
    """Raised in place of torch's exception of this name, where there is no CUDA."""


class AcceleratorError(RuntimeError):
    """Raised in place of torch's exception of this name, where there is no CUDA."""


def out_of_memory(device: str) -> None:
    """Ask the device for more memory than it has."""
    import torch

    planted, where = _TOO_MANY_BYTES, _on(device)
    torch.empty(planted, dtype=torch.uint8, device=where)  # drill: cuda-oom


def device_assert(device: str) -> None:
    """Have an assertion fail on the device.

    It fails there some time after the line that asked for it; Python hears of it at the next line
    that waits for the device, which is the one that is marked.
    """
    import torch

    planted, where = 2 * _ROWS, _on(device)
    table = torch.zeros(_ROWS, device=where)
    picked = table[torch.tensor([planted], device=where)]
    picked.cpu()  # drill: cuda-assert


def simulated_out_of_memory(_device: str) -> None:
    """Raise what torch raises when the device's memory is used up."""
    planted = _TOO_MANY_BYTES
    message = f"CUDA out of memory. Tried to allocate {planted / 2**30:.2f} GiB. (simulated)"
    raise OutOfMemoryError(message)  # drill: cuda-oom-simulated


def simulated_device_assert(_device: str) -> None:
    """Raise what torch raises when an assertion has failed on the device."""
    planted = 2 * _ROWS
    message = f"CUDA error: device-side assert triggered (simulated: index {planted} of {_ROWS})"
    raise AcceleratorError(message)  # drill: cuda-assert-simulated


def _on(device: str) -> str:
    return device if device.startswith("cuda") else "cuda"


def main() -> int:
    """Return 0 where CUDA is, 1 where it is not."""
    try:
        import torch
    except ImportError:
        return 1
    return 0 if torch.cuda.is_available() else 1


if __name__ == "__main__":
    sys.exit(main())
