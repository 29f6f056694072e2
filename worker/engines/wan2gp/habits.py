"""The habits of an engine that takes the process for its own: what they are, and how they end.

It changes the working directory, reads and writes sys.argv, replaces signal handlers, and leaves
threads behind. Around every call into it, all that is noted before and put back after.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from telemetry import stacks

# Those that a program gives a handler of its own to.
_SIGNALS: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)

_ENDING_S: Final = 0.2
# Of a progress bar's library: begun with the first bar, for as long as the process, to redraw bars.
_OF_NO_MATTER: Final = frozenset({"tqdm._monitor"})


@dataclass(slots=True)
class Left:
    """What a call has changed in the process; filled when the block ends, and put back by then.

    Attributes:
        changed: For people, one text each.
        threads: Names of threads that it has begun and that go on.
    """

    changed: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """All of it, for a span."""
        return [*(f"{one} (put back)" for one in self.changed), *map(_thread_text, self.threads)]


@contextmanager
def contained(root: Path, *, argv: Sequence[str]) -> Iterator[Left]:
    """Call into an engine: in its folder and with its command line; put back what it changes.

    Args:
        root: Its folder.
        argv: What sys.argv is in the block.
    """
    left = Left()
    directory, before = _directory(), sys.argv
    inside = directory
    handlers, threads = _handlers(), set(threading.enumerate())
    sys.argv = list(argv)
    try:
        os.chdir(root)
        inside = _directory()  # a link leads elsewhere
        yield left
    finally:
        now = _directory()
        if directory is not None and now not in (directory, inside):
            left.changed.append(f"working directory: {now or 'one that is gone'}")
        if directory is not None:
            with suppress(OSError):
                os.chdir(directory)
        if sys.argv != list(argv):
            left.changed.append("sys.argv")
        sys.argv = before
        left.changed += _restore(handlers)
        left.threads += _outliving(set(threading.enumerate()) - threads)


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - of a folder that is gone Path knows no more
    except OSError:
        return None


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _restore(handlers: dict[int, Any]) -> list[str]:
    """Give signals their handlers back; only the main thread can, and only there can one go."""
    if threading.current_thread() is not threading.main_thread():
        return []
    changed = [number for number, before in handlers.items() if signal.getsignal(number) != before]
    for number in changed:
        # What was not set from Python cannot be set again from there.
        signal.signal(number, signal.SIG_DFL if handlers[number] is None else handlers[number])
    # Also where a handler came and went: what faulthandler has set is in neither.
    stacks.renew(_SIGNALS)
    return [f"{signal.Signals(number).name}'s handler" for number in changed]


def _outliving(begun: set[threading.Thread]) -> list[str]:
    """Name the threads that go on; those that are about to end get a moment to."""
    by = time.monotonic() + _ENDING_S
    for thread in begun:
        with suppress(AssertionError, RuntimeError):  # of no thread of Python's nobody can wait
            thread.join(max(0.0, by - time.monotonic()))
    running = sys._current_frames()  # noqa: SLF001 - those others are "alive" for ever
    going_on = (thread for thread in begun if thread.is_alive() and thread.ident in running)
    return sorted(one.name for one in going_on if type(one).__module__ not in _OF_NO_MATTER)


def _thread_text(name: str) -> str:
    return f"a thread: {name}"
