"""Where a death struck: the stack that tells of it, else the span that was open."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from telemetry import names, stacks
from telemetry.death.ends import HANG, LOST, returncode_of
from telemetry.recorder.own_code import OUR_PACKAGES, OwnCode
from telemetry.records import Frame, ProcessEnd, TaskBegin
from telemetry.spans import Folder, Span, innermost

OPENED_AT: Final = "opened at"
STOPPED_AT: Final = "stopped at"

_FATAL_SIGNAL: Final = "SIGABRT"  # how Python ends when it gives up, having said why
_OTHER_THREADS: Final = 16
_THEIR_FRAMES: Final = 16


class Place(NamedTuple):
    """Where a death struck.

    Attributes:
        known_as: How exactly: "stopped at", "opened at" or "".
        frames: The stack of the thread that died, or the one line that opened `span`.
        span: The innermost span that was open in the task.
        stage: The innermost stage that was open in the task, or "".
        dump: The stacks that tell of this death.
        thread: The one of them that `frames` are of.
    """

    known_as: str
    frames: list[Frame]
    span: Span | None
    stage: str
    dump: stacks.Dump | None
    thread: stacks.Thread | None = None

    @property
    def innermost(self) -> Frame:
        """The place itself; without a file where none is known."""
        return self.frames[-1] if self.frames else Frame(file="", line=0, function="")


def place_of(
    end: ProcessEnd,
    folder: Folder,
    left: Sequence[stacks.Dump],
    last_words: Sequence[str],
    own: OwnCode = OUR_PACKAGES,
) -> Place:
    """Find the place of a death.

    It is the innermost Python frame of the thread that died ("stopped at"), where the process left
    its stack; else the line that opened the innermost span that was open ("opened at"), which is
    all that is certain of a process that could not speak. Of an end of the kind "hang" the stack is
    the last that a signal asked for. Where an engine works in a thread of its own, that one is
    the place where the main thread, which waits for it, would be.

    Args:
        end: How the process ended.
        folder: Its journal, from its newest task on.
        left: The stacks that it left in its journal's directory.
        last_words: What it wrote last to its stdout and stderr.
        own: What of its code was our own.
    """
    task = folder.task_in_hand
    opened = folder.open_spans or folder.left_open
    span = innermost(opened, task.trace_id if task else None)
    stage = _stage(opened, span)
    dump = _dump_of(end, left, last_words)
    thread = dump.stopped_with(_working(opened, task)) if dump else None
    if thread is not None:
        frames = stacks.described(thread.frames, own)
        return Place(STOPPED_AT, frames, span, stage, dump, thread)
    frames = _opened(span)
    return Place(OPENED_AT if frames else "", frames, span, stage, dump)


def others(place: Place) -> dict[str, list[str]]:
    """Return where the other threads stood, a line a frame, the innermost last."""
    threads = place.dump.threads if place.dump else ()
    others = [thread for thread in threads if thread is not place.thread and thread.frames]
    return {
        thread.id: [
            f"{frame.file}:{frame.line} in {frame.function}"
            for frame in thread.frames[-_THEIR_FRAMES:]
        ]
        for thread in others[:_OTHER_THREADS]
    }


def _dump_of(
    end: ProcessEnd, left: Sequence[stacks.Dump], last_words: Sequence[str]
) -> stacks.Dump | None:
    """Return the stacks that tell of this very end: the last that were written, if they do."""
    if left and _tells_of(left[-1], end):
        return left[-1]
    # Python writes the stack of a fatal error of its own to stderr; so does a library that has
    # enabled faulthandler for itself, and a process without a directory for its stacks. Empty
    # lines, which part two dumps, are not among the words.
    said = stacks.parse("".join(f"{line}\n\n" for line in last_words))
    telling = [dump for dump in said if _tells_of(dump, end) or _gives_up(dump, end)]
    return telling[-1] if telling else None


def _tells_of(dump: stacks.Dump, end: ProcessEnd) -> bool:
    if end.kind == HANG:
        return not dump.cause
    if end.kind == LOST:
        return True
    if dump.returncode is not None:
        return dump.returncode == returncode_of(end)
    return not dump.cause and end.signal in stacks.ASKED_BY


def _gives_up(dump: stacks.Dump, end: ProcessEnd) -> bool:
    """Whether these are the stacks of a fatal error that Python itself has found."""
    return bool(dump.cause) and dump.returncode is None and end.signal == _FATAL_SIGNAL


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


def _working(opened: Sequence[Span], task: TaskBegin | None) -> str:
    """Return the id of the thread that the engine worked in, where an open span names it."""
    named = [span for span in opened if names.WORKING_THREAD in span.attributes]
    found = innermost(named, task.trace_id if task else None)
    return str(found.attributes[names.WORKING_THREAD]) if found else ""


def _stage(opened: Sequence[Span], span: Span | None) -> str:
    """Return the innermost stage around a span, itself included."""
    prefix = f"{names.STAGE} "
    parents = {one.span_id: one for one in opened}
    while span is not None:
        if span.name.startswith(prefix):
            return span.name.removeprefix(prefix)
        span = parents.get(span.parent_id or b"")
    return ""
