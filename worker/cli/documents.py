"""JSON documents from files, read so that nothing in them is lost or misread in silence."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from worker.errors import InputError, InvalidTask

STDIN = "-"


class _Doubled(dict[str, Any]):
    """A JSON object that gave a key twice: the last value is kept, the keys are remembered."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.doubled = [name for name in self if names.count(name) > 1]


def read_documents(source: str) -> tuple[list[Any], bool]:
    """Read the documents of a file, and whether it holds a list; "-" is standard input.

    A file holds one document, a JSON list of them, or one a line.

    Raises:
        InputError: The file cannot be read, or holds nothing.
        InvalidTask: It is no JSON; says where.
    """
    text = _text(source)
    source = "standard input" if source == STDIN else source
    try:
        document = _parse(text)
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0][1]):  # noqa: PLR2004 - one line is no list
            raise _no_json(source, text, error) from error
        return list(_lines(source, lines)), True
    if not isinstance(document, list):
        return [document], False
    if not document:
        raise InputError(source, "holds no task", field=source)
    return document, True


def refuse_doubled(document: Any, path: str = "") -> None:
    """Refuse an object that gives a key twice: one of the two values would be lost in silence.

    Raises `InvalidTask` with the dotted path of the key.
    """
    if isinstance(document, _Doubled):
        for name in document.doubled:
            problem = "stands there more than once; leave one of them out"
            raise InvalidTask(_joined(path, name), document[name], problem)
    if isinstance(document, Mapping):
        for name, value in document.items():
            refuse_doubled(value, _joined(path, name))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            refuse_doubled(value, f"{path}[{index}]")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(source: str) -> str:
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise InputError(source, f"cannot be read: {error.strerror}", field=source) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"is no text in UTF-8: {error.reason}"
        raise InputError(source, problem, field=source) from error


def _parse(text: str) -> Any:
    """Parse JSON. Raises `ValueError`, also for what Python's parser gives up on."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(pairs)


def _lines(source: str, lines: list[tuple[int, str]]) -> Iterator[Any]:
    for number, line in lines:
        try:
            yield _parse(line)
        except ValueError as error:
            raise _no_json(f"{source}, line {number}", line, error) from error


def _is_json(line: str) -> bool:
    try:
        _parse(line)
    except ValueError:
        return False
    return True


def _no_json(where: str, text: str, error: ValueError) -> InvalidTask:
    if not isinstance(error, json.JSONDecodeError):
        reason = str(error).partition(";")[0]  # what follows is advice for whoever writes Python
        return InvalidTask(where, text, f"is no JSON that can be read: {reason}")
    lines = text.splitlines()
    excerpt = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    line = f"line {error.lineno} " if len(lines) > 1 else ""
    return InvalidTask(where, excerpt, f"is no JSON: {error.msg}, {line}column {error.colno}")
