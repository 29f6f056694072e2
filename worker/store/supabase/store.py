"""A `TaskStore` whose every method is one function of a PostgreSQL, called through PostgREST."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from telemetry import names
from worker.errors import Fenced, IllegalTransition, QueueIncompatible, TaskNotFound
from worker.patience import Patience
from worker.store.base import PATIENCE_S, ClaimRequest, Event, FailedAttempt
from worker.store.depth import Depth, of_each
from worker.store.diagnosis import Diagnosis
from worker.store.rows import ids_of
from worker.store.supabase import migrations, rows
from worker.store.supabase.calls import Calls
from worker.store.supabase.connection import Access, Connection
from worker.store.supabase.json_values import exact, given_task, lenient
from worker.store.supabase.worker_tokens import WorkerTokens
from worker.store.texts import storable
from worker.task import Claim, Failure, NewTask, Task, TaskStatus

_TOO_MUCH: Final = (
    "this worker holds the secret key, which opens the whole database: make it a token with "
    "`loop26 worker-token create NAME`, and give it that and the publishable key instead"
)
_SWEPT_AT_ONCE: Final = 50  # as loop26_sweep_leases has it: no transaction is to take long
_MOST_SWEEPS: Final = 20


class SupabaseStore:
    """The queue of a Supabase project, or of a PostgreSQL behind a PostgREST; see `TaskStore`.

    The rules are the database's: `migrations/` has every function. A worker calls those with a
    token of its own; operators call the others with the service key.

    Args:
        access: Where, and with what right.
        patience_s: For how long a call is repeated before `QueueUnavailable` is raised.
    """

    queue = names.QUEUE
    system = "postgresql"

    def __init__(self, access: Access, *, patience_s: float = PATIENCE_S) -> None:
        self._access = access
        self._connection = Connection(access)
        where = access.rest_url or access.url
        self._call = Calls(self._connection, where, Patience(patience_s))

    @property
    def tokens(self) -> WorkerTokens:
        """The tokens of its workers, for operators."""
        return WorkerTokens(self._call)

    def facts(self) -> dict[str, Any]:
        """Ask whether this is the queue that we know, and who we are to it.

        Returns `schema_version`, `now`, `operator`, `token`, `token_expires_at`.

        Raises `QueueIncompatible` where its schema is not of this version.
        """
        found: dict[str, Any] = self._call("queue_facts", {})
        there = found["schema_version"] or 0
        if way_out := migrations.way_out(there):
            raise QueueIncompatible(
                f"queue {self._access.url} has schema version {there}, this loop26 knows "
                f"{migrations.newest()}; {way_out}"
            )
        return found

    def check(self) -> list[str]:
        """See that schema and right are there, and warn of too much right; as `TaskStore.check`."""
        return [_TOO_MUCH] if self.facts()["operator"] else []

    @property
    def answer(self) -> Mapping[str, str | int | float]:
        """What PostgREST says of this thread's last answer; see `TaskStore.answer`."""
        found = self._connection.answer
        if found is None:
            return {}
        told: dict[str, str | int | float] = {names.HTTP_STATUS: found.status}
        if found.request_id:
            told[names.QUEUE_REQUEST_ID] = found.request_id
        return told | {f"{names.QUEUE_TIMING}{what}_ms": ms for what, ms in found.timing.items()}

    def insert(self, tasks: Sequence[NewTask]) -> list[UUID]:
        """Insert all of the tasks or none; see `TaskStore.insert`."""
        given = [given_task(task) for task in tasks]
        ids = self._call("insert_tasks", {"p_tasks": given, "p_request": str(uuid4())})
        return list(map(UUID, ids))

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Take the next eligible task; see `TaskStore.claim`."""
        answer = self._call(
            "claim_task",
            {
                "p_worker_id": request.worker_id,
                "p_token": str(request.token),
                "p_task_types": list(request.task_types),
                "p_lease_s": request.lease_s,
                "p_trace_id": request.trace_id,
                "p_span_id": request.span_id,
                "p_loaded_model": request.loaded_model,
                "p_affinity_wait_s": request.affinity_wait_s,
            },
        )
        if answer is None:
            return None
        return rows.claim_of(_owned(answer, request.token), request.token)

    def extend(self, token: UUID, *, lease_s: float, progress: dict[str, Any] | None) -> None:
        """Extend the lease; see `TaskStore.extend`."""
        kept = None if progress is None else lenient(progress)
        self._settle("extend_lease", token, {"p_lease_s": lease_s, "p_progress": kept})

    def mark_started(self, token: UUID) -> None:
        """Set `generation_started_at` to now; see `TaskStore.mark_started`."""
        self._settle("mark_started", token, {})

    def complete(self, token: UUID, *, output_location: str, result: dict[str, Any]) -> None:
        """In Progress → Complete; see `TaskStore.complete`."""
        self._settle(
            "complete_task",
            token,
            {
                "p_output_location": storable(output_location),
                "p_result": exact("result", storable(result)),
            },
        )

    def spawn(
        self, token: UUID, children: Sequence[NewTask], *, result: dict[str, Any]
    ) -> list[UUID]:
        """Insert an orchestrator's children and let it wait for them; see `TaskStore.spawn`."""
        answer = self._settle(
            "spawn_children",
            token,
            {
                "p_children": [given_task(storable(child)) for child in children],
                "p_result": exact("result", storable(result)),
            },
        )
        return list(ids_of(answer["children"]))

    def fail(self, token: UUID, failure: Failure) -> None:
        """In Progress → Failed; see `TaskStore.fail`."""
        self._settle("fail_task", token, {"p_failure": lenient(asdict(failure))})

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
        told = {
            "p_reason": reason,
            "p_give_back": give_back,
            "p_delay_s": delay_s,
            "p_failure": None if failure is None else asdict(failure),
        }
        self._settle("release_task", token, lenient(told))

    def record_death(self, token: UUID, failure: Failure, *, max_deaths: int) -> TaskStatus:
        """Count a death of the process that ran the task; see `TaskStore.record_death`."""
        answer = self._settle(
            "record_death",
            token,
            {"p_failure": lenient(asdict(failure)), "p_max_deaths": max_deaths},
        )
        return TaskStatus(answer["status"])

    def sweep(self, *, max_deaths: int, by_type: Mapping[str, int] = {}) -> list[Task]:
        """Find claims that expired; see `TaskStore.sweep`."""
        asked = {"p_max_deaths": max_deaths, "p_by_type": dict(by_type)}
        found: list[Task] = []
        for _ in range(_MOST_SWEEPS):
            some = self._tasks("sweep_leases", asked)
            found += some
            if len(some) < _SWEPT_AT_ONCE:
                break
        return found

    def cancel(self, task_id: UUID, *, reason: str = "") -> list[UUID]:
        """Cancel a task and its family; see `TaskStore.cancel`."""
        asked = {"p_id": str(task_id), "p_reason": reason, "p_request": str(uuid4())}
        answer = self._call("cancel_task", lenient(asked))
        if "not_found" in answer:
            raise TaskNotFound(task_id)
        if "status" in answer:
            raise IllegalTransition(task_id, answer["status"], TaskStatus.CANCELLED.value)
        return list(map(UUID, answer["ids"]))

    def get(self, task_id: UUID) -> Task:
        """Read one task. Raises `TaskNotFound`."""
        task = self._task("get_task", {"p_id": str(task_id)})
        if task is None:
            raise TaskNotFound(task_id)
        return task

    def find(self, prefix: str) -> list[Task]:
        """Find the tasks whose id begins with `prefix`; see `TaskStore.find`."""
        return self._tasks("find_tasks", {"p_prefix": prefix})

    def of_key(self, idempotency_key: str) -> Task | None:
        """Read the task that was inserted with this key; None where none was."""
        return self._task("get_task_of_key", {"p_idempotency_key": idempotency_key})

    def list_tasks(
        self, *, statuses: Sequence[TaskStatus] = (), parent_id: UUID | None = None, limit: int = 50
    ) -> list[Task]:
        """List tasks, newest first; see `TaskStore.list_tasks`."""
        asked = {
            "p_statuses": [status.value for status in statuses],
            "p_parent_id": None if parent_id is None else str(parent_id),
            "p_limit": limit,
        }
        return self._tasks("list_tasks", asked)

    def has_open(self, task_types: Sequence[str]) -> bool:
        """Whether a task of these types is queued or running; see `TaskStore.has_open`."""
        return bool(self._call("has_open_tasks", {"p_task_types": list(task_types)}))

    def depths(self, task_types: Sequence[str]) -> list[Depth]:
        """Count what is queued of each type; see `TellsDepth.depths`."""
        found = self._call("count_queued_tasks", {"p_task_types": list(task_types)})
        return of_each(task_types, map(rows.depth_of, found))

    def events(self, task_id: UUID) -> list[Event]:
        """Read a task's history, oldest first."""
        return list(map(rows.event_of, self._call("list_events", {"p_task_id": str(task_id)})))

    def failures(
        self,
        *,
        fingerprint: str = "",
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 1000,
    ) -> list[FailedAttempt]:
        """List attempts that failed by themselves, newest first; see `TaskStore.failures`."""
        asked = {
            "p_fingerprint": fingerprint or None,
            "p_since": _moment(since),
            "p_before": _moment(before),
            "p_limit": limit,
        }
        return list(map(rows.failed_attempt_of, self._call("list_failures", asked)))

    def untold_failures(self, *, limit: int) -> list[Task]:
        """List tasks that another application set to Failed; see `TaskStore.untold_failures`."""
        return self._tasks("list_untold_failures", {"p_limit": limit})

    def dead_letters(self, *, limit: int) -> list[Task]:
        """List tasks that failed for good and were not retried; see `TaskStore.dead_letters`."""
        return self._tasks("list_dead_letters", {"p_limit": limit})

    def last_complete(
        self, task_type: str, model: str, *, before: datetime | None = None
    ) -> Task | None:
        """Find the newest Complete task of a type and a model; see `TaskStore.last_complete`."""
        asked = {"p_task_type": task_type, "p_model": model or None, "p_before": _moment(before)}
        return self._task("last_complete_task", asked)

    def diagnose(self) -> Diagnosis:
        """Say what stands in the queue that should not; see `TaskStore.diagnose`."""
        return rows.diagnosis_of(self._call("diagnose_queue", {}))

    def record_worker(
        self,
        worker_id: str,
        *,
        status: str,
        current_model: str | None,
        metadata: dict[str, Any],
    ) -> None:
        """Note that the worker lives, and what it is doing; see `TaskStore.record_worker`."""
        told = {
            "p_worker_id": worker_id,
            "p_status": status,
            "p_current_model": storable(current_model),
            "p_metadata": lenient(metadata),
        }
        self._call("record_worker", told)

    def close(self) -> None:
        """Close the connections; closing again does nothing."""
        self._connection.close()

    def _task(self, function: str, asked: Mapping[str, Any]) -> Task | None:
        row = self._call(function, asked)
        return None if row is None else rows.task_of(row)

    def _tasks(self, function: str, asked: Mapping[str, Any]) -> list[Task]:
        return list(map(rows.task_of, self._call(function, asked)))

    def _settle(self, function: str, token: UUID, told: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function that is fenced by a token. Raises `Fenced`."""
        return _owned(self._call(function, {"p_token": str(token), **told}), token)


def _owned(answer: dict[str, Any], token: UUID) -> dict[str, Any]:
    if "fenced" in answer:
        raise Fenced(token, answer["fenced"])
    return answer


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
