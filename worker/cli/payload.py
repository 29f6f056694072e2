"""Tasks from files: one JSON object, a JSON array, or one object a line."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any
from uuid import UUID

from worker.cli.documents import STDIN, read_documents, refuse_doubled
from worker.errors import InvalidTask, WorkerError
from worker.handlers.payloads.local_paths import absolute
from worker.task import NewTask, Task

FIELDS = ("id", "task_type", "params", "dependant_on", "project_id", "idempotency_key")
# What else a row has that was taken out of a queue, as by `loop26 tasks ID --json`.
RETRY_FIELDS = ("retry_of", "retried_as")
ROW_FIELDS = frozenset(
    {*(field.name for field in fields(Task)), "events", "children", *RETRY_FIELDS}
)


def read_tasks(source: str) -> list[tuple[str, NewTask]]:
    """Read every task of a file, each with the words that say which it is; "-" is stdin.

    A relative path in a task is taken from the file's folder; on stdin, from the current one.

    Raises:
        InputError: The file cannot be read.
        InvalidTask: It holds what is no task; says which one, which field, what is wrong.
    """
    documents, _ = read_documents(source)
    places = [source]
    if len(documents) > 1:
        places = [f"{source}, task {index}" for index in range(1, len(documents) + 1)]
    tasks: list[tuple[str, NewTask]] = []
    for where, document in zip(places, documents, strict=True):
        with saying(where):
            tasks.append((where, task_from(document, folder_of(source))))
    return tasks


@contextmanager
def saying(where: str) -> Iterator[None]:
    """Put before the message of an error which task it is about; it stays the error it is."""
    try:
        yield
    except WorkerError as error:
        error.args = (f"{where}: {error}",)
        raise


def folder_of(source: str) -> Path:
    """Return the folder from which a task file's relative paths are taken."""
    return Path.cwd() if source == STDIN else Path(source).absolute().parent


def task_from(document: Any, folder: Path, *, row: bool = False) -> NewTask:
    """Make a task of its JSON object, its relative paths taken from `folder`.

    `row` passes the other fields of a task that was taken out of a queue. Raises `InvalidTask`.
    """
    if not isinstance(document, dict):
        raise InvalidTask("task", document, "a task is a JSON object with task_type and params")
    refuse_doubled(document.get("params"))  # by their paths in params, as other refusals are
    refuse_doubled(document)
    for name in document:
        if name not in FIELDS and not (row and name in ROW_FIELDS):
            near = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(FIELDS)}"
            raise InvalidTask(name, document[name], f"unknown field; {hint}")
    task_type = _required(document, "task_type", str)
    params = _required(document, "params", dict)
    optional: dict[str, Any] = {}
    if (task_id := _uuid(document, "id")) is not None:
        optional["id"] = task_id
    key = document.get("idempotency_key")
    if key is not None and not (isinstance(key, str) and key):
        raise InvalidTask("idempotency_key", key, "must be a text that is not empty")
    return NewTask(
        task_type=task_type,
        params=absolute(params, folder),
        dependant_on=_dependencies(document),
        project_id=_uuid(document, "project_id"),
        idempotency_key=key,
        **optional,
    )


def _required(document: dict[str, Any], name: str, kind: type[Any]) -> Any:
    spoken = "a text" if kind is str else "a JSON object"
    if name not in document:
        raise InvalidTask(name, None, f"is missing; it must be {spoken}")
    if not isinstance(document[name], kind):
        raise InvalidTask(name, document[name], f"must be {spoken}")
    return document[name]


def _uuid(document: dict[str, Any], name: str) -> UUID | None:
    value = document.get(name)
    return None if value is None else _as_uuid(value, name)


def _as_uuid(value: Any, field: str) -> UUID:
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidTask(field, value, "must be a UUID") from error


def _dependencies(document: dict[str, Any]) -> tuple[UUID, ...]:
    value = document.get("dependant_on")
    if value is None:
        return ()
    # A single id is what applications have long written there.
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise InvalidTask("dependant_on", value, "must be a list of task ids")
    return tuple(_as_uuid(each, f"dependant_on[{n}]") for n, each in enumerate(listed))
