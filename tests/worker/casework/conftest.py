"""A queue in a home of its own, with a clock, and what can be done to its tasks."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from telemetry.reports.case import Case
from tests.servers.s3 import S3Server
from tests.worker.incident import FAILURE
from worker.casework import gather
from worker.settings import Settings
from worker.settings.configuration import load
from worker.settings.home import prepare_home
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, Claim, Failure, NewTask


@dataclass(slots=True)
class Bench:
    """A queue, a home and a clock."""

    home: Path
    options: dict[str, object] = field(default_factory=dict)
    now: float = 1_770_000_000.0
    settings: Settings = field(init=False)
    store: LocalStore = field(init=False)

    def __post_init__(self) -> None:
        self.settings = load({"home": self.home, **self.options}).settings
        prepare_home(self.settings)
        self.store = LocalStore(self.settings.queue_path, clock=lambda: self.now)

    def insert(self, task_type: str = "t2v", **facts: Any) -> UUID:
        """Insert a task."""
        facts.setdefault("params", {"model_name": "wan"})
        return self.store.insert([NewTask(task_type=task_type, **facts)])[0]

    def claim(self, worker_id: str = "gpu-1", span_id: str = "b2" * 8) -> Claim:
        """Claim the next task, a second later."""
        self.now += 1
        claim = self.store.claim(
            ClaimRequest(
                worker_id=worker_id,
                token=uuid4(),
                task_types=TASK_TYPES,
                lease_s=60.0,
                trace_id="a1" * 16,
                span_id=span_id,
            )
        )
        assert claim is not None
        return claim

    def fail(self, claim: Claim, failure: Failure = FAILURE) -> UUID:
        """Fail a claim, a second later."""
        self.now += 1
        self.store.fail(claim.token, failure)
        return claim.task.id

    def complete(self, claim: Claim) -> UUID:
        """Complete a claim, a second later."""
        self.now += 1
        self.store.complete(claim.token, output_location="out.mp4", result={})
        return claim.task.id

    def journey(self, segments: int = 3) -> tuple[UUID, list[UUID]]:
        """Spawn an orchestrator's segments."""
        orchestrator = self.insert("travel_orchestrator")
        children = [
            NewTask(task_type="travel_segment", params={"segment_index": index})
            for index in range(segments)
        ]
        return orchestrator, self.store.spawn(self.claim().token, children, result={})

    def case(self, task_id: UUID | str) -> Case:
        """Gather a task's case."""
        return gather(self.settings, self.store, self.store.get(UUID(str(task_id))))

    def write(self, task_id: UUID, **columns: Any) -> None:
        """Write a row as another application does, past the store."""
        with contextlib.closing(sqlite3.connect(self.settings.queue_path)) as raw, raw:
            for name, value in columns.items():
                raw.execute(f"UPDATE tasks SET {name} = ? WHERE id = ?", (value, str(task_id)))  # noqa: S608 - names of this test


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty queue in a home of its own."""
    bench = Bench(tmp_path / "home")
    yield bench
    bench.store.close()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run moto's server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server
