"""The queue under test: every store that must keep the contract is a parameter of one fixture."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from worker.store.base import ClaimRequest, TaskStore
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, Claim, Failure, NewTask, TaskStatus

from .shared_queue import SharedQueue, opened

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase

# A module that is about one of them says so: `STORES = ("sqlite",)`.
KINDS = ("sqlite", "supabase", "supabase-token")
BEGINNING = 1_770_000_000.0
PROGRAM = Path(__file__).with_name("queue_program.py")


@dataclass(slots=True)
class Clock:
    """The store's clock, moved by the test."""

    now: float = BEGINNING
    tell: Callable[[float], None] = lambda _now: None

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


@dataclass(slots=True, kw_only=True)
class Queue:
    """A queue, a clock, and short words for what the tests do again and again."""

    kind: str
    address: str
    open_another: Callable[[], TaskStore]
    clock: Clock
    store: TaskStore
    shared: SharedQueue | None = None

    def advance(self, seconds: float) -> None:
        """Let time pass for the store."""
        self.clock.now += seconds
        self.clock.tell(self.clock.now)

    def write(self, task_id: UUID, **columns: Any) -> None:
        """Change a row as another application does; what is JSON is given as text."""
        if self.shared is not None:
            self.shared.write(task_id, columns)
            return
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        self._execute(
            f"UPDATE tasks SET {changes} WHERE id = :_id",  # noqa: S608 - the test's own names
            {**columns, "_id": str(task_id)},
        )

    def record(self, task_id: UUID, name: str, data: Any) -> None:
        """Add a line to a task's history as another application does."""
        if self.shared is not None:
            self.shared.record(task_id, name, data)
            return
        self._execute(
            "INSERT INTO events SELECT :id, max(seq) + 1, max(at), :name, :data "
            "FROM events WHERE task_id = :id",
            {"id": str(task_id), "name": name, "data": json.dumps(data)},
        )

    def keeps(self, text: str) -> bool:
        """Whether a column of JSON takes a text: SQLite's takes any, PostgreSQL's JSON alone."""
        if self.shared is None:
            return True
        return self.shared.is_json(text)

    def _execute(self, statement: str, values: dict[str, Any]) -> None:
        with contextlib.closing(sqlite3.connect(self.address, isolation_level=None)) as raw:
            raw.execute(statement, values)

    def insert(self, task_type: str = "t2v", **facts: Any) -> UUID:
        """Insert one task."""
        facts.setdefault("params", {})
        return self.store.insert([NewTask(task_type=task_type, **facts)])[0]

    def try_claim(self, **facts: Any) -> Claim | None:
        """Claim with a token of its own, every task type and 60 s, unless told otherwise."""
        request: dict[str, Any] = {
            "worker_id": "worker-1",
            "token": uuid4(),
            "task_types": TASK_TYPES,
            "lease_s": 60.0,
            "trace_id": "a1" * 16,
            "span_id": "b2" * 8,
            **facts,
        }
        return self.store.claim(ClaimRequest(**request))

    def claim(self, **facts: Any) -> Claim:
        """Claim, and expect a task."""
        claim = self.try_claim(**facts)
        assert claim is not None, "nothing to claim"
        return claim

    def complete(self, claim: Claim, output: str = "out.mp4") -> None:
        """Complete a claim."""
        self.store.complete(claim.token, output_location=output, result={})

    def run(self, output: str = "out.mp4", **facts: Any) -> Claim:
        """Claim a task and complete it."""
        claim = self.claim(**facts)
        self.complete(claim, output)
        return claim

    def status(self, task_id: UUID) -> TaskStatus:
        """Read a task's status."""
        return self.store.get(task_id).status

    def names(self, task_id: UUID) -> list[str]:
        """Read the names of a task's events."""
        return [event.name for event in self.store.events(task_id)]

    def event(self, task_id: UUID, name: str) -> dict[str, Any]:
        """Read what the newest event of this name says."""
        return [event.data for event in self.store.events(task_id) if event.name == name][-1]

    def journey(self, segments: int = 3, *, stitch: bool = True) -> tuple[UUID, list[UUID]]:
        """Insert an orchestrator, claim it and spawn its children; return its id and theirs."""
        orchestrator = self.insert("travel_orchestrator", params={"run_id": "r"})
        claim = self.claim(task_types=["travel_orchestrator"])
        children = [
            NewTask(task_type="travel_segment", params={"segment_index": index})
            for index in range(segments)
        ]
        if stitch:
            needed = tuple(child.id for child in children)
            children.append(NewTask(task_type="travel_stitch", params={}, dependant_on=needed))
        return orchestrator, self.store.spawn(claim.token, children, result={"planned": segments})

    def start(self, action: str, *arguments: object) -> subprocess.Popen[str]:
        """Start a process that does something to this queue; see `queue_program.py`."""
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), self.kind, self.address, action, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is the contract over every store, and what is about one over that one."""
    if "queue" in metafunc.fixturenames:
        of_module = getattr(metafunc.module, "STORES", KINDS)
        kinds = ("sqlite",) if "raw" in metafunc.fixturenames else of_module
        metafunc.parametrize("queue", kinds, indirect=True)


@pytest.fixture(scope="session")
def shared_queue(supabase_server: "Supabase") -> Iterator[SharedQueue]:
    """The database of the shared queue."""
    with contextlib.closing(SharedQueue(supabase_server)) as made:
        yield made


@pytest.fixture
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    """An empty queue of a kind of store."""
    kind, clock = request.param, Clock()
    with contextlib.ExitStack() as ends:

        def closed_after(store: TaskStore) -> TaskStore:
            return ends.enter_context(contextlib.closing(store))

        if kind == "sqlite":
            path = tmp_path / "queue.sqlite"

            def open_local() -> TaskStore:
                return closed_after(LocalStore(path, clock=clock))

            yield Queue(
                kind=kind,
                address=str(path),
                open_another=open_local,
                clock=clock,
                store=open_local(),
            )
            return
        shared: SharedQueue = request.getfixturevalue("shared_queue")
        shared.empty()
        shared.set_clock(clock.now)
        clock.tell = shared.set_clock
        address = shared.address(kind)
        yield Queue(
            kind=kind,
            address=address,
            open_another=lambda: closed_after(opened(address)),
            clock=clock,
            store=shared.store(kind),
            shared=shared,
        )


@pytest.fixture
def raw(queue: Queue) -> Iterator[sqlite3.Connection]:
    """The SQLite file as another application opens it."""
    with contextlib.closing(sqlite3.connect(queue.address, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def failure() -> Failure:
    """The incident's failure."""
    return Failure(
        kind="exception",
        type="AttributeError",
        message="'NoneType' object has no attribute 'get'",
        sentence="The engine knows no model ''.",
        file="engines/wan.py",
        line=41,
        function="minimum_frames",
        place="raised at",
        stage="parameters",
        fingerprint="f00d",
        trace_id="cd" * 16,
    )


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to be ended, each by its id, when the test is over."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        with contextlib.suppress(BrokenPipeError):
            process.communicate(timeout=30)


@pytest.fixture
def said() -> Callable[[subprocess.Popen[str]], Any]:
    """Read the next line that a process prints, as JSON."""

    def read(process: subprocess.Popen[str]) -> Any:
        assert process.stdout is not None
        return json.loads(process.stdout.readline())

    return read
