"""What a record has lost of a task's parameters: hidden, or cut, before it was written."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from telemetry.recorder.assignments import REDACTED
from telemetry.recorder.hidden_prompts import PROMPT_HIDDEN
from telemetry.reports.wording import one_line

_CUT = re.compile(r"… \[\d+ characters\]$")
_TOO_DEEP = "…"
_LONGEST_NAME = 120
_MOST = 100
_DEEPEST = 50  # no recorder writes what is nested more deeply


def lost_values(params: Mapping[str, Any], place: str = "params") -> list[str]:
    """Say of each value that is not what the task was given: its dotted path, and why."""
    found = []
    for path, why in _walk(params, place):
        found.append(f"{one_line(path, _LONGEST_NAME)} {why}")
        if len(found) == _MOST:
            break
    return found


def _walk(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        yield path, "is nested more deeply than anything recorded"
        return
    match value:
        case str():
            if why := _why(value):
                yield path, why
        case Mapping():
            for key, item in value.items():
                yield from _walk(item, f"{path}.{key}", depth + 1)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _walk(item, f"{path}[{index}]", depth + 1)


def _why(text: str) -> str:
    if PROMPT_HIDDEN in text:
        return "was a prompt, and prompts are not recorded"
    if REDACTED in text:
        return "was a secret, and is not recorded"
    if _CUT.search(text) or text == _TOO_DEEP:
        return "was too large to be recorded whole"
    return ""
