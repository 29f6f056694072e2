"""The exceptions that a task has handled: one of them may be why it fails later."""

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from telemetry.records import Error

MOST: Final = 32  # a task
WATCHED: Final = "watched"  # how one was found that nobody has spoken of
_SHORTEST_TEXT: Final = 4  # that another text may be searched for
_LONGEST_TEXT: Final = 4096  # that is looked at for its form
_WORDS: Final = 32  # of a form
_QUOTED: Final = re.compile(r"(?<!\w)(['\"`])(?:(?!\1)[^\n]){0,200}\1(?!\w)")
_WORD: Final = re.compile(r"[!-~]+")  # of ASCII; other scripts need no spaces
_VARIABLE: Final = re.compile(r"[\d_/\\]")
_SEVERAL: Final = re.compile(r"\*[\s*]*\*")
_Key = tuple[str, ...]


@dataclass(slots=True)
class Suspect:
    """A handled exception, without its frames; `said` is the text it had the last time."""

    error: Error
    said: str
    times: int = 1


class Suspects:
    """What one task has handled: the first of a kind is written, the others are counted.

    Attributes:
        left_out: How many were not written, for there were `MOST` kinds.
    """

    def __init__(self) -> None:
        self._kept: dict[_Key, Suspect] = {}
        self.left_out = 0

    def admits(self, key: _Key, said: str) -> bool:
        """Whether an exception is to be written; one that is not is counted."""
        suspect = self._kept.pop(key, None)
        if suspect is not None:
            suspect.times += 1
            suspect.said = said
            self._kept[key] = suspect  # the newest is last
            return False
        if len(self._kept) >= MOST:
            self.left_out += 1
            return False
        return True

    def add(self, key: _Key, error: Error) -> None:
        """Keep what was written."""
        self._kept[key] = Suspect(msgspec.structs.replace(error, chain=[]), error.message)

    def told_by(self, text: str) -> Error | None:
        """Return the newest whose message a text is, or holds.

        A text that is too short to be anybody's in particular is that of the very newest alone.
        """
        for suspect in reversed(self._kept.values()):
            if holds(text, suspect.error.message) or holds(text, suspect.said):
                return suspect.error
            if len(text) < _SHORTEST_TEXT:
                return None
        return None

    def cause_of(self, error: Error) -> tuple[Error, str] | None:
        """Say what is likely to have caused an error, and how that is known; None if nothing is.

        It is "told by its text" when the error's message holds the other's, and "handled before,
        in the same stage" when nothing better is known.
        """
        found = self.told_by(error.message)
        if found is not None:
            return found, "told by its text"
        alike = [one for one in reversed(self._kept.values()) if one.error.stage == error.stage]
        # What somebody spoke of, or was caught with in hand, before what is only known by watching.
        for suspect in sorted(alike, key=lambda one: is_watched(one.error)):
            return suspect.error, "handled before, in the same stage"
        return None

    def watched_in(self, stage: str) -> Error | None:
        """Return the newest exception of a stage that is only known by watching."""
        for suspect in reversed(self._kept.values()):
            if is_watched(suspect.error) and suspect.error.stage == stage:
                return suspect.error
        return None

    def summary(self) -> str:
        """Say what was counted and not written; "" when all was written."""
        repeated = [
            f"{one.error.type} at {one.error.file}:{one.error.line} {one.times - 1} times more"
            for one in self._kept.values()
            if one.times > 1
        ]
        return "; ".join(repeated + [f"{self.left_out} others"] * bool(self.left_out))


def is_watched(error: Error) -> bool:
    """Whether an exception is only known because every one was watched for."""
    return error.context.get("found") == WATCHED


def cause(error: Error, known_by: str) -> dict[str, Any]:
    """Return what an error's context says of its cause."""
    return {
        "event_id": error.event_id,
        "type": error.type,
        "message": error.message,
        "place": error.place,
        "file": error.file,
        "line": error.line,
        "function": error.function,
        "own_file": error.own_file,
        "own_line": error.own_line,
        "own_function": error.own_function,
        "expression": error.expression,
        "fingerprint": error.fingerprint,
        "known_by": known_by,
    }


def form_of(text: str) -> str:
    """Return what texts of one cause have in common; "" where a text is nothing but variable.

    What is quoted, and each word with a digit, an underscore or a slash, is left out: numbers,
    ids, paths, names of parameters.
    """
    text = _QUOTED.sub("*", text[:_LONGEST_TEXT])
    text = _WORD.sub(lambda word: "*" if _VARIABLE.search(word[0]) else word[0].lower(), text)
    form = " ".join(_SEVERAL.sub("*", text).split()[:_WORDS])
    return form if form.strip("* ") else ""


def holds(text: str, message: str) -> bool:
    """Whether a text is a message, or holds one that is no mere number or letter."""
    return bool(message) and (
        message == text or (len(message) >= _SHORTEST_TEXT and message in text)
    )
