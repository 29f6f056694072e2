"""Where in a checkout's sources a text stands: the nearest to a line, of a failure without one."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

_SHORTEST: Final = 12  # characters of a text that is anybody's in particular
_WORDS: Final = 3
_MOST_FILES: Final = 4000
_MOST_BYTES: Final = 4 * 2**20  # of a file
_LONGEST_TEXT: Final = 1024  # of more, each word is looked for in every file, which takes seconds
_LITERAL: Final = re.compile(r"""(["'])((?:(?!\1).){12,4096})\1""")
# What is put into a text, as f-strings, `format` and `%` have it.
_PUT_IN: Final = re.compile(r"\{[^{}]*\}|%\([^)]*\)[a-z]|%[-+.\d]*[a-z]")
_NOT_ITS_OWN: Final = frozenset({"site-packages", "node_modules", "__pycache__"})


def spoken_at(root: Path, text: str) -> str:
    """Return the one line of a folder's sources that holds the longest part of a text as it is.

    As "file:line"; "" where none does, or several do.
    """
    text = text[:_LONGEST_TEXT]
    words = text.split()
    probes = [" ".join(words[at : at + _WORDS]) for at in range(max(1, len(words) - _WORDS + 1))]
    found: dict[str, set[str]] = {}
    for file, source in _sources(root):
        if not any(probe in source for probe in probes):
            continue
        for number, line in enumerate(source.splitlines(), start=1):
            for part in _parts_of(line):
                if part in text:
                    found.setdefault(part, set()).add(f"{file}:{number}")
    places = found[max(found, key=len)] if found else set()
    return places.pop() if len(places) == 1 else ""


def _parts_of(line: str) -> Iterator[str]:
    """Return the constant parts of the texts in a line of source."""
    for literal in _LITERAL.finditer(line):
        for part in _PUT_IN.split(literal[2]):
            if len(part.strip()) >= _SHORTEST:
                yield part.strip()


def _sources(root: Path) -> Iterator[tuple[Path, str]]:
    for file in islice(_modules(root), _MOST_FILES):
        try:
            if file.stat().st_size <= _MOST_BYTES:
                yield file, file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue


def _modules(folder: Path) -> Iterator[Path]:
    """Return the modules in a folder; those of an environment in it are not the checkout's."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.suffix == ".py" and entry.is_file():
            yield entry
        elif entry.is_dir() and not entry.is_symlink() and _is_its_own(entry):
            yield from _modules(entry)


def _is_its_own(folder: Path) -> bool:
    environment = folder / "pyvenv.cfg"
    own = folder.name not in _NOT_ITS_OWN and not folder.name.startswith(".")
    return own and not environment.exists()
