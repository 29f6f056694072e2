"""What must not be written: secrets by their form or their key, and prompts when so asked."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from telemetry.recorder.secret_patterns import (
    ASSIGNED,
    KEY_HINTS,
    KEY_OF_ASSIGNMENT,
    KEY_WORDS,
    LONG_WORD,
    PATTERNS,
    REDACTED,
)

PROMPT_HIDDEN: Final = "[prompt hidden]"
# A text shorter than this holds no secret that a pattern could tell.
_SHORTEST: Final = 8
# What is done with a text of up to this length is remembered.
CACHED_CHARACTERS: Final = 256
_SENSITIVE_KEY: Final = re.compile(
    rf"(?:^|_)(?:{KEY_WORDS}|auth)$|(?:passw(?:or)?d|passphrase|secret)$"
)
_LONGEST_PRIVATE_KEY: Final = 128  # lines
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_ASSIGNMENT: Final = len(PATTERNS)
_Hints: TypeAlias = tuple[tuple[str, int], ...]


def _hints(*, long: bool, sign: bool) -> _Hints:
    """Return pairs of a hint and its pattern's number; that of assignments is the last."""
    found = [
        (hint, number)
        for number, pattern in enumerate(PATTERNS)
        if (pattern.long, pattern.sign) == (long, sign)
        for hint in pattern.hints
    ]
    return (*found, *((hint, _ASSIGNMENT) for hint in KEY_HINTS if sign))


_HINTS: Final = _hints(long=False, sign=False)
_LONG_HINTS: Final = _hints(long=True, sign=False)
_SIGN_HINTS: Final = _hints(long=False, sign=True)

PLAIN_KEY: Final = 0
SECRET_KEY: Final = 1
PROMPT_KEY: Final = 2


def redacted(text: str) -> str:
    """Return a text without secrets, and without what UTF-8 cannot hold."""
    if len(text) <= CACHED_CHARACTERS:
        return _redacted_short(text)
    return _redacted(text)


def redacted_lines(lines: Sequence[str]) -> list[str]:
    """Return as many lines, without secrets, of which some take several lines."""
    whole = redacted("\n".join(lines)).split("\n")
    return whole if len(whole) == len(lines) else [redacted(line) for line in lines]


class LineRedactor:
    """Redacts what comes line by line, as a program prints it: a private key takes many."""

    def __init__(self) -> None:
        self._hidden_lines = 0

    def __call__(self, line: str) -> str:
        """Return the next line without secrets."""
        inside = 0 < self._hidden_lines < _LONGEST_PRIVATE_KEY
        if inside or ("-----BEGIN" in line and "PRIVATE KEY" in line):
            self._hidden_lines = 0 if "-----END" in line else self._hidden_lines + 1
        else:
            self._hidden_lines = 0
        return REDACTED if inside else redacted(line)


@lru_cache(maxsize=4096)
def key_rule(key: str) -> int:
    """Tell what a key or the last part of a dotted name says of its value: one of three rules."""
    last = _CAMEL.sub("_", key.rpartition(".")[2]).lower().replace("-", "_").replace(" ", "_")
    if _SENSITIVE_KEY.search(last):
        return SECRET_KEY
    return PROMPT_KEY if "prompt" in last else PLAIN_KEY


class Redactor:
    """Decides by key: secrets are never written, prompts only when `record_prompts` is true.

    Attributes:
        record_prompts: Whether prompts are written.
        known: Attributes, key and plain value, that `telemetry.recorder.attributes.clean` has
            found to need no change, whatever stands beside them.
    """

    __slots__ = ("known", "record_prompts")

    def __init__(self, *, record_prompts: bool = True) -> None:
        self.record_prompts = record_prompts
        self.known: set[tuple[str, Any]] = set()

    def decides(self, key: str) -> bool:
        """Whether a value may be hidden because of its key."""
        rule = key_rule(key)
        return rule == SECRET_KEY or (rule == PROMPT_KEY and not self.record_prompts)

    def replacement(self, key: str, value: Any) -> str | None:
        """Return what stands in the value's place, or None when the value may be written.

        Nothing hides that a value is missing: None, booleans and empty texts are always written.
        """
        if not self.decides(key):
            return None
        kind = type(value)
        if value is None or kind is bool or (kind is str and not value):
            return None
        if key_rule(key) == SECRET_KEY:
            return REDACTED
        return None if kind is int or kind is float else PROMPT_HIDDEN


@lru_cache(maxsize=4096)
def _redacted_short(text: str) -> str:
    return _redacted(text)


def _redacted(text: str) -> str:
    if len(text) >= _SHORTEST and (numbers := _suspected(text)):
        text = _without_secrets(text, numbers)
    if text.isascii():
        return text
    # Lone surrogates (from undecodable file names) can be written by no encoder.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _suspected(text: str) -> set[int]:
    """Return the numbers of the patterns that may be in a text: of most texts, none."""
    lowered = text.lower()
    found = {number for hint, number in _HINTS if hint in lowered}
    if max(map(len, text.split()), default=0) >= LONG_WORD:
        found |= {number for hint, number in _LONG_HINTS if hint in lowered}
    if "=" in text or ":" in text or "%" in text:
        found |= {number for hint, number in _SIGN_HINTS if hint in lowered}
    return found


def _without_secrets(text: str, numbers: Iterable[int]) -> str:
    for number in sorted(numbers):
        if number == _ASSIGNMENT:
            text = _without_assigned(text)
        else:
            text = PATTERNS[number].regex.sub(PATTERNS[number].replacement, text)
    return text


def _without_assigned(text: str) -> str:
    """Hide what is assigned to a name that would be a secret's key."""
    parts: list[str] = []
    end = 0
    for key in KEY_OF_ASSIGNMENT.finditer(text):
        if key.start() < end or key_rule(key[1]) != SECRET_KEY:
            continue
        if value := ASSIGNED.match(text, key.end()):
            parts += (
                text[end : key.end()],
                f"{value[1] or value[2] or ''}{REDACTED}{value[1] or ''}",
            )
            end = value.end()
    return "".join((*parts, text[end:])) if parts else text
