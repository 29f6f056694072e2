"""What a doctor is told of a queue: what stands in its rows that should not, and how it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Tasks of one kind: how many, and the ids of the first 20 at the most."""

    count: int = 0
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a queue says of itself.

    Attributes:
        now: By its clock.
        server: What keeps it, with its version.
        schema_version: Of the schema that is there.
        statuses: How many tasks have each status.
        tasks: By `KINDS`.
        oldest_queued: When the oldest task was inserted that waits for a worker alone.
        workers: How many have been heard of in the last two minutes.
        database: Tables, indexes, triggers and functions of a shared queue; None of a local one.
    """

    now: datetime
    server: str
    schema_version: int
    statuses: Mapping[str, int]
    tasks: Mapping[str, Counted]
    oldest_queued: datetime | None
    workers: int
    database: Mapping[str, Any] | None = field(default=None)


# Kinds of tasks that need somebody:
# expired               a lease that ran out two minutes ago and more, so that nobody sweeps
# without_lease         In Progress without a lease, and waiting for no children
# finished_but_waiting  an orchestrator none of whose children has anything left to do
# orphans               waiting for a parent or a dependency that failed or was cancelled
# never_ready           waiting for a dependency that is nowhere
# poison                has taken two workers with it, and goes on
KINDS: Final = (
    "expired",
    "without_lease",
    "finished_but_waiting",
    "orphans",
    "never_ready",
    "poison",
)
