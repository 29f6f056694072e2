"""Reads tasks from files: one JSON object, a JSON array, or one object a line."""

import difflib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from worker.errors import InputError, InvalidTask
from worker.handlers.payloads.local_paths import absolute
from worker.task import NewTask

FIELDS = ("id", "task_type", "params", "dependant_on", "project_id", "idempotency_key")
STDIN = "-"


def read_tasks(source: str) -> list[tuple[str, NewTask]]:
    """Read every task of a file, each with the words that say which it is; "-" is stdin.

    A relative path in a task is taken from the file's folder; on stdin, from the current one.

    Raises:
        InputError: The file cannot be read.
        InvalidTask: It holds what is no task; says which one, which field, what is wrong.
    """
    found = list(_documents(source, _text(source)))
    if not found:
        raise InputError(source, "holds no task")
    places = [source] if len(found) == 1 else [f"{source}, task {n + 1}" for n in range(len(found))]
    folder = Path.cwd() if source == STDIN else Path(source).absolute().parent
    tasks = [
        task_from(document, where=where) for where, document in zip(places, found, strict=True)
    ]
    return [
        (where, replace(task, params=absolute(task.params, folder)))
        for where, task in zip(places, tasks, strict=True)
    ]


def task_from(document: Any, *, where: str) -> NewTask:
    """Make a task of its JSON object; `where` begins the message when that cannot be done."""
    if not isinstance(document, dict):
        raise InvalidTask(where, document, "a task is a JSON object with task_type and params")
    for name in document:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(FIELDS)}"
            raise InvalidTask(f"{where}: {name}", document[name], f"unknown field; {hint}")
    task_type = _required(document, "task_type", str, where)
    params = _required(document, "params", dict, where)
    optional: dict[str, Any] = {}
    if (task_id := _uuid(document, "id", where)) is not None:
        optional["id"] = task_id
    key = document.get("idempotency_key")
    if key is not None and not (isinstance(key, str) and key):
        raise InvalidTask(f"{where}: idempotency_key", key, "must be a text that is not empty")
    return NewTask(
        task_type=task_type,
        params=params,
        dependant_on=_dependencies(document, where),
        project_id=_uuid(document, "project_id", where),
        idempotency_key=key,
        **optional,
    )


def _text(source: str) -> str:
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise InputError(source, f"cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(source, f"is no text in UTF-8: {error.reason}") from error


def _documents(source: str, text: str) -> Iterator[Any]:
    """Take the text as one document; if it is none, as one a line."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0][1]):  # noqa: PLR2004 - one line is no list
            raise _no_json(source, text, error) from error
        for number, line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError as bad:
                raise _no_json(f"{source}, line {number}", line, bad) from bad
        return
    yield from document if isinstance(document, list) else [document]


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def _no_json(where: str, text: str, error: json.JSONDecodeError) -> InvalidTask:
    lines = text.splitlines()
    excerpt = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    return InvalidTask(
        where, excerpt, f"is no JSON: {error.msg}, line {error.lineno} column {error.colno}"
    )


def _required(document: dict[str, Any], name: str, kind: type[Any], where: str) -> Any:
    spoken = "a text" if kind is str else "a JSON object"
    if name not in document:
        raise InvalidTask(where, document, f"{name} is missing; it must be {spoken}")
    if not isinstance(document[name], kind):
        raise InvalidTask(f"{where}: {name}", document[name], f"must be {spoken}")
    return document[name]


def _uuid(document: dict[str, Any], name: str, where: str) -> UUID | None:
    value = document.get(name)
    return None if value is None else _as_uuid(value, f"{where}: {name}")


def _as_uuid(value: Any, field: str) -> UUID:
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidTask(field, value, "must be a UUID") from error


def _dependencies(document: dict[str, Any], where: str) -> tuple[UUID, ...]:
    value = document.get("dependant_on")
    if value is None:
        return ()
    # A single id is what applications have long written there.
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise InvalidTask(f"{where}: dependant_on", value, "must be a list of task ids")
    return tuple(_as_uuid(each, f"{where}: dependant_on[{n}]") for n, each in enumerate(listed))
