"""What a worker takes to begin, and what its two processes keep in memory."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psutil
import pytest

from tests.acceptance.home import PATIENCE_S, Home, Worker, a_slow_task, home_at, wait_for
from tests.benchmarks.conftest import Bench

# With torch, the tiny model in it; without, the engine that computes nothing.
ENGINES = {
    "with torch": {},
    "without torch": {
        "PYTHONPATH": str(Path(__file__).with_name("paced")),
        "PACED_SEGMENT_S": "10",
    },
}


class Memory(NamedTuple):
    """Megabytes of a process: all that is resident, and its share where pages are shared."""

    rss: float
    pss: float

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """Look at a process."""
        found = psutil.Process(pid).memory_full_info()
        return cls(found.rss / 1e6, found.pss / 1e6)


class Start(NamedTuple):
    """One start of a worker, from nothing to a task at work."""

    loop_s: float
    claim_s: float
    supervisor_idle: Memory
    supervisor_busy: Memory
    task_process_idle: Memory
    task_process_busy: Memory


def seconds_to_the_claim(home: Home, task_id: UUID, began: float) -> float:
    """Wait until the queue says that a task is claimed; return how long that is after `began`."""
    query = "SELECT status FROM tasks WHERE id = ?"
    with closing(home.rows()) as rows:
        while rows.execute(query, [str(task_id)]).fetchone() == ("Queued",):
            assert time.perf_counter() - began < PATIENCE_S, "nobody claims it"
            time.sleep(0.001)
    return time.perf_counter() - began


def started(home: Home) -> Start:
    """Start a worker on a task that waits; then another that has none to do."""
    (task_id,) = home.enqueue(a_slow_task())
    began = time.perf_counter()
    worker = home.worker(until_idle=False)
    wait_for(worker.status_files, "status file")
    loop_s = time.perf_counter() - began
    claim_s = seconds_to_the_claim(home, task_id, began)
    worker.wait_for("progress", task_id=str(task_id), stage="generate")
    busy = [Memory.of(pid) for pid in pids(worker)]
    worker.process.kill()
    worker.process.wait()
    home.run("cancel", str(task_id))
    worker = home.worker(until_idle=False)
    worker.wait_for("ready")
    idle = [Memory.of(pid) for pid in pids(worker)]
    assert worker.end() == 0
    return Start(loop_s, claim_s, idle[0], busy[0], idle[1], busy[1])


def pids(worker: Worker) -> Iterator[int]:
    """Name the supervisor, then its task process."""
    yield worker.process.pid
    yield wait_for(worker.task_process, "task process")


@pytest.mark.benchmark("P8")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", ENGINES)
def test_start_and_memory(bench: Bench, tmp_path: Path, engine: str) -> None:
    """From the command's start; idle and busy, with torch in the task process and without."""
    with home_at(tmp_path) as home:
        home.environment |= ENGINES[engine]
        started(home)  # compiles, and builds the model
        starts = [started(home) for _ in range(bench.pick(9, 2))]
    bench.add("start to the supervisor's loop", "s", [each.loop_s for each in starts], size=engine)
    bench.add("start to the first claim", "s", [each.claim_s for each in starts], size=engine)
    for which in ("task process", *(("supervisor",) if not ENGINES[engine] else ())):
        for state in ("idle", "busy"):
            found = [getattr(each, f"{which.replace(' ', '_')}_{state}") for each in starts]
            for kind in Memory._fields:
                took = [getattr(memory, kind) for memory in found]
                size = state if which == "supervisor" else f"{state}, {engine}"
                bench.add(f"{which}, {kind.upper()}", "MB", took, size=size)
