"""Which line of the checkout wrote a file: what is known of a video that is not what was asked."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

_WRITING: Final = os.O_WRONLY | os.O_RDWR
_PROGRAMS: Final = ("subprocess.Popen", "os.posix_spawn", "os.exec")


class Writers:
    """Sees who opens a file for writing in a folder, or starts a program that is told of it.

    Python tells of both as audit events; its hook stays as long as the process, and does nothing
    but in the block of `watching`.

    Args:
        root: The checkout, whose lines are meant.
        folder: Where it is told to write its videos.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._folder = str(folder)
        self._watching = False
        self._busy = threading.local()
        self._found: dict[str, str] = {}
        sys.addaudithook(self._hear)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note who writes in the block, and forget who wrote before."""
        self._found = {}
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def of(self, file: Path) -> str:
        """Say which line wrote a file, as "written at …"; "" where that is not known."""
        place = self._found.get(str(file)) or next(
            (place for told, place in self._found.items() if file.stem in told), ""
        )
        return f"written at {place}" if place else ""

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._watching or (event != "open" and event not in _PROGRAMS):
            return
        if getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            told = _opened_for_writing(args) if event == "open" else " ".join(_texts(args))
            if self._folder in told:
                self._found[told] = place_in(self._root, sys._getframe(1))  # noqa: SLF001 - who did it
        except Exception:  # noqa: BLE001, S110 - what a hook raises would end what it only looks at
            pass
        finally:
            self._busy.now = False


def place_in(root: str, frame: FrameType | None) -> str:
    """Return the innermost line of a folder's code that a frame was called from; "" if none is."""
    own = frame_in(root, frame)
    if own is None:
        return ""
    return f"{own.f_code.co_filename}:{own.f_lineno} in {own.f_code.co_qualname}"


def frame_in(root: str, frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of a folder's code that a frame was called from, or is."""
    while frame is not None and not frame.f_code.co_filename.startswith(root):
        frame = frame.f_back
    return frame


def _opened_for_writing(args: tuple[Any, ...]) -> str:
    """Return the path of an "open" event, where it is for writing: (path, mode, flags)."""
    path, mode, flags = (*args, None, None, None)[:3]
    writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
        isinstance(flags, int) and flags & _WRITING
    )
    return os.fsdecode(path) if writes and isinstance(path, str | bytes | os.PathLike) else ""


def _texts(args: tuple[Any, ...]) -> list[str]:
    """Return a program's arguments: (program, arguments, …)."""
    argv = args[1] if len(args) > 1 else ()
    parts = argv if isinstance(argv, list | tuple) else [argv]
    return [os.fsdecode(part) for part in parts if isinstance(part, str | bytes | os.PathLike)]
