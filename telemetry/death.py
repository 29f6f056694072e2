"""How a process died: from what the kernel and its stacks say to a journal's end and an error."""

import contextlib
import errno
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from telemetry import names, stacks
from telemetry.errors import JournalBusy
from telemetry.journal import JournalReader, JournalWriter, read_index
from telemetry.oom import OomWatch
from telemetry.recorder.capture import fingerprint
from telemetry.records import Error, ExceptionFacts, Frame, Kind, ProcessEnd, SpanUpdate
from telemetry.spans import Folder, Span

__all__ = ["OomWatch", "bounded", "close_dead", "failure_of", "from_returncode", "lost"]

EXIT: Final = "exit"
OOM: Final = "oom"
SIGNAL: Final = "signal"
LOST: Final = "lost"
HANG: Final = "hang"
OPENED_AT: Final = "opened at"
STOPPED_AT: Final = "stopped at"

_KINDS: Final[Mapping[int, tuple[str, str]]] = {
    signal.SIGKILL: ("sigkill", "killed from outside"),
    signal.SIGSEGV: ("segfault", "a segmentation fault in native code"),
    signal.SIGABRT: ("abort", "native code aborted"),
    signal.SIGTERM: ("sigterm", "asked to stop from outside"),
    signal.SIGINT: ("sigint", "interrupted from outside"),
    signal.SIGBUS: ("bus_error", "native code touched memory that is not there"),
    signal.SIGFPE: ("arithmetic", "an arithmetic fault in native code"),
    signal.SIGILL: ("illegal_instruction", "an instruction this machine does not know"),
    signal.SIGTRAP: ("trap", "native code gave up"),
    signal.SIGSYS: ("bad_system_call", "a system call that is not allowed here"),
}
_LAST_LINES: Final = 20
_LAST_BYTES: Final = 4096
_OTHER_THREADS: Final = 16
_THEIR_FRAMES: Final = 16
_REOPEN_PATIENCE_S: Final = 1.0


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


def close_dead(
    directory: Path,
    end: ProcessEnd,
    *,
    last_words: Sequence[str] = (),
    updates: Mapping[bytes, Mapping[str, Any]] | None = None,
    told: bool = False,
) -> Error:
    """Write a dead process's last records for it: what its death did, and that it has ended.

    The error is journalled when the death cut something off, or is known to have been none of the
    process's choice. A journal that has its end already is left as it is. Raises `JournalBusy`
    while the process is alive, and `OSError` when the disk takes no more: then it is still to do.

    Args:
        directory: The process's journal.
        end: How it died; of a process that nobody saw die, its stacks may say more.
        last_words: What it wrote last to its stdout and stderr, redacted.
        updates: Attributes to add to open spans, by the span's id.
        told: Whether another journal has the error of this death.

    Returns:
        The error, journalled or not: what a supervisor settles the task with.
    """
    folder = _folded(directory)
    if folder.end is not None:
        written = [error for error in folder.errors if error.kind in ("death", HANG)]
        return written[-1] if written else _failure(folder, directory, folder.end, last_words)
    end = _as_known(end, directory, last_words)
    error = _failure(folder, directory, end, last_words)
    with contextlib.closing(_reopen(directory)) as writer:
        for span_id, attributes in (updates or {}).items():
            writer.append(
                Kind.SPAN_UPDATE, SpanUpdate(span_id=span_id, attributes=dict(attributes))
            )
        orderly = end.exit_code == 0 or end.kind == LOST
        if not told and (error.task_id or folder.open_spans or not orderly):
            writer.append(Kind.ERROR, error)
        writer.append(Kind.PROCESS_END, end)
        if writer.lost:
            raise OSError(errno.ENOSPC, "the end of a process is not written", str(directory))
    return error


def failure_of(directory: Path, end: ProcessEnd, *, last_words: Sequence[str] = ()) -> Error:
    """Say what a death did to the task in hand, as the error to journal and to settle it with.

    The place is the innermost Python frame of the thread that died ("stopped at"), where the
    process left its stack; else the line that opened the innermost span that was open ("opened
    at"), which is all that is certain of a process that could not speak. The stage is the
    innermost open one, and the loop position that of the newest iteration, open or ended; 0 of 0
    where the task had begun none. `end` of the kind "hang" makes a hang of it, whose stack is the
    last that a signal asked for.

    Args:
        directory: The dead process's journal.
        end: How it died.
        last_words: What it wrote last to its stdout and stderr, redacted.
    """
    end = _as_known(end, directory, last_words)
    return _failure(_folded(directory), directory, end, last_words)


