"""A traceback's text, as an exception event has it, read back into exceptions and frames."""

import re
from typing import Final

from telemetry.records import ExceptionFacts, Frame

_MOST_EXCEPTIONS: Final = 24
_MOST_FRAMES: Final = 256
_RELATIONS: Final = {
    "": "",
    "Caused by: ": "cause",
    "Raised while handling: ": "context",
    "Member: ": "member",
}
_TITLE: Final = r"Traceback \(most recent call last\):\n"
_HEADING: Final = re.compile(rf"(|{'|'.join(filter(None, _RELATIONS))}){_TITLE}")
_NEXT: Final = re.compile(rf"\n(?=(?:{'|'.join(filter(None, _RELATIONS))}){_TITLE})")
_FRAME: Final = re.compile(r'  File "(.*)", line (\d{1,9}), in (.*)\n(?:    (.*)(?:\n|$))?')
_SAID: Final = re.compile(r"([\w.<>]+): ")
# What is left of a line, and the source of the frame that it was of.
_CUT_OFF: Final = re.compile(r"(?:….*(?:\n|$)(?:    .*\n)?)?")


def read_stack(text: str, type_: str = "", message: str = "") -> list[ExceptionFacts]:
    """Return the chain that a traceback's text tells, the exception itself first.

    It has file, line, function and the line's source of each frame, and no locals. Where the text
    is cut, at its beginning, outer frames are missing. The message of an exception further down
    the chain may be made to look like another: that is text, and is shown as such.

    Args:
        text: As `telemetry.recorder.exceptions.stack_text` wrote it.
        type_: The exception's type, with its module.
        message: Its message: told apart by this, however it looks.
    """
    found: list[ExceptionFacts] = []
    at = _CUT_OFF.match(text).end()  # type: ignore[union-attr] # nothing is cut off, too
    while at < len(text) and len(found) < _MOST_EXCEPTIONS:
        heading = _HEADING.match(text, at)
        at = heading.end() if heading else at
        frames, at = _frames(text, at)
        said, at = _said(text, at, f"{type_}: {message}" if type_ and not found else "")
        if not found and type_:
            said = (type_, message)
        relation = _RELATIONS[heading[1]] if heading and found else ""
        found.append(_exception(said, frames, relation))
    return found


def split_type(name: str) -> tuple[str, str]:
    """Return the module and the class of `module.Class`; of a built-in's `Class`, too."""
    module, _, own = name.rpartition(".")
    return module or ("builtins" if own else ""), own


def _frames(text: str, at: int) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    while frame := _FRAME.match(text, at):
        at = frame.end()
        file, line, function, source = frame.groups(default="")
        if len(frames) < _MOST_FRAMES:
            frames.append(
                Frame(
                    file=file,
                    line=int(line),
                    function=function,
                    source=[source] if source else [],
                    source_first_line=int(line) if source else 0,
                )
            )
    return frames, at


def _said(text: str, at: int, expected: str) -> tuple[tuple[str, str], int]:
    """Read an exception's last line, which is as long as its message."""
    if expected and text.startswith(f"{expected}\n", at):
        end = at + len(expected)
    else:
        following = _NEXT.search(text, at)
        end = max(at, following.start() - 1) if following else len(text)
    said = text[at:end].rstrip("\n")
    typed = _SAID.match(said)
    told = (typed[1], said[typed.end() :]) if typed else ("", said)
    return told, end + 2  # after it, an empty line and the next heading


def _exception(said: tuple[str, str], frames: list[Frame], relation: str) -> ExceptionFacts:
    module, type_ = split_type(said[0])
    return ExceptionFacts(
        type=type_, module=module, message=said[1], frames=frames, relation=relation
    )
