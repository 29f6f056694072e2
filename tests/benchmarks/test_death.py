"""How long it takes from the death of a busy task process to what the queue's row says of it."""

import os
import signal
import time
from contextlib import closing

import pytest

from tests.acceptance.home import PATIENCE_S, Home, Worker, a_slow_task
from tests.benchmarks.conftest import Bench

pytestmark = pytest.mark.timeout(3600)


def seconds_to_the_row(home: Home, worker: Worker) -> tuple[float, float]:
    """Kill the task process at work; return the seconds to the settled row, and to readiness."""
    (task_id,) = home.enqueue(a_slow_task())
    worker.wait_for("progress", task_id=str(task_id), stage="generate")
    pid, ready = worker.task_process(), times_ready(worker)
    with closing(home.rows()) as rows:
        query = "SELECT status FROM tasks WHERE id = ?"
        assert rows.execute(query, [str(task_id)]).fetchone() == ("In Progress",)
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while rows.execute(query, [str(task_id)]).fetchone() == ("In Progress",):
            assert time.perf_counter() - began < PATIENCE_S, "nobody settles it"
            time.sleep(0.001)
        settled = time.perf_counter() - began
        assert rows.execute(query, [str(task_id)]).fetchone() == ("Failed",)
    while times_ready(worker) == ready:
        assert time.perf_counter() - began < PATIENCE_S, "there is no other task process"
        time.sleep(0.01)
    return settled, time.perf_counter() - began


def times_ready(worker: Worker) -> int:
    """Count how often it has said that a task process is ready."""
    return sum(line["event"] == "ready" for line in worker.lines())


@pytest.mark.benchmark("P4")
def test_from_a_death_to_the_row(bench: Bench, home: Home) -> None:
    """By SIGKILL, the last of its lives: the row is settled as failed. Then till the next one."""
    deaths = bench.pick(20, 2)
    worker = home.worker("--set", "max_deaths=1", until_idle=False)
    worker.wait_for("ready")
    took = [seconds_to_the_row(home, worker) for _ in range(deaths)]
    assert worker.end() == 0
    settled, ready = zip(*took, strict=True)
    size = f"{deaths} deaths"
    bench.add("SIGKILL of a busy task process to its settled row, SQLite", "s", settled, size=size)
    bench.add("the same to another task process that is ready", "s", ready, size=size)
