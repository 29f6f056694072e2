"""The prompts that this process must not write: their texts, wherever these turn up.

A key tells what is a prompt. Its text goes on under other names, into a tokenizer's `text`, into
an exception's message. So what has once been hidden by its key is hidden by its text.
"""

import re
from typing import Any, Final

import msgspec

PROMPT_HIDDEN: Final = "[prompt hidden]"
_SHORTEST: Final = 8  # characters; a shorter text is found in what has nothing to do with it
_MOST: Final = 256
_MOST_ITEMS: Final = 64

# An identifier, a path, a number: found in what has nothing to do with the prompt.
_ONE_WORD: Final = re.compile(r"[!-~]+")

_learned: dict[str, None] = {}  # the oldest first
_hidden: tuple[str, ...] = ()  # the longest first: it may hold a shorter one


def hide(value: Any) -> bool:
    """Hide a prompt, or a list of prompts, from now on; whether there was a new one."""
    global _hidden  # noqa: PLW0603 - a process has one setting for prompts
    kind = type(value)
    items = list(value[:_MOST_ITEMS]) if kind is list or kind is tuple else [value]
    forms = (form for item in items if type(item) is str for form in _forms(item))
    new = [form for form in dict.fromkeys(forms) if form not in _learned]
    if new:
        _learned.update(dict.fromkeys(new))
        for oldest in list(_learned)[:-_MOST]:
            del _learned[oldest]
        _hidden = tuple(sorted(_learned, key=len, reverse=True))
    return bool(new)


def without_hidden(text: str) -> str:
    """Return a text without the prompts that are hidden."""
    for prompt in _hidden:
        if prompt in text:
            text = text.replace(prompt, PROMPT_HIDDEN)
    return text


def show_again() -> None:
    """Forget what was hidden."""
    global _hidden  # noqa: PLW0603 - see above
    _learned.clear()
    _hidden = ()


def _forms(prompt: str) -> list[str]:
    """Return a prompt as it may be written: whole, line by line, and within quotes."""
    readable = prompt.encode("utf-8", "backslashreplace").decode()
    whole = [prompt, repr(prompt)[1:-1], msgspec.json.encode(readable).decode()[1:-1]]
    parts = (part.strip() for part in [*whole, *prompt.splitlines()[:_MOST_ITEMS]])
    return [part for part in parts if len(part) >= _SHORTEST and not _ONE_WORD.fullmatch(part)]