def _failure(folder: Folder, directory: Path, end: ProcessEnd, last_words: Sequence[str]) -> Error:
    left = folder.open_spans or folder.left_open
    innermost = left[-1] if left else None
    stage = _stage(left)
    task = folder.task if folder.task_end is None else None
    dump = _dump_of(end, stacks.read(directory), last_words)
    stopped = dump.stopped if dump else None
    frames = stacks.described(stopped.frames) if stopped else _opened(innermost)
    place = frames[-1] if frames else Frame(file="", line=0, function="")
    chain = [ExceptionFacts(type=end.kind, module="", message=end.message, frames=frames)]
    loop_index, loop_count = folder.iteration if task else (0, 0)
    return Error(
        event_id=uuid.uuid4().hex,
        at_ns=end.at_ns,
        kind=HANG if end.kind == HANG else "death",
        chain=chain if stopped else [],
        type=end.kind,
        message=end.message,
        file=place.file,
        line=place.line,
        function=place.function,
        place=(STOPPED_AT if stopped else OPENED_AT) if frames else "",
        stage=stage,
        loop_index=loop_index,
        loop_count=loop_count,
        fingerprint=fingerprint(end.kind, frames, stage),
        trace_id=innermost.trace_id if innermost else (task.trace_id if task else None),
        span_id=innermost.span_id if innermost else None,
        task_id=task.task_id if task else "",
        context=_context(end, left, dump),
    )


def _as_known(end: ProcessEnd, directory: Path, last_words: Sequence[str]) -> ProcessEnd:
    """Add the last words to an end, and what the stacks say of one that nobody saw."""
    left = stacks.read(directory)[-1:] if end.kind == LOST else []
    if left and (returncode := left[0].returncode) is not None:
        end = from_returncode(returncode, at_ns=end.at_ns)
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


def _dump_of(
    end: ProcessEnd, left: Sequence[stacks.Dump], last_words: Sequence[str]
) -> stacks.Dump | None:
    """Return the stacks that tell of this very end: the last that were written, if they do."""
    if left and _tells_of(left[-1], end):
        return left[-1]
    # Python writes the stack of a fatal error of its own to stderr; so does a library that has
    # enabled faulthandler for itself. Empty lines, which part two dumps, are not among the words.
    said = stacks.parse("".join(f"{line}\n\n" for line in last_words))
    fatal = [dump for dump in said if dump.cause and end.signal]
    return fatal[-1] if fatal else None


def _tells_of(dump: stacks.Dump, end: ProcessEnd) -> bool:
    if end.kind == HANG:
        return not dump.cause
    if end.kind == LOST:
        return True
    if dump.returncode is not None:
        return dump.returncode == _returncode(end)
    return not dump.cause and end.signal in stacks.ASKED_BY


def _returncode(end: ProcessEnd) -> int | None:
    number = getattr(signal, end.signal, None)
    return end.exit_code if number is None else -number


def _opened(innermost: Span | None) -> list[Frame]:
    """Return the line that opened a span as the one frame that is known."""
    if innermost is None or names.CODE_FILE not in innermost.attributes:
        return []
    place = innermost.attributes
    return [
        Frame(
            file=str(place[names.CODE_FILE]),
            line=int(place.get(names.CODE_LINE, 0)),
            function=str(place.get(names.CODE_FUNCTION, "")),
        )
    ]


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


def _context(end: ProcessEnd, left: tuple[Span, ...], dump: stacks.Dump | None) -> dict[str, Any]:
    said = {name: value for name, value in end.attributes.items() if name != "last_words"}
    death = {"kind": end.kind, "signal": end.signal, "exit_code": end.exit_code, **said}
    context = {
        "death": death,
        "open_spans": [span.name for span in left],
        "last_words": end.attributes.get("last_words"),
        "threads": _others(dump) if dump else None,
        "frames_left_out": dump is not None and dump.stopped is not None and dump.stopped.cut,
    }
    return {name: value for name, value in context.items() if value or name == "open_spans"}


def _others(dump: stacks.Dump) -> dict[str, list[str]]:
    """Return where the other threads stood, a line a frame, the innermost last."""
    others = [thread for thread in dump.threads if thread is not dump.stopped and thread.frames]
    return {
        thread.id: [
            f"{frame.file}:{frame.line} in {frame.function}"
            for frame in thread.frames[-_THEIR_FRAMES:]
        ]
        for thread in others[:_OTHER_THREADS]
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
