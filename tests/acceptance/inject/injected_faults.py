"""The faults that tests put into a worker. The line that one ends at has its name as a comment."""

import ctypes
import os
import signal
import threading
import time
from typing import Any

LONG_S = 600


def sleep_in_python() -> None:
    """Wait as a call does that never returns."""
    time.sleep(LONG_S)  # sleep_in_python


def wait_for_itself() -> None:
    """Deadlock."""
    lock = threading.Lock()
    with lock:
        lock.acquire()  # wait_for_itself


def sleep_with_the_gil() -> None:
    """Hang in native code that holds the GIL: no thread of this process runs any Python."""
    ctypes.PyDLL(None).sleep(LONG_S)  # sleep_with_the_gil


def sleep_without_the_gil() -> None:
    """Hang in native code that has released the GIL."""
    ctypes.CDLL(None).sleep(LONG_S)  # sleep_without_the_gil


def hold_the_gil_for_a_while() -> None:
    """Hold the GIL for as long as INJECTED_HOLD_S says, then go on."""
    ctypes.PyDLL(None).usleep(int(float(os.environ["INJECTED_HOLD_S"]) * 1_000_000))


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
