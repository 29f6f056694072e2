"""How a task and the one that is its retry know of each other: by the retry's idempotency key."""

from typing import Final
from uuid import UUID

_PREFIX: Final = "retry/"  # `list_dead_letters` of each store looks for it, too


def key_of_retry(task_id: UUID) -> str:
    """Return the key of a task's retry: made twice, it is one."""
    return f"{_PREFIX}{task_id}"


def retried_from(idempotency_key: str | None) -> UUID | None:
    """Return the id of the task that one with this key is the retry of; None for any other."""
    prefix, found, task_id = (idempotency_key or "").partition(_PREFIX)
    try:
        return UUID(task_id) if found and not prefix else None
    except ValueError:
        return None
