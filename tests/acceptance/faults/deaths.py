"""The deaths that tests have a task process die.

The line that one ends at has its name as a comment, where a stack can be written at all.
"""

import ctypes
import mmap
import os
import resource
import signal
import sys
import tempfile
from typing import Any

import telemetry
from telemetry.journal.format import pack_frame
from telemetry.recorder import active
from telemetry.records import Kind

LIBC = ctypes.CDLL(None)
ROOM_BYTES = 256 * 2**20
STACK_BYTES = 8 * 2**20
BLOCK_BYTES = 16 * 2**20


def exception() -> None:
    """Raise what nobody catches."""
    raise LookupError("there is no such thing")  # exception


def sys_exit() -> None:
    """Leave as a script does."""
    sys.exit(7)  # sys_exit


def memory_limit() -> None:
    """Run into a limit of the address space; the limit is gone when the exception leaves."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:  # noqa: PTH123 - as little as can be is allocated here
        used = int(file.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM_BYTES, before[1]))
    taken = []
    try:
        while True:
            taken.append(bytearray(BLOCK_BYTES))  # memory_limit
    finally:
        taken.clear()
        resource.setrlimit(resource.RLIMIT_AS, before)


def sigint() -> None:
    """Be interrupted."""
    os.kill(os.getpid(), signal.SIGINT)  # sigint


def sigterm() -> None:
    """Be asked to stop."""
    os.kill(os.getpid(), signal.SIGTERM)  # sigterm


def sigkill() -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def out_of_memory() -> None:
    """Take memory until the limit of a control group has this killed: only for inside of one."""
    taken = []
    while True:
        taken.append(bytearray(b"\1") * BLOCK_BYTES)


def abort() -> None:
    """Abort in native code."""
    LIBC.abort()  # abort


def abort_while_unwinding() -> None:
    """Abort in native code, as what cleans up after an exception that has left a span."""
    try:
        with telemetry.span("a library's step"):
            raise LookupError("there is no such thing either")  # while_unwinding
    finally:
        LIBC.abort()  # abort_while_unwinding


def segfault() -> None:
    """Write where there is no memory, in native code."""
    LIBC.memset(0, 1, 1)  # segfault


def bus_error() -> None:
    """Touch the part of a mapped file that is gone."""
    with tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        mapped = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        file.truncate(0)
        mapped[0] = 1  # bus_error


def bad_system_call() -> None:
    """Be stopped by a filter of system calls."""
    os.kill(os.getpid(), signal.SIGSYS)  # bad_system_call


def fatal_error() -> None:
    """Have the interpreter give up on itself: it tells of that on stderr alone."""
    ctypes.pythonapi.Py_FatalError(b"this interpreter gives up")  # fatal_error


def stack_overflow() -> None:
    """Recurse through native code until its stack is used up."""
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, resource.RLIM_INFINITY))
    sys.setrecursionlimit(2**30)
    deeper(0)


def deeper(_: int) -> Any:
    """Recurse."""
    return max([0], key=deeper)  # stack_overflow


def os_exit() -> None:
    """Leave at once, from Python."""
    os._exit(3)  # os_exit


def c_exit() -> None:
    """Leave at once, from native code."""
    LIBC._exit(4)


def torn_record() -> None:
    """Be killed when a part of a record has been written."""
    recorder = active.current()
    assert recorder is not None
    writer = recorder.writer
    frame = pack_frame(Kind.LOG, writer.next_seq, b"a body" * 10)
    os.write(writer._file, frame[: len(frame) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def both_at_once() -> None:
    """Be killed together with the supervisor, as by the killer of a whole control group."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
