"""What the row of a task says when it ended because of another, in the words that others follow."""

import re
from collections.abc import Mapping
from typing import Any, Final

_SENTENCE: Final = re.compile(r"Cascaded \w+ from related task ([0-9a-f-]{36})(?![0-9a-f-])")


def sentence(status: str, root_id: str, reason: str = "") -> str:
    """Write that a task has this status since the task `root_id` has it, for `reason`."""
    said = f"Cascaded {status.lower()} from related task {root_id}"
    return f"{said}: {reason}" if reason else said


def root_of(error: Mapping[str, Any], message: str) -> str:
    """Return the id of the task that another fell with; "" where it fell with none.

    Its `error` names it; other applications say it in the message alone.
    """
    root = error.get("root_cause")
    named = root.get("task_id") if isinstance(root, Mapping) else None
    if isinstance(named, str) and named:
        return named
    said = _SENTENCE.match(message)
    return said[1] if said else ""
