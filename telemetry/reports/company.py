"""What an investigation finds of tasks: its own in a few words, and the others around it.

Times are ISO 8601 in UTC with microseconds; "" and None stand for what the source does not know.
"""

from typing import Any

import msgspec


class TaskFound(msgspec.Struct, frozen=True, kw_only=True):
    """A task; times are "" where the source does not know them."""

    id: str
    type: str
    status: str
    worker: str
    attempt: int
    created: str = ""
    claimed: str = ""
    returned: str = ""
    error: str = ""


class RelativeFound(msgspec.Struct, frozen=True, kw_only=True):
    """Another task of the journey; `because` says what its end has to do with the failure.

    `felled` is whether it ended because of the failure, and not by itself.
    """

    id: str
    type: str
    status: str
    because: str
    felled: bool = False


class SameFailureFound(msgspec.Struct, frozen=True, kw_only=True):
    """Another attempt at a task that ended in a failure of this fingerprint."""

    task: str
    attempt: int
    worker: str
    when: str


class AttemptFound(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at the task, as the queue's history has it.

    `when` is when it ended, or began where it has not. `ended` is the event of its end: completed,
    failed, retried, died, worker_lost, released, cancelled or cascaded; "" without one. `says` goes
    on where "attempt 1" begins.
    """

    attempt: int
    when: str
    worker: str
    ended: str
    says: str


class DifferenceFound(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs between two tasks; None where a side does not have it."""

    name: str
    this: Any
    other: Any


class LastGoodFound(msgspec.Struct, frozen=True, kw_only=True):
    """The newest task of the same type and model that went well, and what differs from it.

    `later` is whether it ended after this failure: then none is known that went well before.
    """

    id: str
    when: str
    differences: list[DifferenceFound]
    later: bool = False
