"""What must not be written: secrets by their form or their key, and prompts when so asked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from telemetry.recorder.assignments import REDACTED, without_assigned
from telemetry.recorder.hidden_prompts import PROMPT_HIDDEN, hide, without_hidden
from telemetry.recorder.secret_names import (
    NAME_HINTS,
    PROMPT_KEY,
    SECRET_KEY,
    key_rule,
)
from telemetry.recorder.secret_patterns import LONG_WORD, PATTERNS

# A text shorter than this holds no secret that a pattern could tell.
_SHORTEST: Final = 8
# What is done with a text of up to this length is remembered.
CACHED_CHARACTERS: Final = 256
# Where a text is cut before it is redacted, so much of it is not shown: it may be half a secret.
CUT_EDGE: Final = 4096
_LONGEST_PRIVATE_KEY: Final = 128  # lines
# Of which one is in every assignment; and in every match of a pattern that has a sign.
_SIGNS: Final = ("=", ":", "%", ",", "--", ">")
_WORD: Final = re.compile(r"[A-Za-z_]+")
_PAIR: Final = 2
_FLAG_OR_NAME: Final = re.compile(r"-{0,2}[A-Za-z_][\w.-]{0,127}:?")
_USER_FLAGS: Final = frozenset({"-u", "--user", "--proxy-user"})
# {"name": "api_key", "value": …} hides as {"api_key": …} does.
_NAMES_OF_A_VALUE: Final = ("name", "key", "field", "header", "variable")
_VALUES_OF_A_NAME: Final = frozenset({"value", "val", "asked", "default", "content", "old", "new"})

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
    return (*found, *((hint, _ASSIGNMENT) for hint in NAME_HINTS if sign))


_HINTS: Final = _hints(long=False, sign=False)
_LONG_HINTS: Final = _hints(long=True, sign=False)
_SIGN_HINTS: Final = _hints(long=False, sign=True)


def redacted(text: str) -> str:
    """Return a text without secrets and hidden prompts, and without what UTF-8 cannot hold."""
    text = without_hidden(text)
    if len(text) <= CACHED_CHARACTERS:
        return _redacted_short(text)
    return _redacted(text)


def shortened(text: str, limit: int) -> str:
    """Return a text without secrets, of at most about `limit` characters, that says if it was cut.

    Its length does not count: more than is shown is redacted, and nothing but that.
    """
    if len(text) <= limit + CUT_EDGE:
        return cut(redacted(text), limit)
    shown = redacted(text[: limit + CUT_EDGE])[:-CUT_EDGE]
    return f"{shown[:limit]}… [{len(text)} characters]"


def cut(text: str, limit: int) -> str:
    """Return a text that has no secrets, at most about `limit` characters of it."""
    return text if len(text) <= limit else f"{text[:limit]}… [{len(text)} characters]"


def redacted_lines(lines: Sequence[str], limit: int) -> list[str]:
    """Return as many lines, of at most `limit` characters, without secrets.

    They are redacted together: a secret may take several, and stand below its name.
    """
    windows = [line[: limit + CUT_EDGE] for line in lines]
    whole = redacted("\n".join(windows)).split("\n")
    if len(whole) != len(lines):
        whole = [redacted(window) for window in windows]
    return [
        (clean[:-CUT_EDGE] if len(line) > limit + CUT_EDGE else clean)[:limit]
        for line, clean in zip(lines, whole, strict=True)
    ]


class LineRedactor:
    """Redacts what comes line by line, as a program prints it: a private key takes many."""

    def __init__(self) -> None:
        self._hidden_lines = 0
        self._inside_line = False

    def __call__(self, line: str, *, ended: bool = True) -> str:
        """Return the next line without secrets.

        A line may come in pieces, of which only the last is `ended`. A secret may lie in two, so
        what is beside the edge is left out of both.
        """
        inside = 0 < self._hidden_lines < _LONGEST_PRIVATE_KEY
        if inside or ("-----BEGIN" in line and "PRIVATE KEY" in line):
            self._hidden_lines = 0 if "-----END" in line else self._hidden_lines + 1
        else:
            self._hidden_lines = 0
        begun, self._inside_line = self._inside_line, not ended
        if inside:
            return REDACTED
        shown = redacted(line)
        if begun:
            shown = f"…{shown[CUT_EDGE:]}"
        return shown if ended else f"{shown[:-CUT_EDGE]}…"


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

    def replacements(self, items: Sequence[Any]) -> Iterator[str | None]:
        """Yield what stands in the place of each item of a list, or None: see `replacement`.

        An item's key is the flag or the name before it: `["--token", …]`, `("X-Api-Key", …)`.
        """
        before = ""
        is_pair = len(items) == _PAIR
        for item in items:
            is_text = type(item) is str
            if before in _USER_FLAGS and is_text and ":" in item:
                yield f"{item.partition(':')[0]}:{REDACTED}"
            elif not before or (is_text and item.startswith("--")):
                yield None
            elif before[0] != "-" and not is_pair and not (is_text and not _WORD.fullmatch(item)):
                yield None  # in a list of words, one may happen to be such a name
            else:
                yield self.replacement(before.strip("-:"), item)
            before = item if is_text and _FLAG_OR_NAME.fullmatch(item) else ""

    def key_of_values(self, pairs: Iterable[tuple[Any, Any]]) -> str:
        """Return the key whose value an object's `value` is, "" when that is not to be hidden.

        As of `{"name": "api_key", "value": …}`, and of two variables that are called so.
        """
        for key, value in pairs:
            if type(key) is str and key in _NAMES_OF_A_VALUE and type(value) is str:
                name = value[:CACHED_CHARACTERS]
                if self.decides(name):
                    return name
        return ""

    def replacement_in(self, key: str, value: Any, key_of_values: str) -> str | None:
        """Return `replacement` of an object's item; its `key_of_values` speaks for its `value`."""
        found = self.replacement(key, value)
        if found is None and key_of_values and key in _VALUES_OF_A_NAME:
            found = self.replacement(key_of_values, value)
        return found

    def learn(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Remember the prompts among these, so that they are hidden under other keys, too."""
        if self.record_prompts:
            return
        for key, value in pairs:
            is_prompt = type(key) is str and key_rule(key) == PROMPT_KEY
            if is_prompt and self.replacement(key, value) and hide(value):
                self.known.clear()


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
    if any(sign in text for sign in _SIGNS):
        found |= {number for hint, number in _SIGN_HINTS if hint in lowered}
    return found


def _without_secrets(text: str, numbers: Iterable[int]) -> str:
    for number in sorted(numbers):
        if number == _ASSIGNMENT:
            text = without_assigned(text)
        else:
            text = PATTERNS[number].regex.sub(PATTERNS[number].replacement, text)
    return text
