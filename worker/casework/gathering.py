"""Casework: gathers what an investigation is made from, out of the queue and a record."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from telemetry.errors import TelemetryError
from telemetry.recorder.attributes import plain
from telemetry.recorder.redaction import Redactor, redacted
from telemetry.reports.attempt import WELL, Attempt
from telemetry.reports.case import Case, QueueEvent, TaskRow, well_formed
from telemetry.reports.company import SameFailureFound
from telemetry.reports.trace import Journals, TraceModel
from worker.casework.attempts import attempts_of
from worker.casework.kept_records import kept_record, lacks
from worker.casework.links import links_of
from worker.casework.queue_facts import model_of, moment_text, root_cause
from worker.errors import TaskNotFound
from worker.output.storage import black_box_of
from worker.replay.remembered import recall
from worker.settings import Settings
from worker.store.base import Event, FailedAttempt, TaskStore
from worker.store.contexts import span_id_of, trace_id_of
from worker.store.rows import UNSAID
from worker.task import ORCHESTRATOR, Task, TaskStatus

_MOST_RELATIVES = 1000
_MOST_SAME = 200
_MOST_BEFORE = 20
_ENDS = (
    "completed",
    "failed",
    "retried",
    "died",
    "worker_lost",
    "released",
    "cancelled",
    "cascaded",
)

# Where the record of a task is read from: the task's row to its trace, None where there is none.
Record = Callable[[TaskRow], TraceModel | None]


def gather(
    settings: Settings,
    store: TaskStore,
    task: Task,
    *,
    record: Record | None = None,
    source: str = "",
    unknown: Sequence[str] = (),
    compared: bool = True,
) -> Case:
    """Gather the case of a task; of one that fell with another, that of the other.

    Args:
        settings: Say where journals lie, what may be shown, and where backends are.
        store: The queue.
        task: The task that was asked for.
        record: Reads the record of a task; from the journals of this home, if not given.
        source: Where that is, for people.
        unknown: What such a source cannot know, a sentence each.
        compared: Whether the last good run and the failure before are looked for.
    """
    case = _Gathering(settings, store, record).case(task, compared=compared)
    if record is None:
        return case
    return replace(case, source=source, unknown=list(unknown))


class _Gathering:
    def __init__(self, settings: Settings, store: TaskStore, record: Record | None) -> None:
        self._settings = settings
        self._store = store
        journals = Journals(settings.spool_dir)
        self._record = record or (lambda row: journals.trace(row.id))
        self._has_boxes = record is None
        self._redactor = Redactor(record_prompts=settings.record_prompts)

    def case(self, asked: Task, *, compared: bool) -> Case:
        root = self._root_of(asked)
        history = self._store.events(root.id)
        row = self._row(root)
        model = self._record(row)
        source = f"the journals in {self._settings.spool_dir}"
        box = kept_record(self._settings, row, model) if self._has_boxes else None
        if box is not None:
            model = box.model
            source += f", and the black box {black_box_of(self._settings.outputs_dir, root.id)}"
        fingerprint = _fingerprint(row, model)
        return Case(
            asked=str(asked.id),
            task=row,
            model=model,
            source=source,
            unknown=lacks(box) if box is not None else [],
            links=links_of(self._settings, row),
            events=[self._event(event) for event in history if event.at != UNSAID],
            relatives=[self._row(task) for task in self._relatives(root, asked)],
            same=self._same(root, fingerprint) if fingerprint else [],
            good=self._good(root, row) if compared else None,
            previous=self._previous(row) if compared else None,
            replayed=recall(self._settings.home, row.id, fingerprint=fingerprint),
            replay=self._replay_command(root),
            attempts=attempts_of(root, history),
        )

    def _root_of(self, task: Task) -> Task:
        """Return the task that a cascade began with; the task itself where none struck it."""
        seen = {task.id}
        while (named := root_cause(task)) and (root := self._get(named)) is not None:
            if root.id in seen:
                break
            seen.add(root.id)
            task = root
        return task

    def _relatives(self, task: Task, asked: Task) -> list[Task]:
        """Return the other tasks of a journey, those that the task depends on, and the asked."""
        found: dict[UUID, Task] = {}
        orchestrator = task if task.task_type == ORCHESTRATOR else self._orchestrator_of(task)
        if orchestrator is not None:
            found[orchestrator.id] = orchestrator
            children = self._store.list_tasks(parent_id=orchestrator.id, limit=_MOST_RELATIVES)
            found |= {child.id: child for child in children}
        for needed in task.dependant_on:
            if needed not in found and (one := self._get(str(needed))) is not None:
                found[needed] = one
        found.setdefault(asked.id, asked)
        found.pop(task.id, None)
        return list(found.values())

    def _orchestrator_of(self, task: Task) -> Task | None:
        """Return a task's orchestrator: its parent, or the one that its params name."""
        named = task.parent_id or task.params.get("orchestrator_task_id_ref")
        return self._get(str(named)) if named else None

    def _get(self, task_id: str) -> Task | None:
        try:
            return self._store.get(UUID(task_id))
        except (ValueError, TaskNotFound):
            return None

    def _row(self, task: Task) -> TaskRow:
        events = self._store.events(task.id)
        claimed = [event for event in events if event.name == "claimed"]
        ended = [event for event in events if event.name in _ENDS]
        claims = claimed[-1].data if claimed else {}
        return TaskRow(
            id=str(task.id),
            type=task.task_type,
            status=task.status.value,
            worker=task.worker_id or str(claims.get("worker_id") or ""),
            attempt=task.attempts,
            parent_id=str(task.parent_id or ""),
            trace_id=trace_id_of(task.process_context) or trace_id_of(task.trace_context) or "",
            span_id=span_id_of(task.process_context) or "",
            created=moment_text(task.created_at),
            claimed=moment_text(claimed[-1].at) if claimed else "",
            returned=moment_text(ended[-1].at) if ended else "",
            error_message=redacted(task.error_message or ""),
            error=_told(task.error or {}),
            params=plain(dict(task.params), self._redactor),
            output=redacted(task.output_location or ""),
            depends_on=[str(needed) for needed in task.dependant_on],
        )

    def _event(self, event: Event) -> QueueEvent:
        data = {name: value for name, value in event.data.items() if name != "token"}
        if "failure" in data:
            failure = data["failure"]
            data["failure"] = well_formed(failure) if isinstance(failure, Mapping) else None
        return QueueEvent(
            at_ns=_nanoseconds(event.at), name=event.name, data=plain(data, self._redactor)
        )

    def _same(self, task: Task, fingerprint: str) -> list[SameFailureFound]:
        """Return the other attempts that failed in this way; the task's newest is this one."""
        found = self._store.failures(fingerprint=fingerprint, limit=_MOST_SAME)
        return [
            same_failure(one)
            for one in found
            if (one.task_id, one.attempt) != (task.id, task.attempts)
        ]

    def _good(self, task: Task, row: TaskRow) -> tuple[TaskRow, TraceModel | None] | None:
        """Return the newest run that went well before this failure; without one, a later one."""
        asked = (task.task_type, model_of(task))
        before = datetime.fromisoformat(row.returned) if _has_failed(row) else None
        good = self._store.last_complete(*asked, before=before)
        if good is None and before is not None:
            good = self._store.last_complete(*asked)
        return None if good is None or good.id == task.id else self._recorded(good)

    def _previous(self, row: TaskRow) -> tuple[TaskRow, TraceModel | None] | None:
        """Return the failure of another task before this one, of any kind."""
        if row.status != TaskStatus.FAILED.value or not row.claimed:
            return None
        before = datetime.fromisoformat(row.returned or row.claimed)
        for one in self._store.failures(before=before, limit=_MOST_BEFORE):
            if str(one.task_id) != row.id and (task := self._get(str(one.task_id))) is not None:
                return self._as_it_failed(task, one)
        return None

    def _as_it_failed(self, task: Task, failed: FailedAttempt) -> tuple[TaskRow, TraceModel | None]:
        """Return a task as it was when an attempt at it failed: it may have gone on since."""
        row, record = self._recorded(task)
        then = msgspec.structs.replace(
            row,
            status=TaskStatus.FAILED.value,
            attempt=failed.attempt,
            worker=failed.worker_id,
            returned=moment_text(failed.at),
            error=_told(failed.failure),
        )
        return then, record if failed.attempt == task.attempts else None

    def _recorded(self, task: Task) -> tuple[TaskRow, TraceModel | None]:
        """Return another task to compare with; one without a record is told by its row."""
        row = self._row(task)
        try:
            return row, self._record(row)
        except TelemetryError:
            return row, None

    def _replay_command(self, task: Task) -> str:
        home = shlex.quote(str(self._settings.home))
        return f"loop26 --home {home} replay {task.id}"


def same_failure(found: FailedAttempt) -> SameFailureFound:
    """Say of an attempt that failed which it was."""
    return SameFailureFound(
        task=str(found.task_id),
        attempt=found.attempt,
        worker=found.worker_id,
        when=moment_text(found.at),
    )


def _fingerprint(row: TaskRow, model: TraceModel | None) -> str:
    """Return the failure's fingerprint; of a death that the row does not know of, the record's."""
    if row.status == TaskStatus.COMPLETE.value:
        return ""
    attempt = Attempt.of(model, row)
    error = attempt.error if attempt else None
    return str(row.error.get("fingerprint") or (error.fingerprint if error else ""))


def _told(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's error without secrets; `TaskRow` takes out what is not of its form."""
    found: dict[str, Any] = plain(dict(failure), Redactor())
    return found


def _has_failed(row: TaskRow) -> bool:
    return bool(row.returned) and row.status not in WELL


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000
