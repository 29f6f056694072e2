"""Holds a server for the test that started it, and ends it when that process is gone, however.

Run as a program, by Python alone: its argument says how the server is started and ended. From its
input come the numbers of the signals that the server is to get; the end of its input is the end of
whoever holds the other side, which no signal to him prevents.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any


def hold(command: list[str], asks: int, patience_s: float, folder: str = "", **whom: Any) -> None:
    """Run a server until it ends, or until the input does.

    Args:
        command: What is run, in a session of its own, with this process's errors as its output.
        asks: The signal that asks it to end.
        patience_s: How long it may take to do so, when nobody is left who could wait for it.
        folder: What is removed then; nothing if it is empty.
        whom: Its `user`, `group` and `extra_groups`, as `subprocess.Popen` has them.
    """
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True, **whom
    )
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"%d\n" % server.pid)
    abandoned = threading.Event()
    threading.Thread(
        target=obey, args=(server.pid, asks, patience_s, abandoned), daemon=True
    ).start()
    # Until it is waited for, its number is no other process's.
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    send(server.pid, signal.SIGKILL)
    server.wait()
    if folder and abandoned.is_set():
        shutil.rmtree(folder, ignore_errors=True)


def obey(pid: int, asks: int, patience_s: float, abandoned: threading.Event) -> None:
    """Pass signals on; at the end of the input ask the server to end, then make it."""
    while told := os.read(0, 1):
        send(pid, told[0])
    abandoned.set()
    send(pid, asks)
    time.sleep(patience_s)
    send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """Send a signal to the server; SIGKILL is for all that it has started, too."""
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


if __name__ == "__main__":
    hold(**json.loads(sys.argv[1]))
