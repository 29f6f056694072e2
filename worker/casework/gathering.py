"""Casework: gathers what an investigation is made from, out of the queue and a record."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from telemetry.errors import TelemetryError
from telemetry.recorder.redaction import Redactor
from telemetry.records import Error
from telemetry.reports.attempt import WELL, Attempt
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.company import SameFailureFound
from telemetry.reports.progress import moment
from telemetry.reports.trace import Journals, TraceModel
from worker.casework.attempts import attempts_of
from worker.casework.failed_attempts import same_failure
from worker.casework.kept_records import NOTHING_KEPT, Fetch, Kept, kept_record
from worker.casework.links import links_of
from worker.casework.own_failures import (
    failed_too,
    own_failure,
    told_by_itself,
    told_failures,
)
from worker.casework.queue_facts import model_of, moment_text, root_cause
from worker.casework.queue_rows import event_of, row_of, told
from worker.errors import QueueForbidden, TaskNotFound
from worker.replay.remembered import recall
from worker.settings import Settings
from worker.store.base import Event, FailedAttempt, TaskStore
from worker.store.rows import UNSAID
from worker.task import ORCHESTRATOR, Task, TaskStatus

T = TypeVar("T")
_MOST_RELATIVES = 1000
_MOST_SAME = 200
_MOST_BEFORE = 20
_ASKED_BY_WORKER = (
    "the queue was asked with a worker's token, which hears of the tasks that it has had alone: "
    "relatives of others, and the same failure elsewhere, are not in it"
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
    fetch: Fetch | None = None,
    compared: bool = True,
) -> Case:
    """Gather the case of a task; of one that fell with another, that of the other.

    One that was felled while it failed by itself is its own case, where the record has its error or
    the queue was told of it.

    Args:
        settings: Say where journals lie, what may be shown, and where backends are.
        store: The queue.
        task: The task that was asked for.
        record: Reads the record of a task; from the journals of this home, if not given.
        source: Where that is, for people.
        unknown: What such a source cannot know, a sentence each.
        fetch: Asks elsewhere for the black box of a failure that the journals have nothing of.
        compared: Whether the last good run and the failure before are looked for.
    """
    case = _Gathering(settings, store, record, fetch).case(task, compared=compared)
    if record is None:
        return case
    return replace(case, source=source, unknown=list(unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """A task with its history and its record, from its black box where that has more of it."""

    task: Task
    row: TaskRow
    history: Sequence[Event]
    model: TraceModel | None
    kept: Kept


class _Gathering:
    def __init__(
        self, settings: Settings, store: TaskStore, record: Record | None, fetch: Fetch | None
    ) -> None:
        self._settings = settings
        self._store = store
        self._fetch = fetch
        self._journals = f"the journals in {settings.spool_dir}"
        journals = Journals(settings.spool_dir)
        self._record = record or (lambda row: journals.trace(row.id))
        self._has_boxes = record is None
        self._redactor = Redactor(record_prompts=settings.record_prompts)
        self._untold = False

    def case(self, asked: Task, *, compared: bool) -> Case:
        root = self._root_of(asked)
        found = self._found(root)
        if root.id != asked.id:
            found = self._by_itself(asked, found) or found
        task, row, kept = found.task, found.row, found.kept
        fingerprint = _fingerprint(row, found.model)
        histories: dict[str, Sequence[Event]] = {}
        relatives = [self._row(one, histories) for one in self._relatives(task, asked, root)]
        too, also = failed_too(relatives, found.model, histories)
        same = self._same(task, fingerprint, relatives, too) if fingerprint else []
        return Case(
            asked=str(asked.id),
            task=row,
            model=found.model,
            source=", and ".join(filter(None, (self._journals, kept.where))),
            unknown=[*kept.lacks, *([_ASKED_BY_WORKER] if self._untold else [])],
            links=links_of(self._settings, row),
            events=[
                event_of(event, self._redactor) for event in found.history if event.at != UNSAID
            ],
            relatives=relatives,
            same=same,
            good=self._good(task, row) if compared else None,
            previous=self._previous(row) if compared else None,
            replayed=recall(self._settings.home, row.id, fingerprint=fingerprint),
            replay=self._replay_command(task),
            attempts=attempts_of(task, found.history),
            failed_too=also | {one: error.fingerprint for one, error in too.items()},
        )

    def _found(self, task: Task, *, near: _Recorded | None = None) -> _Recorded:
        """Return a task with its record; that of another `near` it may be of the same journey."""
        history = self._store.events(task.id)
        row = row_of(task, history, self._redactor)
        model = near.model if near is not None and near.kept.box is None else None
        if model is None or model.trace_id != row.trace_id:
            model = self._record(row)
        kept = NOTHING_KEPT
        if self._has_boxes:
            # Of a task that fell with another there is a black box if it failed by itself too.
            fetch = None if near and not told_failures([row], {row.id: history}) else self._fetch
            kept = kept_record(self._settings, row, history, model, fetch)
        return _Recorded(
            task=task,
            row=row,
            history=history,
            model=kept.box.model if kept.box else model,
            kept=kept,
        )

    def _by_itself(self, asked: Task, root: _Recorded) -> _Recorded | None:
        """Return a task that fell as it failed by itself; None where nothing tells of that."""
        found = self._found(asked, near=root)
        own = own_failure(found.row, found.model, found.history)
        return replace(found, row=told_by_itself(found.row, own)) if own else None

    def _root_of(self, task: Task) -> Task:
        """Return the task that a cascade began with; the task itself where none struck it."""
        seen = {task.id}
        while (named := root_cause(task)) and (root := self._get(named)) is not None:
            if root.id in seen:
                break
            seen.add(root.id)
            task = root
        return task

    def _relatives(self, task: Task, *named: Task) -> list[Task]:
        """Return the other tasks of a journey, those that the task depends on, and the named."""
        found: dict[UUID, Task] = {}
        orchestrator = task if task.task_type == ORCHESTRATOR else self._orchestrator_of(task)
        if orchestrator is not None:
            found[orchestrator.id] = orchestrator
            asked = {"parent_id": orchestrator.id, "limit": _MOST_RELATIVES}
            children = self._allowed(self._store.list_tasks, **asked)
            found |= {child.id: child for child in children}
        for needed in task.dependant_on:
            if needed not in found and (one := self._get(str(needed))) is not None:
                found[needed] = one
        for one in named:
            found.setdefault(one.id, one)
        found.pop(task.id, None)
        return list(found.values())

    def _orchestrator_of(self, task: Task) -> Task | None:
        """Return a task's orchestrator: its parent, or the one that its params name."""
        named = task.parent_id or task.params.get("orchestrator_task_id_ref")
        return self._get(str(named)) if named else None

    def _row(self, task: Task, histories: dict[str, Sequence[Event]] | None = None) -> TaskRow:
        """Return a task's row; its history is added to the `histories`."""
        history = self._store.events(task.id)
        if histories is not None:
            histories[str(task.id)] = history
        return row_of(task, history, self._redactor)

    def _allowed(self, ask: Callable[..., list[T]], **asked: object) -> list[T]:
        """Return what the queue tells, nothing where a worker's token may not ask it."""
        try:
            return ask(**asked)
        except QueueForbidden:
            self._untold = True
            return []

    def _get(self, task_id: str) -> Task | None:
        try:
            return self._store.get(UUID(task_id))
        except (ValueError, TaskNotFound):
            return None

    def _same(
        self,
        task: Task,
        fingerprint: str,
        relatives: Sequence[TaskRow],
        too: Mapping[str, Error],
    ) -> list[SameFailureFound]:
        """Return the other attempts that failed in this way; the task's newest is this one.

        Of a relative that fell meanwhile the queue may have no failure.
        """
        asked = {"fingerprint": fingerprint, "limit": _MOST_SAME}
        found = self._allowed(self._store.failures, **asked)
        same = [
            same_failure(one)
            for one in found
            if (one.task_id, one.attempt) != (task.id, task.attempts)
        ]
        listed = {(one.task, one.attempt) for one in same}
        same += [
            SameFailureFound(
                task=row.id, attempt=row.attempt, worker=row.worker, when=moment(too[row.id].at_ns)
            )
            for row in relatives
            if row.id in too and too[row.id].fingerprint == fingerprint
            if (row.id, row.attempt) not in listed
        ]
        return sorted(same, key=lambda one: one.when, reverse=True)

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
            error=told(failed.failure),
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


def _fingerprint(row: TaskRow, model: TraceModel | None) -> str:
    """Return the failure's fingerprint; of a death that the row does not know of, the record's."""
    if row.status == TaskStatus.COMPLETE.value:
        return ""
    attempt = Attempt.of(model, row)
    error = attempt.error if attempt else None
    return str(row.error.get("fingerprint") or (error.fingerprint if error else ""))


def _has_failed(row: TaskRow) -> bool:
    return bool(row.returned) and row.status not in WELL
