"""The faults, each in a function of its own.

The line at which each is to be found has `# drill:` and its name as a comment: `worker.drill` reads
it from there. Where an exception is raised, the local `planted` is a value that must be seen.
"""

import ctypes
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from worker.engines.drill import cuda
from worker.errors import EngineError

# A hang ends by itself, should its supervisor never end it.
HANG_S: Final = 600
EXIT_CODE: Final = 7
# The limit of the control group in which memory runs out. Twice as much is never taken, so that a
# machine on which the limit does not hold has nothing to fear.
GROUP_BYTES: Final = 256 * 2**20
PLANTED: Final = "a value that must be seen"
VAGUE: Final = "the video could not be generated"

_BLOCK_BYTES: Final = 4 * 2**20
_LOCK_BYTES: Final = 128  # more than any C library takes; zeros are a lock that is free
_SAMPLERS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"euler": {"order": 1}})


def meet(fault: str, device: str) -> None:
    """Meet a fault. Returns where it has left the process alive and raised nothing: never."""
    _FAULTS[fault](device)
    raise EngineError(f"the fault {fault!r} has come and gone, and nothing has happened")


def exception(_device: str) -> None:
    """Raise what nobody catches."""
    planted = PLANTED
    raise ArithmeticError(f"{len(planted)} is no number of channels")  # drill: exception


def none_from_engine(_device: str) -> None:
    """Ask for what is not there, and use the answer as if it were."""
    planted = PLANTED
    sampler = _SAMPLERS.get(planted)
    sampler.get("order")  # type: ignore[union-attr]  # drill: none-from-engine


def swallowed(_device: str) -> None:
    """Fail, tell nobody but a printed stack, and report something vague: as engines do."""
    if not _generated():
        raise EngineError(VAGUE)  # drill: swallowed, reported


def _generated() -> bool:
    try:
        _decode([])
    except Exception:  # noqa: BLE001 - it is what this fault is about
        traceback.print_exc()
        return False
    return True


def _decode(latents: list[float]) -> float:
    planted = PLANTED
    return latents[len(planted)]  # drill: swallowed


def segfault(_device: str) -> None:
    """Write where there is no memory, in native code."""
    ctypes.CDLL(None).memset(0, 1, 1)  # drill: segfault


def abort(_device: str) -> None:
    """Abort in native code."""
    ctypes.CDLL(None).abort()  # drill: abort


def sigkill(_device: str) -> None:
    """Be killed: no stack can be written, so the line that opened the step is what is known."""
    os.kill(os.getpid(), signal.SIGKILL)


def oom(_device: str) -> None:
    """Take memory until the limit of the control group has this process killed."""
    # Chosen before the supervisor, which is in the group, too.
    Path("/proc/self/oom_score_adj").write_text("1000")
    taken = [b"\1" * _BLOCK_BYTES for _ in range(2 * GROUP_BYTES // _BLOCK_BYTES)]
    raise MemoryError(f"{len(taken) * _BLOCK_BYTES} bytes were taken and nobody was killed")


def leave(_device: str) -> None:
    """Leave at once, from Python."""
    os._exit(EXIT_CODE)  # drill: exit


def hang(_device: str) -> None:
    """Wait as a call does that does not return."""
    time.sleep(HANG_S)  # drill: hang


def gil_hang(_device: str) -> None:
    """Wait in native code that holds the GIL: no thread of this process runs any Python."""
    native, lock = ctypes.PyDLL(None), ctypes.create_string_buffer(_LOCK_BYTES)
    native.pthread_mutex_lock(lock)
    native.pthread_mutex_lock(lock)  # drill: gil-hang


_FAULTS: Final[Mapping[str, Callable[[str], None]]] = {
    "exception": exception,
    "none-from-engine": none_from_engine,
    "swallowed": swallowed,
    "segfault": segfault,
    "abort": abort,
    "sigkill": sigkill,
    "oom": oom,
    "exit": leave,
    "hang": hang,
    "gil-hang": gil_hang,
    "cuda-oom": cuda.out_of_memory,
    "cuda-assert": cuda.device_assert,
    "cuda-oom-simulated": cuda.simulated_out_of_memory,
    "cuda-assert-simulated": cuda.simulated_device_assert,
}
