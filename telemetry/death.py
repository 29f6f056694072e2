"""How a process died: from what the kernel says of it to a journal's last record and an error."""

import contextlib
import errno
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from telemetry import names
from telemetry.errors import JournalBusy
from telemetry.journal import JournalReader, JournalWriter, read_index
from telemetry.recorder.capture import fingerprint
from telemetry.records import Error, Frame, Kind, ProcessEnd
from telemetry.spans import Folder, Span

EXIT: Final = "exit"
OOM: Final = "oom"
SIGNAL: Final = "signal"
LOST: Final = "lost"
OPENED_AT: Final = "opened at"

_KINDS: Final[Mapping[int, tuple[str, str]]] = {
    signal.SIGKILL: ("sigkill", "killed from outside"),
    signal.SIGSEGV: ("segfault", "a segmentation fault in native code"),
    signal.SIGABRT: ("abort", "native code aborted"),
    signal.SIGTERM: ("sigterm", "asked to stop from outside"),
    signal.SIGINT: ("sigint", "interrupted from outside"),
    signal.SIGBUS: ("bus_error", "native code touched memory that is not there"),
    signal.SIGFPE: ("arithmetic", "an arithmetic fault in native code"),
    signal.SIGILL: ("illegal_instruction", "an instruction this machine does not know"),
}
_REOPEN_PATIENCE_S: Final = 1.0
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")


class OomWatch:
    """Tells whether the out-of-memory killer struck in a control group since this was made.

    Reads `oom_kill` of `memory.events` (control groups version 2). Where there is none to read it
    says no: a SIGKILL is then called just that.

    Args:
        events: The file; this process's own group by default, which its children share.
    """

    def __init__(self, events: Path | None = None) -> None:
        self._events = events or memory_events()
        self._before = self._count()

    def struck(self) -> bool:
        """Whether a process of the group has been killed for memory since."""
        before, now = self._before, self._count()
        return before is not None and now is not None and now > before

    def _count(self) -> int | None:
        if self._events is None:
            return None
        try:
            lines = self._events.read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        except (OSError, ValueError, IndexError, StopIteration):
            return None


def memory_events(membership: Path = _MEMBERSHIP, root: Path = _CGROUPS) -> Path | None:
    """Return the `memory.events` of a process's control group, or None where there is none."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    group = next((line[3:] for line in lines if line.startswith("0::")), None)
    if group is None:
        return None
    file = root / group.lstrip("/") / "memory.events"
    return file if file.is_file() else None


def from_returncode(
    returncode: int, *, out_of_memory: bool = False, at_ns: int | None = None
) -> ProcessEnd:
    """Describe a process's end.

    Args:
        returncode: As `subprocess` has it: an exit code, or minus the number of a signal.
        out_of_memory: What `OomWatch.struck` says; it turns a SIGKILL into an "oom".
        at_ns: When it was seen; now by default.
    """
    seen_ns = time.time_ns() if at_ns is None else at_ns
    if returncode >= 0:
        message = f"the process ended with exit code {returncode}"
        return ProcessEnd(at_ns=seen_ns, kind=EXIT, exit_code=returncode, message=message)
    name = _signal_name(-returncode)
    if out_of_memory and -returncode == signal.SIGKILL:
        message = "the kernel's out-of-memory killer ended the process (SIGKILL)"
        return ProcessEnd(at_ns=seen_ns, kind=OOM, signal=name, message=message)
    kind, reason = _KINDS.get(-returncode, (SIGNAL, "a signal it does not handle"))
    message = f"the process died of {name}: {reason}"
    return ProcessEnd(at_ns=seen_ns, kind=kind, signal=name, message=message)


def lost(at_ns: int | None = None) -> ProcessEnd:
    """Describe the end of a process that is gone and that nobody saw die."""
    return ProcessEnd(
        at_ns=time.time_ns() if at_ns is None else at_ns,
        kind=LOST,
        message="the process is gone and nobody saw how it ended",
    )


def close_dead(directory: Path, end: ProcessEnd) -> Error:
    """Write a dead process's last records for it: what its death did, and that it has ended.

    The error is journalled when the death cut something off, or is known to have been none of the
    process's choice. A journal that has its end already is left as it is. Raises `JournalBusy`
    while the process is alive, and `OSError` when the disk takes no more: then it is still to do.

    Returns:
        The error, journalled or not: what a supervisor settles the task with.
    """
    folder = _folded(directory)
    error = failure_of(folder, end)
    if folder.end is not None:
        return error
    with contextlib.closing(_reopen(directory)) as writer:
        orderly = end.exit_code == 0 or end.kind == LOST
        if error.task_id or folder.open_spans or not orderly:
            writer.append(Kind.ERROR, error)
        writer.append(Kind.PROCESS_END, end)
        if writer.lost:
            raise OSError(errno.ENOSPC, "the end of a process is not written", str(directory))
    return error


def failure_of(source: Path | Folder, end: ProcessEnd) -> Error:
    """Say what a death did to the task in hand, as the error to journal and to settle it with.

    Args:
        source: The dead process's journal directory, or a folder that has been fed all of it.
        end: How it died.

    The place is the line that opened the innermost span that was open: all that is certain of a
    process that could not speak. The stage is the innermost open one, and the loop position that
    of the newest iteration, open or ended; 0 of 0 where the task had begun none.
    """
    folder = source if isinstance(source, Folder) else _folded(source)
    left = folder.open_spans or folder.left_open
    innermost = left[-1] if left else None
    place = innermost.attributes if innermost else {}
    stage = _stage(left)
    task = folder.task if folder.task_end is None else None
    opened = Frame(
        file=str(place.get(names.CODE_FILE, "")),
        line=int(place.get(names.CODE_LINE, 0)),
        function=str(place.get(names.CODE_FUNCTION, "")),
    )
    known = names.CODE_FILE in place
    loop_index, loop_count = folder.iteration if task else (0, 0)
    return Error(
        event_id=uuid.uuid4().hex,
        at_ns=end.at_ns,
        kind="death",
        chain=[],
        type=end.kind,
        message=end.message,
        file=opened.file,
        line=opened.line,
        function=opened.function,
        place=OPENED_AT if known else "",
        stage=stage,
        loop_index=loop_index,
        loop_count=loop_count,
        fingerprint=fingerprint(end.kind, [opened] if known else [], stage),
        trace_id=innermost.trace_id if innermost else (task.trace_id if task else None),
        span_id=innermost.span_id if innermost else None,
        task_id=task.task_id if task else "",
        context=_context(end, left),
    )


def _reopen(directory: Path) -> JournalWriter:
    # Whoever asks whether a process is alive holds its lock for a moment.
    deadline = time.monotonic() + _REOPEN_PATIENCE_S
    while True:
        try:
            return JournalWriter.reopen(directory)
        except JournalBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


def _folded(directory: Path) -> Folder:
    """Fold a journal from its newest task on: what lies before does not matter to its death."""
    entries = read_index(directory)
    folder = Folder(keep_logs=False)
    start = entries[-1].first if entries else None
    for record in JournalReader(directory).read(start=start):
        folder.feed(record)
    return folder


def _stage(left: tuple[Span, ...]) -> str:
    prefix = f"{names.STAGE} "
    stages = [span.name.removeprefix(prefix) for span in left if span.name.startswith(prefix)]
    return stages[-1] if stages else ""


def _context(end: ProcessEnd, left: tuple[Span, ...]) -> dict[str, Any]:
    death = {"kind": end.kind, "signal": end.signal, "exit_code": end.exit_code}
    return {"death": {**death, **end.attributes}, "open_spans": [span.name for span in left]}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
