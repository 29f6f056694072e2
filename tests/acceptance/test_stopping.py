"""Stopping: a drain loses nothing, a cancel is seen within a step, exit codes say why."""

import signal
import time
from pathlib import Path

from tests.acceptance.home import Home, a_quick_task, a_slow_task, wait_for
from tests.acceptance.injection import STAGES, inject
from worker.task import TaskStatus


def test_sigterm_lets_the_running_task_finish(home: Home) -> None:
    """The first SIGTERM stops claiming; the task in hand is done, the next stays queued."""
    first, second = home.enqueue(a_slow_task(60), a_slow_task(60))
    worker = home.worker("--set", "grace_s=200", until_idle=False)
    worker.wait_for("claimed")
    assert worker.end() == 0
    assert home.task(first).status is TaskStatus.COMPLETE
    assert home.task(second).status is TaskStatus.QUEUED


def test_a_second_sigterm_gives_the_task_and_its_attempt_back(home: Home) -> None:
    """Nobody waits for a task that cannot finish in time, and it is not a failed attempt."""
    (task_id,) = home.enqueue(a_slow_task())
    worker = home.worker(until_idle=False)
    worker.wait_for("progress", stage="generate", step=2)
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("note", level="info")
    assert worker.end() == 0
    task = home.task(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)
    assert home.told(task_id)[-1] == "released"
    assert not list((home.path / "outputs").glob("*/.*"))


def test_the_end_of_the_grace_period_gives_the_task_back(home: Home) -> None:
    """One SIGTERM is enough when the task takes longer than the grace period."""
    (task_id,) = home.enqueue(a_slow_task())
    worker = home.worker("--set", "grace_s=1", until_idle=False)
    worker.wait_for("progress", stage="generate", step=2)
    began = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - began < 30
    task = home.task(task_id)
    assert (task.status, task.attempts) == (TaskStatus.QUEUED, 0)


def test_a_cancelled_task_stops_within_a_step_and_the_process_stays(home: Home) -> None:
    """`loop26 cancel` ends the running task; the same task process takes the next one."""
    first, second = home.enqueue(a_slow_task(), a_quick_task())
    worker = home.worker(until_idle=False)
    worker.wait_for("progress", task_id=str(first), stage="generate", step=2)
    child = worker.task_process()
    assert home.run("cancel", str(first)).returncode == 0
    settled = worker.wait_for("settled", task_id=str(first))
    assert settled["outcome"] == "Cancelled"
    worker.wait_for("settled", task_id=str(second))
    assert worker.task_process() == child
    assert worker.end() == 0
    assert home.task(first).status is TaskStatus.CANCELLED
    assert home.task(second).status is TaskStatus.COMPLETE


def test_a_task_that_kills_its_process_fails_at_the_limit(home: Home) -> None:
    """Each death is counted and recorded; at `max_deaths` the task fails and says of what."""
    (task_id,) = home.enqueue(a_quick_task())
    for _ in (1, 2):
        inject(home, STAGES["generate"], "sigkill")
    worker = home.worker("--set", "max_deaths=2")
    assert worker.process.wait(timeout=120) == 0
    task = home.task(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert (task.error["kind"], task.error["type"]) == ("death", "sigkill")
    assert task.error["stage"] == "generate"
    assert task.error["place"] == "opened at"
    assert Path(task.error["file"]).name == "denoise.py"
    assert (task.attempts, task.deaths) == (2, 2)
    assert task.error["loop_index"] == task.error["loop_count"] == 32
    assert home.told(task_id).count("died") == 2


def test_the_task_process_dies_with_its_supervisor(home: Home) -> None:
    """No orphan keeps the GPU: the kernel ends the task process when the supervisor is killed."""
    worker = home.worker(until_idle=False)
    worker.wait_for("ready")
    assert worker.task_process()
    worker.process.kill()
    worker.process.wait()
    wait_for(lambda: not worker.task_process(), "end of the task process", 10)


def test_health_follows_the_worker(home: Home) -> None:
    """`loop26 health` is 0 while a worker is well, 1 before and after."""
    home.enqueue(a_quick_task())
    assert home.run("health").returncode == 1
    worker = home.worker(until_idle=False)
    worker.wait_for("settled")
    assert home.run("health").returncode == 0
    assert worker.end() == 0
    assert home.run("health").returncode == 1
