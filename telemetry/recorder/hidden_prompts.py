"""The prompts that this process must not write: their texts, wherever these turn up.

A key tells what is a prompt. Its text goes on under other names, into a tokenizer's `text`, into
an exception's message. So what has once been hidden by its key is hidden by its text: in the task
that it came with, and in the next one, for what is still said of the last.
"""

import re
from typing import Any, Final

import msgspec

from telemetry import names

PROMPT_HIDDEN: Final = "[prompt hidden]"
_SHORTEST: Final = 8  # characters; a shorter text is found in what has nothing to do with it
_MOST: Final = 512  # of one task
_MOST_ITEMS: Final = 64

# An identifier, a path, a number: found in what has nothing to do with the prompt.
_ONE_WORD: Final = re.compile(r"[!-~]+")

# A prompt that is called like a span would hide its name, and that of all others.
_OWN_NAMES: Final = "\n".join(
    (names.LOOP_ITERATION, names.DENOISE_STEP, *map(names.stage, names.STAGES))
)

_learned: dict[str, None] = {}  # with the task in hand, the oldest first
_before: dict[str, None] = {}  # with the task before
_hidden: tuple[str, ...] = ()  # the longest first: it may hold a shorter one


def hide(value: Any) -> bool:
    """Hide a prompt, or a list of prompts, from now on; whether there was a new one."""
    kind = type(value)
    items = list(value[:_MOST_ITEMS]) if kind is list or kind is tuple else [value]
    forms = (form for item in items if type(item) is str for form in _forms(item))
    new = [form for form in dict.fromkeys(forms) if form not in _learned]
    if new:
        _learned.update(dict.fromkeys(new))
        for oldest in list(_learned)[:-_MOST]:
            del _learned[oldest]
        _arrange()
    return bool(new)


def without_hidden(text: str) -> str:
    """Return a text without the prompts that are hidden."""
    if not _hidden or len(text) < len(_hidden[-1]):
        return text
    for prompt in _hidden:
        if prompt in text:
            text = text.replace(prompt, PROMPT_HIDDEN)
    return text


def begin_task() -> None:
    """Forget the prompts of the task before the last one."""
    global _learned, _before
    if _learned:
        _before, _learned = _learned, {}
        _arrange()


def show_again() -> None:
    """Forget what was hidden."""
    _learned.clear()
    _before.clear()
    _arrange()


def _arrange() -> None:
    global _hidden  # noqa: PLW0603 - a process has one setting for prompts
    _hidden = tuple(sorted(_learned | _before, key=len, reverse=True))


def _forms(prompt: str) -> list[str]:
    """Return a prompt as it may be written: whole, line by line, and within quotes."""
    readable = prompt.encode("utf-8", "backslashreplace").decode()
    whole = [prompt, repr(prompt)[1:-1], msgspec.json.encode(readable).decode()[1:-1]]
    parts = (part.strip() for part in [*whole, *prompt.splitlines()[:_MOST_ITEMS]])
    return [
        part
        for part in parts
        if len(part) >= _SHORTEST and not _ONE_WORD.fullmatch(part) and part not in _OWN_NAMES
    ]
