"""How a process ended, in the words of a record."""

import signal
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from telemetry import stacks
from telemetry.records import ProcessEnd

EXIT: Final = "exit"
OOM: Final = "oom"
SIGNAL: Final = "signal"
LOST: Final = "lost"
HANG: Final = "hang"
STOPPED: Final = "stopped"

_KINDS: Final[Mapping[int, tuple[str, str]]] = {
    signal.SIGKILL: ("sigkill", "who sent it is not known"),
    signal.SIGSEGV: ("segfault", "a segmentation fault in native code"),
    signal.SIGABRT: ("abort", "native code aborted"),
    signal.SIGTERM: ("sigterm", "asked to stop"),
    signal.SIGINT: ("sigint", "interrupted"),
    signal.SIGBUS: ("bus_error", "native code touched memory that is not there"),
    signal.SIGFPE: ("arithmetic", "an arithmetic fault in native code"),
    signal.SIGILL: ("illegal_instruction", "an instruction this machine does not know"),
    signal.SIGTRAP: ("trap", "native code gave up"),
    signal.SIGSYS: ("bad_system_call", "a system call that is not allowed here"),
}
_FOR_MEMORY: Final = "the kernel counted a kill for memory in its control group"
_NOT_FOR_MEMORY: Final = "the kernel counted no kill for memory in its control group"
_LAST_LINES: Final = 20
_LAST_BYTES: Final = 4096


def from_returncode(
    returncode: int, *, out_of_memory: bool | None = None, at_ns: int | None = None
) -> ProcessEnd:
    """Describe a process's end.

    Args:
        returncode: As `subprocess` has it: an exit code, or minus the number of a signal.
        out_of_memory: What `OomWatch.struck` says; True turns a SIGKILL into an "oom".
        at_ns: When it was seen; now by default.
    """
    seen_ns = time.time_ns() if at_ns is None else at_ns
    if returncode >= 0:
        message = f"the process ended with exit code {returncode}"
        return ProcessEnd(at_ns=seen_ns, kind=EXIT, exit_code=returncode, message=message)
    name = _signal_name(-returncode)
    if out_of_memory and -returncode == signal.SIGKILL:
        message = f"the process died of {name}: {_FOR_MEMORY}"
        return ProcessEnd(at_ns=seen_ns, kind=OOM, signal=name, message=message)
    kind, reason = _KINDS.get(-returncode, (SIGNAL, "a signal it does not handle"))
    if out_of_memory is False and -returncode == signal.SIGKILL:
        reason = f"{reason}; {_NOT_FOR_MEMORY}"
    message = f"the process died of {name}: {reason}"
    return ProcessEnd(at_ns=seen_ns, kind=kind, signal=name, message=message)


def lost(at_ns: int | None = None) -> ProcessEnd:
    """Describe the end of a process that is gone and that nobody saw die."""
    return ProcessEnd(
        at_ns=time.time_ns() if at_ns is None else at_ns,
        kind=LOST,
        message="the process is gone and nobody saw how it ended",
    )


def stopped(end: ProcessEnd, why: str) -> ProcessEnd:
    """Make of an end that it was its supervisor who ended the process, and meant to.

    That is no fault of anything: `close_dead` journals no error for it.
    """
    return msgspec.structs.replace(end, kind=STOPPED, message=f"its supervisor ended it: {why}")


def is_orderly(end: ProcessEnd) -> bool:
    """Whether a process ended as it was meant to, as far as anybody knows."""
    return end.exit_code == 0 or end.kind == LOST


def returncode_of(end: ProcessEnd) -> int | None:
    """Return an end's return code, as `subprocess` has it; None where it is not known."""
    number = getattr(signal, end.signal, None)
    return end.exit_code if number is None else -number


def with_last_words(end: ProcessEnd, last_words: Sequence[str]) -> ProcessEnd:
    """Add to an end what the process wrote last to its stdout and stderr."""
    if not last_words:
        return end
    attributes = {**end.attributes, "last_words": bounded(last_words)}
    return msgspec.structs.replace(end, attributes=attributes)


def bounded(last_words: Sequence[str]) -> list[str]:
    """Return the last of the last words: 20 lines, 4 KB; stacks among them are left out."""
    said = [line for line in last_words if not stacks.is_part(line)]
    kept: list[str] = []
    room = _LAST_BYTES
    for line in reversed(said[-_LAST_LINES:]):
        size = len(line.encode())
        if size > room:
            kept.append(f"…{line.encode()[size - room :].decode(errors='ignore')}")
            break
        kept.append(line)
        room -= size
    return kept[::-1]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
