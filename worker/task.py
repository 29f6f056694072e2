"""A task, its statuses, and the outcomes that a handler may return."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4


class TaskStatus(StrEnum):
    """The statuses of a task; the texts are the queue's contract with applications."""

    QUEUED = "Queued"
    IN_PROGRESS = "In Progress"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing may follow."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.QUEUED: frozenset({TaskStatus.IN_PROGRESS, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.IN_PROGRESS: frozenset(
        {TaskStatus.COMPLETE, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED}
    ),
    TaskStatus.COMPLETE: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}

ORCHESTRATOR = "travel_orchestrator"
SEGMENT = "travel_segment"
INDIVIDUAL_SEGMENT = "individual_travel_segment"
STITCH = "travel_stitch"
SINGLE_TYPES = ("t2v", "i2v", "generate_video")
TASK_TYPES = (ORCHESTRATOR, SEGMENT, INDIVIDUAL_SEGMENT, STITCH, *SINGLE_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be inserted.

    `idempotency_key` makes the insertion repeatable: a second task with the key of a first is the
    first. `trace_context` is a W3C traceparent, the parent of the task's `process` span.
    """

    task_type: str
    params: dict[str, Any]
    id: UUID = field(default_factory=uuid4)
    dependant_on: tuple[UUID, ...] = ()
    parent_id: UUID | None = None
    project_id: UUID | None = None
    idempotency_key: str | None = None
    trace_context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A row of the queue, as it stood when it was read.

    `attempts` counts the claims whose attempt was not given back; `deaths` those that ended with
    the worker lost. `process_context` is the traceparent of the newest attempt's `process` span.
    """

    id: UUID
    task_type: str
    params: dict[str, Any]
    status: TaskStatus
    dependant_on: tuple[UUID, ...]
    parent_id: UUID | None
    project_id: UUID | None
    idempotency_key: str | None
    trace_context: str | None
    process_context: str | None
    attempts: int
    deaths: int
    worker_id: str | None
    output_location: str | None
    error_message: str | None
    error: dict[str, Any] | None
    result_data: dict[str, Any] | None
    progress: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    generation_started_at: datetime | None
    generation_processed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A finished task that a claimed task depends on, with what it left."""

    id: UUID
    task_type: str
    params: dict[str, Any]
    output_location: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A task, owned until the lease runs out; every later call is fenced by `token`.

    `dependencies` are in the order of the task's `dependant_on`. `parent_params` are the params
    of its orchestrator: its parent, or the task that `params.orchestrator_task_id_ref` names.
    `task.process_context` is this attempt's; `previous_context` is that of the attempt before, to
    be linked to, and None at the first.
    """

    token: UUID
    task: Task
    dependencies: tuple[Dependency, ...] = ()
    parent_params: dict[str, Any] | None = None
    previous_context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong with a task, for people (`sentence`) and for engineers (the rest).

    `kind` is "exception", "death", "hang" or "refused" (bad input); `place` says how exactly the
    place is known: "raised at", "stopped at" (the innermost line of Python of a process that died
    or hung), "opened at" (the line that opened the innermost span), "". `expression` is what was
    None in the failing line, where it could be worked out. `caused_by` tells of an exception that
    was handled before and is behind this one: event_id, type, message, place, file, line, function,
    own_file and its like. `own_file`, `own_line` and `own_function` are, where a library's line
    raised, of the line of the worker's own code, or of the engine's checkout, that called it.
    Of a death: `signal` or `exit_code`, and `last_words`, the last that the process wrote to its
    stdout and stderr. `release` is that of the worker. `record` says how complete the attempt's
    record is, see `worker.supervisor.drain.drained`; `links` are the addresses of pages that show
    the task, its trace, its issue and its report, as far as the operator has said where they are.
    """

    kind: str
    type: str
    message: str
    sentence: str
    file: str = ""
    line: int = 0
    function: str = ""
    place: str = ""
    stage: str = ""
    loop_index: int = 0
    loop_count: int = 0
    fingerprint: str = ""
    trace_id: str = ""
    span_id: str = ""
    event_id: str = ""
    expression: str = ""
    caused_by: dict[str, Any] = field(default_factory=dict)
    retryable: bool = False
    signal: str = ""
    exit_code: int | None = None
    last_words: tuple[str, ...] = ()
    release: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    own_file: str = ""
    own_line: int = 0
    own_function: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The task is done; `files` lie in the attempt's folder, the first is the task's output."""

    files: tuple[Path, ...]
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """The task has planned `children`, inserted whole or not at all; it is done when they are."""

    children: tuple[NewTask, ...]
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The task failed in a way that another attempt may not; it goes back to the queue."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The task failed and will fail again."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The task stopped because it was cancelled."""

    reason: str = ""


Outcome: TypeAlias = Done | Spawned | Retry | Failed | Cancelled
