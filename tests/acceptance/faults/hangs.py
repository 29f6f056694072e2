"""The hangs that tests put into a worker, and what else goes wrong while it lives on.

The line that one hangs at has its name as a comment, where a stack can be written at all.
"""

import ctypes
import os
import signal
import threading
import time
from typing import Any

LONG_S = 600
LOCK_BYTES = 128  # more than any C library takes; zeros are a lock that is free


def sleep_in_python() -> None:
    """Wait as a call does that never returns."""
    time.sleep(LONG_S)  # sleep_in_python


def wait_for_itself() -> None:
    """Deadlock."""
    lock = threading.Lock()
    with lock:
        lock.acquire()  # wait_for_itself


def hang_with_the_gil() -> None:
    """Hang in native code that holds the GIL: no thread of this process runs any Python."""
    native, lock = ctypes.PyDLL(None), a_held_lock()
    native.pthread_mutex_lock(lock)  # hang_with_the_gil


def hang_without_the_gil() -> None:
    """Hang in native code that has released the GIL."""
    native, lock = ctypes.CDLL(None), a_held_lock()
    native.pthread_mutex_lock(lock)  # hang_without_the_gil


def a_held_lock() -> Any:
    """Return a native lock that is never given up. No signal ends a wait for it, as of a sleep."""
    lock = ctypes.create_string_buffer(LOCK_BYTES)
    ctypes.CDLL(None).pthread_mutex_lock(lock)
    return lock


def hold_the_gil_for_a_while(seconds: float) -> None:
    """Hold the GIL, then go on."""
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


def print_natively(text: str) -> None:
    """Print a line on stdout and one on stderr, past all of Python's own streams."""
    native = ctypes.CDLL(None)
    native.puts(text.encode())
    native.fflush(None)
    native.write(2, f"{text}\n".encode(), len(text.encode()) + 1)


def slow_the_steps_down() -> None:
    """Have each denoising step from now on take a twentieth of a second more."""
    from worker.engines.denoise import Denoiser

    predict = Denoiser._velocity

    def predict_slowly(*args: Any) -> Any:
        time.sleep(0.05)
        return predict(*args)

    Denoiser._velocity = predict_slowly


def stop_itself() -> None:
    """Be stopped from outside: no signal's handler runs any more."""
    os.kill(os.getpid(), signal.SIGSTOP)


def lose_all_kills() -> None:
    """Let no signal of this process to a group arrive, as if the group was stuck in a driver."""
    os.killpg = lambda _group, _signal: None
