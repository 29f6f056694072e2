"""What an investigation is made from: a task's row and history, and what was recorded of it."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from telemetry.reports.findings import LinksFound, ReplayFound, SameFailureFound
from telemetry.reports.trace import TraceModel


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the queue, as any source tells it; times are ISO 8601, "" where it does not know.

    `error` is the row's own: the fields of the worker's failure, or {}.
    """

    id: str
    type: str
    status: str
    worker: str = ""
    attempt: int = 0
    parent_id: str = ""
    trace_id: str = ""
    span_id: str = ""  # of the newest attempt's process span
    created: str = ""
    claimed: str = ""
    returned: str = ""
    error_message: str = ""
    error: dict[str, Any] = {}
    params: dict[str, Any] = {}
    output: str = ""
    depends_on: list[str] = []


class QueueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a task's history in the queue."""

    at_ns: int
    name: str
    data: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one investigation looks at.

    Attributes:
        asked: The id that was asked for, which may be an orchestrator's.
        task: The task that is investigated: the one that failed first.
        model: What was recorded of its journey; None where nothing is.
        source: Where the record comes from, for people: "the journal in <spool>".
        unknown: What such a source cannot know, a sentence each.
        events: The task's history in the queue; empty where the source has none.
        relatives: The other tasks of its journey.
        same: Other attempts that ended in a failure of the same fingerprint, newest first.
        good: The newest task of the same type and model that went well, and its record.
        previous: The failure before this one, of any kind, and its record.
        replayed: What a replay of the task saw, where there was one.
        replay: The command that runs the task again.
    """

    asked: str
    task: TaskRow
    model: TraceModel | None
    source: str
    links: LinksFound
    unknown: list[str] = field(default_factory=list)
    events: list[QueueEvent] = field(default_factory=list)
    relatives: list[TaskRow] = field(default_factory=list)
    same: list[SameFailureFound] = field(default_factory=list)
    good: tuple[TaskRow, TraceModel | None] | None = None
    previous: tuple[TaskRow, TraceModel | None] | None = None
    replayed: ReplayFound | None = None
    replay: str = ""
