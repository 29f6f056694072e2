"""What the stacks say that a process has left."""

import linecache
import os
import re
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from telemetry.recorder.capture import source_around
from telemetry.recorder.own_code import OwnCode
from telemetry.recorder.redaction import redacted
from telemetry.records import Frame
from telemetry.stacks.writing import STACKS_FILE

# What `faulthandler.enable` writes before it lets the signal have its way.
_FATAL: Final[Mapping[str, int]] = {
    "Segmentation fault": signal.SIGSEGV,
    "Aborted": signal.SIGABRT,
    "Bus error": signal.SIGBUS,
    "Floating point exception": signal.SIGFPE,
    "Floating-point exception": signal.SIGFPE,  # from Python 3.13 on
    "Illegal instruction": signal.SIGILL,
}
_MOST_BYTES: Final = 1 << 20  # a hundred threads with a hundred frames each, as a rule
_FATAL_LINE: Final = re.compile(r"Fatal Python error: (.*)")
_EXIT_LINE: Final = re.compile(r"os\._exit\((\d+)\)")
_THREAD_LINE: Final = re.compile(r"(Current thread|Thread) (0x[0-9a-f]+).*most recent call first.*")
_FRAME_LINE: Final = re.compile(r'  File (?:"(.*)"|\?\?\?), line (\d+|\?\?\?) in (.*)')
_MODULES_LINE: Final = re.compile(r"Extension modules: .*")
_CUT_LINE: Final = "  ..."
_ESCAPE: Final = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U(00(?:0[0-9a-f]|10)[0-9a-f]{4})")


class Thread(NamedTuple):
    """One thread's stack: frames from the outermost to the innermost; file, line and function.

    `current` is true of the thread that crashed or called; `cut` when outer frames are missing.
    """

    id: str
    current: bool
    frames: tuple[Frame, ...]
    cut: bool = False


class Dump(NamedTuple):
    """The stacks of all threads at one moment.

    `cause` is what the process wrote above them: "Segmentation fault", "os._exit(3)", or "" where
    a signal asked for them.
    """

    cause: str
    threads: tuple[Thread, ...]

    @property
    def returncode(self) -> int | None:
        """What the cause makes of a process, as `subprocess` has it; None where it is unknown."""
        if left := _EXIT_LINE.fullmatch(self.cause):
            return int(left[1])
        return -_FATAL[self.cause] if self.cause in _FATAL else None

    @property
    def stopped(self) -> Thread | None:
        """The thread whose innermost frame is the place; None where none has a Python frame."""
        return self.stopped_with("")

    def stopped_with(self, work: str) -> Thread | None:
        """Return the thread whose innermost frame is the place; None where none has one of Python.

        It is the one that crashed or left. Where that was a native thread, or a signal from outside
        asked, it is the one that is at `work`, by its id; else the main thread, which runs the task
        and is the last that faulthandler writes.
        """
        current = [one for one in self.threads if one.current and self.cause]
        at_work = [one for one in self.threads if work and one.id == work]
        known = (*current, *at_work, *self.threads[::-1])
        return next((one for one in known if one.frames), None)


def read(directory: Path) -> list[Dump]:
    """Return what a process has left in its journal's directory, oldest first; never raises."""
    try:
        with (directory / STACKS_FILE).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_BYTES))
            return parse(file.read(_MOST_BYTES).decode(errors="replace"))
    except OSError:
        return []


def parse(text: str) -> list[Dump]:
    """Read what faulthandler wrote, oldest first; what is torn or foreign is passed over."""
    found: list[_Dump] = []
    going_on = False  # an empty line stands between the parts of a dump, none between two dumps
    # What stands after the last line's end was being written when the process ended.
    for line in map(str.rstrip, text.split("\n")[:-1]):
        if cause := _cause(line):
            found.append(_Dump(cause))
        elif thread := _THREAD_LINE.fullmatch(line):
            if not (found and going_on):
                found.append(_Dump(""))
            found[-1].stacks.append(_Stack(thread[2], thread[1] != "Thread"))
        elif found and found[-1].stacks:
            found[-1].stacks[-1].add(line)
        going_on = not line
    return [dump.finished() for dump in found]


def is_part(line: str) -> bool:
    """Whether a line is of a stack that was written from C."""
    parts = (_THREAD_LINE, _FRAME_LINE, _MODULES_LINE)
    return line == _CUT_LINE or any(part.fullmatch(line) for part in parts)


def described(frames: Iterable[Frame], own: OwnCode) -> list[Frame]:
    """Add to frames what can be read about them: module, source around the line, whether ours."""
    return [_described(frame, own) for frame in frames]


@dataclass(slots=True)
class _Stack:
    """A thread's stack as it is being read, the innermost frame first."""

    id: str
    current: bool
    frames: list[Frame] = field(default_factory=list)
    cut: bool = False

    def add(self, line: str) -> None:
        if frame := _FRAME_LINE.fullmatch(line):
            file, number, function = frame.groups(default="")
            self.frames.append(
                Frame(
                    file=redacted(_unescaped(file)),
                    line=int(number) if number.isdecimal() else 0,
                    function=_unescaped(function),
                )
            )
        elif line == _CUT_LINE:
            self.cut = True


@dataclass(slots=True)
class _Dump:
    """A dump as it is being read."""

    cause: str
    stacks: list[_Stack] = field(default_factory=list)

    def finished(self) -> Dump:
        leaving = _EXIT_LINE.fullmatch(self.cause) is not None
        threads = []
        for stack in self.stacks:
            own = int(leaving and stack.current)  # the frame of our own that wrote this
            frames = tuple(stack.frames[own:][::-1])
            threads.append(Thread(stack.id, stack.current, frames, stack.cut))
        return Dump(self.cause, tuple(threads))


def _cause(line: str) -> str:
    if fatal := _FATAL_LINE.fullmatch(line):
        return fatal[1]
    return line if _EXIT_LINE.fullmatch(line) else ""


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(next(filter(None, found.groups())), 16)), text)


def _described(frame: Frame, own: OwnCode) -> Frame:
    linecache.checkcache(frame.file)
    first, source = source_around(frame.file, frame.line)
    module = _module(frame.file, own)
    return Frame(
        file=frame.file,
        line=frame.line,
        function=frame.function,
        module=module,
        source=source,
        source_first_line=first,
        in_app=own.has(frame.file, module),
    )


def _module(file: str, own: OwnCode) -> str:
    """Return the dotted name of the module in a file.

    In a folder of our own it is that of its path there: its folders need be no packages.
    """
    below = own.path_of(file)
    if below is None:
        return _packaged(file)
    path = PurePath(below)
    return ".".join([*path.parent.parts, *([] if path.name == "__init__.py" else [path.stem])])


@lru_cache(maxsize=1024)
def _packaged(file: str) -> str:
    """Return the dotted name of the module in a file: as far up as there are packages."""
    path = Path(file)
    if not path.is_absolute():  # "<string>", "<frozen …>"
        return ""
    parts = [] if path.name == "__init__.py" else [path.stem]
    with suppress(OSError, ValueError):
        for folder in path.parents:
            if not (folder / "__init__.py").is_file():
                break
            parts.append(folder.name)
    return ".".join(reversed(parts))
