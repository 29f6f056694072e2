"""Any sequence of calls leaves the queue as a model of a few lines says it must be."""

import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from worker.errors import Fenced, IllegalTransition, InvalidTask
from worker.store.base import ClaimRequest, TaskStore
from worker.store.local import LocalStore
from worker.task import ORCHESTRATOR, TASK_TYPES, TRANSITIONS, Failure, NewTask, TaskStatus

from .shared_queue import SharedQueue

FAILURE = Failure(kind="exception", type="ValueError", message="m", sentence="It broke.")
LEASE_S = 60.0
MAX_DEATHS = 2
ENDED = {TaskStatus.FAILED, TaskStatus.CANCELLED}


@dataclass(slots=True, kw_only=True)
class Row:
    """What the model knows of a task."""

    needs: tuple[UUID, ...] = ()
    parent: UUID | None = None
    status: TaskStatus = TaskStatus.QUEUED
    attempts: int = 0
    deaths: int = 0
    taken: int = 0
    token: UUID | None = None
    expires_at: float | None = None
    spawned: bool = False
    seen: list[TaskStatus] = field(default_factory=lambda: [TaskStatus.QUEUED])


class QueueMachine(RuleBasedStateMachine):
    """The store beside the model; every rule does the same to both."""

    tasks = Bundle("tasks")
    tokens = Bundle("tokens")
    lost = Bundle("lost")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_770_000_000.0
        self.rows: dict[UUID, Row] = {}
        self.swept: dict[UUID, UUID] = {}
        self.ends = ExitStack()
        self.store = self.open()

    def open(self) -> TaskStore:
        """Open an empty queue."""
        folder = self.ends.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "queue.sqlite"
        return self.ends.enter_context(closing(LocalStore(path, clock=lambda: self.now)))

    def set_clock(self) -> None:
        """Tell the queue what time it is."""

    def teardown(self) -> None:
        """Close the queue."""
        self.ends.close()

    # The model.

    def owner(self, token: UUID) -> UUID | None:
        """Find the task that a token owns."""
        return next((each for each, row in self.rows.items() if row.token == token), None)

    def set_status(self, task_id: UUID, status: TaskStatus) -> None:
        """Give a task its next status; nobody owns it then."""
        row = self.rows[task_id]
        row.status, row.token, row.expires_at = status, None, None
        row.seen.append(status)

    def end(self, task_id: UUID, status: TaskStatus) -> set[UUID]:
        """End a task and whoever is related to one that ends here, step by step."""
        ended: set[UUID] = set()
        waiting = [task_id]
        while waiting:
            current = waiting.pop()
            if current in ended or self.rows[current].status.terminal:
                continue
            ended.add(current)
            self.set_status(current, status)
            for other, row in self.rows.items():
                related = (
                    row.parent == current
                    or current in row.needs
                    or self.rows[current].parent == other
                )
                if related:
                    waiting.append(other)
        return ended

    def complete_parent(self, task_id: UUID) -> None:
        """Complete the orchestrators above a task that wait for nobody else."""
        parent = self.rows[task_id].parent
        if parent is not None:
            self.complete_if_done(parent)

    def complete_if_done(self, parent: UUID) -> None:
        """Complete an orchestrator whose children are all Complete."""
        row = self.rows[parent]
        children = [each for each in self.rows.values() if each.parent == parent]
        done = all(child.status is TaskStatus.COMPLETE for child in children)
        if row.spawned and row.status is TaskStatus.IN_PROGRESS and done:
            self.set_status(parent, TaskStatus.COMPLETE)
            self.complete_parent(parent)

    def die(self, task_id: UUID) -> None:
        """Count a death."""
        self.rows[task_id].deaths += 1
        if self.rows[task_id].deaths >= MAX_DEATHS:
            self.end(task_id, TaskStatus.FAILED)
        else:
            self.set_status(task_id, TaskStatus.QUEUED)

    def speak(self, token: UUID) -> None:
        """Take back the death of a worker that was swept and calls for the first time since."""
        row = self.rows.get(self.swept.pop(token, token))
        if row is not None and not row.status.terminal and row.deaths and row.taken < 10:
            row.deaths -= 1
            row.taken += 1

    def ready(self) -> list[UUID]:
        """List the eligible tasks in the order of insertion."""
        return [
            each
            for each, row in self.rows.items()
            if row.status is TaskStatus.QUEUED
            and all(self.rows[need].status is TaskStatus.COMPLETE for need in row.needs)
        ]

    # What happens to both.

    @initialize(target=tasks)
    def begin(self) -> UUID:
        """Begin with one task."""
        return self.add(NewTask(task_type=ORCHESTRATOR, params={}))

    def add(self, task: NewTask) -> UUID:
        """Insert a task into both."""
        self.store.insert([task])
        self.rows[task.id] = Row(needs=task.dependant_on)
        return task.id

    @rule(target=tasks, need=tasks)
    def insert_after(self, need: UUID) -> UUID:
        """Insert a task that depends on another; refused if that one has ended badly."""
        task = NewTask(task_type=ORCHESTRATOR, params={}, dependant_on=(need,))
        if self.rows[need].status not in ENDED:
            return self.add(task)
        with pytest.raises(InvalidTask):
            self.store.insert([task])
        return need

    @rule(target=tasks)
    def insert_alone(self) -> UUID:
        """Insert a task that depends on nothing."""
        return self.add(NewTask(task_type=ORCHESTRATOR, params={}))

    @rule(target=tokens)
    def claim(self) -> UUID:
        """Claim: the first of the ready tasks, or nothing if there is none."""
        token = uuid4()
        claim = self.store.claim(self.request(token))
        expected = next(iter(self.ready()), None)
        assert (None if claim is None else claim.task.id) == expected
        if expected is not None:
            self.set_status(expected, TaskStatus.IN_PROGRESS)
            row = self.rows[expected]
            row.attempts += 1
            row.token, row.expires_at = token, self.now + LEASE_S
        return token

    def request(self, token: UUID) -> ClaimRequest:
        """Make the request of a claim."""
        return ClaimRequest(
            worker_id="worker",
            token=token,
            task_types=TASK_TYPES,
            lease_s=LEASE_S,
            trace_id="a1" * 16,
            span_id="b2" * 8,
        )

    @rule(token=tokens)
    def claim_again(self, token: UUID) -> None:
        """A token that owns a task gets it again, with a whole lease."""
        task_id = self.owner(token)
        if task_id is not None:
            claim = self.store.claim(self.request(token))
            assert claim is not None
            assert claim.task.id == task_id
            self.rows[task_id].expires_at = self.now + LEASE_S

    @rule(
        target=lost,
        token=consumes(tokens),
        how=st.sampled_from(["complete", "fail", "release", "give back", "die", "spawn"]),
        children=st.integers(0, 3),
        chained=st.booleans(),
    )
    def settle(self, token: UUID, how: str, children: int, *, chained: bool) -> UUID:
        """Settle a claim in any way; refused where the token owns nothing any more."""
        task_id = self.owner(token)
        if task_id is None:
            with pytest.raises(Fenced):
                self.store.complete(token, output_location="late", result={})
            self.speak(token)
            return token
        if how == "complete":
            self.store.complete(token, output_location="out", result={})
            self.set_status(task_id, TaskStatus.COMPLETE)
            self.complete_parent(task_id)
        elif how == "fail":
            self.store.fail(token, FAILURE)
            self.end(task_id, TaskStatus.FAILED)
        elif how == "die":
            self.store.record_death(token, FAILURE, max_deaths=MAX_DEATHS)
            self.die(task_id)
        elif how == "spawn":
            self.spawn(token, task_id, children, chained=chained)
        else:
            give_back = how == "give back"
            self.store.release(token, reason=how, give_back=give_back)
            self.rows[task_id].attempts -= give_back
            self.set_status(task_id, TaskStatus.QUEUED)
        return token

    def spawn(self, token: UUID, task_id: UUID, count: int, *, chained: bool) -> None:
        """Spawn children, each after the one before where they are chained."""
        plan: list[NewTask] = []
        for _ in range(count):
            needs = (plan[-1].id,) if chained and plan else ()
            plan.append(NewTask(task_type=ORCHESTRATOR, params={}, dependant_on=needs))
        self.store.spawn(token, plan, result={})
        for child in plan:
            self.rows[child.id] = Row(needs=child.dependant_on, parent=task_id)
        row = self.rows[task_id]
        row.spawned, row.token, row.expires_at = True, None, None
        self.complete_if_done(task_id)

    @rule(token=lost)
    def call_late(self, token: UUID) -> None:
        """A settled token extends nothing and claims nothing."""
        with pytest.raises(Fenced):
            self.store.extend(token, lease_s=LEASE_S, progress=None)
        self.speak(token)

    @rule(target=tasks, task_id=tasks)
    def cancel(self, task_id: UUID) -> UUID:
        """Cancel a task and its family, or be refused because it has ended."""
        if self.rows[task_id].status.terminal:
            with pytest.raises(IllegalTransition):
                self.store.cancel(task_id)
        else:
            assert set(self.store.cancel(task_id)) == self.end(task_id, TaskStatus.CANCELLED)
        return task_id

    @rule(target=tasks)
    def cancel_any_child(self) -> object:
        """Cancel the newest task that has a parent: children are in no bundle."""
        children = [each for each, row in self.rows.items() if row.parent is not None]
        return multiple(*(self.cancel(each) for each in children[-1:]))

    @precondition(lambda self: self.rows)
    @rule(seconds=st.sampled_from([1.0, 45.0, 61.0]))
    def wait_and_sweep(self, seconds: float) -> None:
        """Let time pass; the expired claims are found, each counted once."""
        self.now += seconds
        self.set_clock()
        expired = [
            each
            for each, row in sorted(self.rows.items(), key=lambda item: item[1].expires_at or 0)
            if row.expires_at is not None and row.expires_at < self.now
        ]
        self.swept |= {token: each for each in expired if (token := self.rows[each].token)}
        found = self.store.sweep(max_deaths=MAX_DEATHS)
        assert {task.id for task in found} == set(expired)
        for task_id in expired:
            if self.rows[task_id].token is not None:
                self.die(task_id)

    # What must hold after each.

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Status, attempts and deaths of every task are the model's."""
        there = {task.id: task for task in self.store.list_tasks(limit=10_000)}
        assert there.keys() == self.rows.keys()
        for task_id, row in self.rows.items():
            task = there[task_id]
            assert (task.status, task.attempts, task.deaths) == (
                row.status,
                row.attempts,
                row.deaths,
            )

    @invariant()
    def follows_the_transitions(self) -> None:
        """Every task went from status to status as the table of transitions allows."""
        for row in self.rows.values():
            for before, after in zip(row.seen, row.seen[1:], strict=False):
                assert after in TRANSITIONS[before]

    @invariant()
    def ends_families_together(self) -> None:
        """Nothing lives on beside a failed relative, or waits for a task that has failed."""
        for row in self.rows.values():
            around = [*row.needs, *([row.parent] if row.parent else [])]
            if not row.status.terminal:
                assert not any(self.rows[other].status in ENDED for other in around)
            if row.status in ENDED and row.parent is not None:
                assert self.rows[row.parent].status in ENDED


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("kind", ["supabase", "supabase-token"])
def test_a_shared_queue_is_as_the_model_says(shared_queue: SharedQueue, kind: str) -> None:
    """The same over a database, with fewer sequences."""

    class SharedMachine(QueueMachine):
        def open(self) -> TaskStore:
            shared_queue.empty()
            shared_queue.set_clock(self.now)
            return shared_queue.store(kind)

        def set_clock(self) -> None:
            shared_queue.set_clock(self.now)

    run_state_machine_as_test(SharedMachine, settings=settings(TestQueue.settings, max_examples=20))
