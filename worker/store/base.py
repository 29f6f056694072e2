"""The promise that every store of tasks keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from worker.store.depth import TellsDepth
from worker.store.diagnosis import Diagnosis
from worker.task import Claim, Failure, NewTask, Task, TaskStatus

MOST_TAKEN_BACK: Final = 10
# What finds no answer for longer tries again by itself: stopping must not take minutes.
PATIENCE_S: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a task's history, written in the transaction of the change it tells of.

    `seq` grows within a task. `name` is one of: inserted, claimed, started, completed, spawned,
    failed, released, retried, died, worker_lost, cancelled, cascaded, refused (a late call of a
    superseded claim; it has the `failure` that the call was to tell of, and in `ended` the name of
    the event that had ended the claim).
    """

    seq: int
    task_id: UUID
    at: datetime
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """An attempt that failed, whatever became of its task since.

    Attributes:
        at: When it was written.
        name: The event that tells of it: failed, retried, died or worker_lost; refused of one that
            failed by itself after its task had fallen with another.
        failure: The fields of `worker.task.Failure`.
        model: As the task names it; "" where it names none.
        status: The task's now.
    """

    task_id: UUID
    task_type: str
    model: str
    status: TaskStatus
    at: datetime
    name: str
    attempt: int
    worker_id: str
    failure: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """Who claims, and what it accepts.

    Attributes:
        worker_id: Name of the worker; unique to one run of it (name + boot id).
        token: Made by the caller; the same token always gets the same task.
        task_types: The types that this worker accepts.
        lease_s: Seconds until the claim expires unless extended, by the store's clock.
        trace_id: 32 hex digits; the task's trace if its row carries no valid trace context and no
            attempt came before. Read the trace from `Claim.task.process_context`.
        span_id: 16 hex digits; the `process` span of this attempt. Both are kept on the row as
            `process_context`, so that whoever finds the claim expired can close that span.
        loaded_model: Tasks of this model come first…
        affinity_wait_s: …unless another has waited longer than this.
    """

    worker_id: str
    token: UUID
    task_types: Sequence[str]
    lease_s: float
    trace_id: str
    span_id: str
    loaded_model: str | None = None
    affinity_wait_s: float = 300.0


