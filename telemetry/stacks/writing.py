"""Has a process leave its stacks, written from C."""

import faulthandler
import functools
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, TextIO

STACKS_FILE: Final = "stacks.txt"
# This signal has a process write its stacks and go on, also while native code holds the GIL.
ASK: Final = signal.SIGUSR2

# These end a process, and faulthandler writes the stacks first where it is told to.
_ENDING: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGXCPU,
)
# Names of the signals that leave stacks with nothing above them that says why.
ASKED_BY: Final = frozenset(number.name for number in _ENDING)
_STDERR: Final = 2
_leave = os._exit  # before it is wrapped
_stacks: TextIO | None = None


def write_to(directory: Path) -> bool:
    """Have this process leave every thread's stack in its journal's directory, written from C.

    At fatal signals; at those that end it from outside, which then end it at once, also SIGINT,
    but for those that are ignored; at `os._exit`; and at `ASK`, after which it goes on. Children
    that it forks leave none. To be called from the main thread. Where the directory takes no file,
    stderr takes the stacks, and False says that this is to be called again.
    """
    global _stacks  # noqa: PLW0603 - there is one faulthandler, which takes one file
    file = _opened(directory / STACKS_FILE)
    stacks = file or os.fdopen(os.dup(_STDERR), "w")  # faulthandler holds it as long as it writes
    _stacks = stacks
    faulthandler.enable(file=stacks, all_threads=True)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # That waits for native code to return, and then makes an exception of it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in _ENDING:
        faulthandler.register(number, file=stacks, all_threads=True, chain=True)
    faulthandler.register(ASK, file=stacks, all_threads=True, chain=False)
    _wrap_exit(stacks)
    _leave_none_in_forks()
    return file is not None


def renew(numbers: Iterable[int]) -> None:
    """Have stacks be left again at signals that somebody else has had a handler for.

    To be called from the main thread, when the handlers of before are back.
    """
    if _stacks is None:
        return
    for number in numbers:
        if number in (*_ENDING, ASK):
            faulthandler.unregister(number)
            if (handler := signal.getsignal(number)) is not None:
                signal.signal(number, handler)  # it may be newer than what was there at first
            faulthandler.register(number, file=_stacks, all_threads=True, chain=number != ASK)


def _opened(path: Path) -> TextIO | None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    return os.fdopen(descriptor, "w")


def _wrap_exit(stacks: TextIO) -> None:
    process = os.getpid()

    def _exit(status: int) -> NoReturn:
        if os.getpid() == process:  # the end of a forked child is not this process's
            with suppress(OSError, TypeError, ValueError):
                os.write(stacks.fileno(), f"os._exit({status & 0xFF})\n\n".encode())
                faulthandler.dump_traceback(file=stacks, all_threads=True)
        _leave(status)

    os._exit = _exit


@functools.cache
def _leave_none_in_forks() -> None:
    """Have forked children end as others do: how they end says nothing of this process."""
    os.register_at_fork(after_in_child=_leave_none)


def _leave_none() -> None:
    faulthandler.disable()
    for number in (*_ENDING, ASK):
        faulthandler.unregister(number)
