"""Values on their way into PostgreSQL's JSON, which keeps less than Python's, and back."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from worker.errors import InvalidTask
from worker.store.rows import json_text, lenient_json_text
from worker.store.texts import storable
from worker.task import NewTask

_NUL_ESCAPED: Final = "\\u0000"
_TEXT_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_DEEPEST: Final = 80  # more than a column may be, in a row of a list
_LONGEST_NUMBER: Final = 400  # digits; a float has fewer


def exact(field: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the value, which can be kept as it is. Raises `InvalidTask`, naming the field."""
    try:
        text = json_text(value)
    except (TypeError, ValueError) as error:
        raise InvalidTask(field, value, f"cannot be written as JSON: {error}") from error
    except RecursionError as error:
        # Too deep to be shown as well.
        raise InvalidTask(field, "…", "cannot be written as JSON: nested too deeply") from error
    if _NUL_ESCAPED in text and text != json_text(storable(value)):
        raise InvalidTask(
            field, value, "holds a NUL character, which PostgreSQL's JSON cannot keep"
        )
    return value


def lenient(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts about a task as they can be kept, whatever they hold: a settle must not fail."""
    found: dict[str, Any] = json.loads(lenient_json_text(storable(value)))
    return found


def read(text: str) -> Any:
    """Read an answer that holds what Python's JSON cannot read, as other applications may write it.

    None is in place of what is nested too deep, and of numbers beyond measure.
    """
    return json.loads(_cut(text), parse_int=_number)


def _number(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else None


def _cut(text: str) -> str:
    """Write null in place of what is nested too deep."""
    kept: list[str] = []
    depth = begun = 0
    for found in _TEXT_OR_BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == _DEEPEST + 1:
                kept += (text[begun : found.start()], "null")
        elif found[0] in "]}":
            if depth == _DEEPEST + 1:
                begun = found.end()
            depth -= 1
    return "".join([*kept, text[begun:]])


def given_task(task: NewTask) -> dict[str, Any]:
    """Write a new task as the database reads it. Raises `InvalidTask`."""
    if not isinstance(task.params, dict):
        raise InvalidTask("params", task.params, "must be an object")
    return {
        "id": str(task.id),
        "task_type": task.task_type,
        "params": exact("params", task.params),
        "dependant_on": list(map(str, task.dependant_on)),
        "parent_id": None if task.parent_id is None else str(task.parent_id),
        "project_id": None if task.project_id is None else str(task.project_id),
        "idempotency_key": task.idempotency_key,
        "trace_context": task.trace_context,
    }