class TaskStore(TellsDepth, Protocol):
    """Holds tasks and decides who owns them.

    Every method is one transaction, durable when it returns. Every method that takes a token is
    fenced: it raises `Fenced` when the token does not own its task any more, records the refused
    call as an event, and changes nothing else. A token owns its task until it is settled, swept,
    cancelled or cascaded: a lease that ran out costs nothing while nobody has swept it. Tokens are
    remembered for ever. `Fenced.reason` says how the task was lost: "settled by complete", "its
    lease expired at …", "the task was cancelled: <reason>", "Cascaded failed from related task
    <id>: …". The settling calls (complete, spawn, fail, release, record_death) may be repeated
    with the same token and the same kind of call: the second does nothing and answers as the
    first did. What no queue can keep in a text that it is told (half of a surrogate pair, a NUL)
    is replaced by a mark: it must not keep a task from being settled.

    A claim that was swept is no death once its worker calls again: it had lost its queue, not its
    life. The death is taken off the count with the first refused call, as long as the task has not
    ended; `MOST_TAKEN_BACK` times a task, since what stalls a whole machine does not die either.

    A task that fails or is cancelled takes its family with it, in the same transaction: its
    orchestrator, every non-terminal child of that, whatever depends on one of them, and the
    families of those. Running relatives are stopped: their tokens are fenced. Each relative gets
    the same status, an `error_message` "Cascaded failed from related task <id>: <sentence>" (or
    "Cascaded cancelled from related task <id>: <reason>", without the colon where there is no
    reason), and an `error` of kind "cascade" with `root_cause` = {task_id, type, message, file,
    line, function, trace_id} of the task that failed first.

    When the last child of a spawned orchestrator completes, the orchestrator completes in the same
    transaction: its output is the `travel_stitch` child's; without one, a JSON array of the
    segments' outputs in the order of `segment_index`.

    Safe to use from several threads and processes at once. Raises `QueueUnavailable` when the
    store cannot be reached.
    """

    def check(self) -> list[str]:
        """See that the queue can be worked on; return what an operator should know of it.

        Raises `QueueIncompatible`, `QueueForbidden`.
        """
        ...

    @property
    def answer(self) -> Mapping[str, str | int | float]:
        """What is known of how this thread's last call was answered: attributes for its span."""
        ...

    queue: str
    """Name of the queue, as in the span `receive <queue>`."""
    system: str
    """The value of `messaging.system`: sqlite, postgresql."""

    def insert(self, tasks: Sequence[NewTask]) -> list[UUID]:
        """Insert all of the tasks or none; return their ids, in order.

        A task whose `idempotency_key` is already there is not inserted: the id of the one that is
        there is returned in its place, and stands for it wherever others of `tasks` depend on it.
        A `travel_segment` or `travel_stitch` without a parent_id is a child of the task that its
        `params.orchestrator_task_id_ref` names; an `individual_travel_segment` is nobody's child.

        Raises `InvalidTask`, naming the field, for: params that JSON cannot hold; an id that is
        taken; a dependency that is not there, or that is Failed or Cancelled; a parent that is not
        there, or that has ended in any way (its journey is over); a key that belongs to another
        orchestrator's child; tasks that would wait for each other, an orchestrator's wait for its
        children included.
        """
        ...

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Take the next eligible task, or None. The same token always gets the same task.

        Repeated with a token that owns its task, it returns the same claim with a whole lease, and
        counts no attempt. With a token that has lost or settled its task it raises `Fenced`, and
        never takes another: make a new token for every new claim.

        Eligible: Queued, its type accepted, every dependency Complete, its `run_after` past.
        Order: tasks of the loaded model first, unless another has waited longer than
        `affinity_wait_s` since its creation or its `run_after`; then `created_at`, then insertion.
        A task's model is its `params.model_name`, else `params.orchestrator_details.model_name`.
        `attempts` is counted up, `generation_started_at` set until `mark_started` resets it.
        """
        ...

    def extend(self, token: UUID, *, lease_s: float, progress: dict[str, Any] | None) -> None:
        """Extend the lease; keep `progress` on the row when it is given."""
        ...

    def mark_started(self, token: UUID) -> None:
        """Set `generation_started_at` to now: the model is loaded, billing starts here."""
        ...

    def complete(self, token: UUID, *, output_location: str, result: dict[str, Any]) -> None:
        """In Progress → Complete; refused as `InvalidTask` over an orchestrator's open children.

        Its claim still stands then, and `spawn` waits. Applications may write Complete themselves.
        """
        ...

    def spawn(
        self, token: UUID, children: Sequence[NewTask], *, result: dict[str, Any]
    ) -> list[UUID]:
        """Insert an orchestrator's children and let it wait for them, in one transaction.

        It stays In Progress without a lease, exempt from the sweep. Children are idempotent by
        their `idempotency_key`; one without a trace context gets this attempt's process context.
        Refused as `insert` refuses: then nothing is inserted and the claim still stands. With all
        children Complete, or none, it completes at once; with one that has failed or was cancelled
        it ends.
        """
        ...

    def fail(self, token: UUID, failure: Failure) -> None:
        """In Progress → Failed, with its error; cascades."""
        ...

    def release(
        self,
        token: UUID,
        *,
        reason: str,
        give_back: bool,
        delay_s: float = 0.0,
        failure: Failure | None = None,
    ) -> None:
        """In Progress → Queued. `give_back` takes the attempt off the count (a drain, not a try).

        A `failure` is kept in the event, not on the row.
        """
        ...

    def record_death(self, token: UUID, failure: Failure, *, max_deaths: int) -> TaskStatus:
        """Count a death of the process that ran the task: Queued again, or Failed at the limit.

        Failed at the `max_deaths`th death; that cascades. Returns the status given to the task.
        """
        ...

    def sweep(self, *, max_deaths: int, by_type: Mapping[str, int] = {}) -> list[Task]:
        """Find claims that expired; treat each as a death with a `worker_lost` event.

        `by_type` has the deaths of task types that are to have others than `max_deaths`.
        Returns the tasks as they were *before*, so that the caller can close their spans; also one
        that another's cascade has ended in this sweep.
        """
        ...

    def cancel(self, task_id: UUID, *, reason: str = "") -> list[UUID]:
        """Cancel a task that is not terminal, and its family; return the ids of all, its own first.

        A running one is Cancelled at once; its worker learns of it at its next call.
        Raises `TaskNotFound`, or `IllegalTransition` when it is terminal already.
        """
        ...

    def get(self, task_id: UUID) -> Task:
        """Read one task. Raises `TaskNotFound`."""
        ...

    def find(self, prefix: str) -> list[Task]:
        """Find the tasks whose id begins with `prefix` (hex digits and dashes); at most 20."""
        ...

    def of_key(self, idempotency_key: str) -> Task | None:
        """Read the task that was inserted with this key; None where none was."""
        ...

    def list_tasks(
        self, *, statuses: Sequence[TaskStatus] = (), parent_id: UUID | None = None, limit: int = 50
    ) -> list[Task]:
        """List tasks, newest first (children of one parent: in the order of insertion)."""
        ...

    def has_open(self, task_types: Sequence[str]) -> bool:
        """Whether a task of one of these types is queued or running, here or elsewhere."""
        ...

    def events(self, task_id: UUID) -> list[Event]:
        """The task's history, oldest first; empty for a task that is not there."""
        ...

    def failures(
        self,
        *,
        fingerprint: str = "",
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 1000,
    ) -> list[FailedAttempt]:
        """List attempts that failed by themselves, newest first; those of a cascade are none.

        `fingerprint` picks one kind; `since` is the first moment, `before` the one after the last.
        """
        ...

    def untold_failures(self, *, limit: int) -> list[Task]:
        """List Failed tasks whose history does not say so, newest first.

        Another application set them to it.
        """
        ...

    def dead_letters(self, *, limit: int) -> list[Task]:
        """List tasks that failed by themselves for good and were not retried, newest end first.

        None that fell with another is one. Retried is what another task is the retry of, by its
        key (`worker.store.retries.key_of_retry`), or whose parent is.
        """
        ...

    def last_complete(
        self, task_type: str, model: str, *, before: datetime | None = None
    ) -> Task | None:
        """The newest Complete task of a type that names this model; None without one.

        `before` is the moment that it ended before; any, where it is None.
        """
        ...

    def diagnose(self) -> Diagnosis:
        """Say what stands in the queue that should not, and how it is kept."""
        ...

    def record_worker(
        self,
        worker_id: str,
        *,
        status: str,
        current_model: str | None,
        metadata: dict[str, Any],
    ) -> None:
        """Note that the worker lives, and what it is doing. Insert or update."""
        ...

    def close(self) -> None:
        """Let go of files and connections; the store cannot be used afterwards."""
        ...
