"""The embedded queue: one SQLite file, shared by the processes of one machine."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from telemetry import names
from worker.errors import IllegalTransition, InvalidTask, TaskNotFound
from worker.store import deaths, endings, queries
from worker.store.base import ClaimRequest, Event, FailedAttempt
from worker.store.claims import take
from worker.store.database import Database
from worker.store.depth import Depth
from worker.store.diagnosis import Diagnosis
from worker.store.insertion import insert_tasks
from worker.store.mounts import network_file_system_warning
from worker.store.ownership import owned
from worker.store.rows import ids_of, json_text, lenient_json_text
from worker.store.texts import storable
from worker.store.transaction import Transaction
from worker.task import Claim, Failure, NewTask, Task, TaskStatus


class LocalStore:
    """A `TaskStore` in one SQLite file, which is created where there is none.

    For the processes of one machine; see `worker.store.mounts` for network file systems. Not to be
    used across a fork: open it anew in the child.

    Args:
        path: The file.
        clock: Seconds since the epoch; every time and lease in the queue is by it.
        busy_timeout_s: How long to wait for another process that writes.

    Raises:
        QueueUnavailable: The file cannot be opened or written.
        QueueIncompatible: It is no queue, or one of a newer version.
    """

    queue = names.QUEUE
    system = "sqlite"

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        busy_timeout_s: float = 10.0,
    ) -> None:
        self._path = path
        self._clock = clock
        self._database = Database(path, busy_timeout_s=busy_timeout_s)

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        with self._database.write() as connection:
            yield Transaction(connection=connection, at_s=self._clock())

    @contextmanager
    def _read(self) -> Iterator[Transaction]:
        with self._database.read() as connection:
            yield Transaction(connection=connection, at_s=self._clock())

    def check(self) -> list[str]:
        """Warn of a file system that machines share; see `TaskStore.check`."""
        warning = network_file_system_warning(self._path)
        return [warning] if warning else []

    @property
    def answer(self) -> Mapping[str, str | int | float]:
        """There is nobody who answers."""
        return {}

    def insert(self, tasks: Sequence[NewTask]) -> list[UUID]:
        """Insert all of the tasks or none; see `TaskStore.insert`."""
        with self._write() as transaction:
            return insert_tasks(transaction, tasks)

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Take the next eligible task; see `TaskStore.claim`."""
        with self._write() as transaction:
            return take(transaction, request)

    def extend(self, token: UUID, *, lease_s: float, progress: dict[str, Any] | None) -> None:
        """Extend the lease; see `TaskStore.extend`."""
        with self._write() as transaction:
            task = owned(transaction, token, "extend").task
            transaction.run(
                "extend_lease",
                id=task["id"],
                lease_expires_at=transaction.later(lease_s),
                progress=None if progress is None else lenient_json_text(storable(progress)),
            )

    def mark_started(self, token: UUID) -> None:
        """Set `generation_started_at` to now; see `TaskStore.mark_started`."""
        with self._write() as transaction:
            attempt = owned(transaction, token, "mark_started")
            transaction.run("start_generation", id=attempt.task["id"])
            transaction.record(attempt.task["id"], "started", attempt.facts)

    def complete(self, token: UUID, *, output_location: str, result: dict[str, Any]) -> None:
        """In Progress → Complete; see `TaskStore.complete`."""
        with self._write() as transaction:
            attempt = owned(transaction, token, "complete")
            if attempt.settled is None:
                endings.refuse_incomplete_children(transaction, attempt.task["id"])
                endings.complete(
                    transaction,
                    attempt.task,
                    output_location=storable(output_location),
                    result=_result_text(result),
                    facts=attempt.facts,
                )

    def spawn(
        self, token: UUID, children: Sequence[NewTask], *, result: dict[str, Any]
    ) -> list[UUID]:
        """Insert an orchestrator's children and let it wait for them; see `TaskStore.spawn`."""
        with self._write() as transaction:
            attempt = owned(transaction, token, "spawn")
            if attempt.settled is not None:
                return list(ids_of(attempt.settled.get("children")))
            task = attempt.task
            ids = insert_tasks(transaction, [_child(storable(child), task) for child in children])
            transaction.run("spawn_children", id=task["id"], result_data=_result_text(result))
            facts = {"children": list(map(str, ids)), **attempt.facts}
            transaction.record(task["id"], "spawned", facts)
            endings.settle_waiting(transaction, task["id"])
            return ids

    def fail(self, token: UUID, failure: Failure) -> None:
        """In Progress → Failed; see `TaskStore.fail`."""
        failure = storable(failure)
        with self._write() as transaction:
            attempt = owned(transaction, token, "fail", failure)
            if attempt.settled is None:
                ending = endings.failed(failure, attempt.task["process_context"])
                facts = {"failure": asdict(failure), **attempt.facts}
                endings.end(transaction, attempt.task["id"], ending, facts)

    def release(
        self,
        token: UUID,
        *,
        reason: str,
        give_back: bool,
        delay_s: float = 0.0,
        failure: Failure | None = None,
    ) -> None:
        """In Progress → Queued; see `TaskStore.release`."""
        reason, failure = storable(reason), storable(failure)
        with self._write() as transaction:
            attempt = owned(transaction, token, "release", failure)
            if attempt.settled is not None:
                return
            transaction.run(
                "requeue_task",
                id=attempt.task["id"],
                given_back=int(give_back),
                deaths=0,
                run_after=transaction.later(delay_s) if delay_s > 0 else None,
            )
            facts = {
                "reason": reason,
                "delay_s": delay_s,
                "failure": None if failure is None else asdict(failure),
                **attempt.facts,
            }
            name = "released" if give_back else "retried"
            transaction.record(attempt.task["id"], name, facts)

    def record_death(self, token: UUID, failure: Failure, *, max_deaths: int) -> TaskStatus:
        """Count a death of the process that ran the task; see `TaskStore.record_death`."""
        failure = storable(failure)
        with self._write() as transaction:
            attempt = owned(transaction, token, "record_death", failure)
            if attempt.settled is not None:
                return deaths.recorded(attempt)
            return deaths.record(transaction, attempt, failure, max_deaths=max_deaths)

    def sweep(self, *, max_deaths: int, by_type: Mapping[str, int] = {}) -> list[Task]:
        """Find claims that expired; see `TaskStore.sweep`."""
        with self._write() as transaction:
            return deaths.sweep(transaction, max_deaths=max_deaths, by_type=by_type)

    def cancel(self, task_id: UUID, *, reason: str = "") -> list[UUID]:
        """Cancel a task and its family; see `TaskStore.cancel`."""
        reason = storable(reason)
        with self._write() as transaction:
            row = transaction.one("select_task", id=str(task_id))
            if row is None:
                raise TaskNotFound(task_id)
            if TaskStatus(row["status"]).terminal:
                raise IllegalTransition(task_id, row["status"], TaskStatus.CANCELLED.value)
            ending = endings.cancelled(reason, row["process_context"], row["trace_context"])
            facts = {"reason": reason, "worker_id": row["worker_id"]}
            return list(map(UUID, endings.end(transaction, row["id"], ending, facts)))

    def get(self, task_id: UUID) -> Task:
        """Read one task. Raises `TaskNotFound`."""
        return queries.get(self._read, task_id)

    def find(self, prefix: str) -> list[Task]:
        """Find the tasks whose id begins with `prefix`; see `TaskStore.find`."""
        return queries.find(self._read, prefix)

    def of_key(self, idempotency_key: str) -> Task | None:
        """Read the task that was inserted with this key; None where none was."""
        return queries.of_key(self._read, idempotency_key)

    def list_tasks(
        self, *, statuses: Sequence[TaskStatus] = (), parent_id: UUID | None = None, limit: int = 50
    ) -> list[Task]:
        """List tasks, newest first; see `TaskStore.list_tasks`."""
        return queries.list_tasks(self._read, statuses=statuses, parent_id=parent_id, limit=limit)

    def has_open(self, task_types: Sequence[str]) -> bool:
        """Whether a task of these types is queued or running; see `TaskStore.has_open`."""
        return queries.has_open(self._read, task_types)

    def depths(self, task_types: Sequence[str]) -> list[Depth]:
        """Count what is queued of each type; see `TellsDepth.depths`."""
        return queries.depths(self._read, task_types)

    def events(self, task_id: UUID) -> list[Event]:
        """Read a task's history, oldest first."""
        return queries.events(self._read, task_id)

    def failures(
        self,
        *,
        fingerprint: str = "",
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 1000,
    ) -> list[FailedAttempt]:
        """List attempts that failed by themselves, newest first; see `TaskStore.failures`."""
        return queries.failures(
            self._read, fingerprint=fingerprint, since=since, before=before, limit=limit
        )

    def untold_failures(self, *, limit: int) -> list[Task]:
        """List tasks that another application set to Failed; see `TaskStore.untold_failures`."""
        return queries.untold_failures(self._read, limit=limit)

    def dead_letters(self, *, limit: int) -> list[Task]:
        """List tasks that failed for good and were not retried; see `TaskStore.dead_letters`."""
        return queries.dead_letters(self._read, limit=limit)

    def last_complete(
        self, task_type: str, model: str, *, before: datetime | None = None
    ) -> Task | None:
        """Find the newest Complete task of a type and a model; see `TaskStore.last_complete`."""
        return queries.last_complete(self._read, task_type, model, before=before)

    def diagnose(self) -> Diagnosis:
        """Say what stands in the queue that should not; see `TaskStore.diagnose`."""
        return queries.diagnose(self._read)

    def record_worker(
        self,
        worker_id: str,
        *,
        status: str,
        current_model: str | None,
        metadata: dict[str, Any],
    ) -> None:
        """Note that the worker lives, and what it is doing; see `TaskStore.record_worker`."""
        with self._write() as transaction:
            transaction.run(
                "record_worker",
                id=worker_id,
                status=status,
                current_model=storable(current_model),
                metadata=lenient_json_text(storable(metadata)),
            )

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._database.close()


def _result_text(result: dict[str, Any]) -> str:
    try:
        return json_text(storable(result))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTask("result", result, f"cannot be written as JSON: {error}") from error


def _child(child: NewTask, orchestrator: sqlite3.Row) -> NewTask:
    return replace(
        child,
        parent_id=UUID(orchestrator["id"]),
        trace_context=child.trace_context or orchestrator["process_context"],
    )
