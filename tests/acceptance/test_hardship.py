"""What would end a lesser worker: foreign rows, a locked queue, a signal to all, a long pause."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid5

from telemetry.journal import JournalReader, process_directories
from telemetry.records import Kind
from tests.acceptance.home import Home, a_quick_task, a_slow_task, wait_for
from tests.acceptance.injection import STAGES, inject
from worker.task import TaskStatus


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Hold the queue's write lock, as a backup or a stuck application does."""
    with closing(home.rows()) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_row_that_cannot_be_sent_fails_alone(home: Home) -> None:
    """Half an emoji in params, a list in result_data: the first fails, the second is done."""
    params = json.dumps(a_quick_task()["params"])
    half = home.insert_row(params.replace("a clock", "half an emoji \\ud83d"))
    odd = home.insert_row(params, result_data="[]")
    home.work_until_idle()
    assert home.task(half).status is TaskStatus.FAILED
    assert "Unicode" in (home.task(half).error_message or "")
    assert home.task(odd).status is TaskStatus.COMPLETE


def test_a_row_that_vanishes_takes_nothing_with_it(home: Home) -> None:
    """The running task's row is deleted: its worker stops it and does the next one."""
    gone, other = home.enqueue(a_slow_task(), a_quick_task())
    worker = home.worker()
    worker.wait_for("progress", task_id=str(gone), stage="generate", step=2)
    with closing(home.rows()) as connection:
        connection.execute("DELETE FROM tasks WHERE id = ?", [str(gone)])
    assert worker.process.wait(timeout=120) == 0, worker.lines()
    assert home.task(other).status is TaskStatus.COMPLETE
    assert home.task(other).deaths == 0


def test_a_plan_that_the_queue_refuses_fails_its_orchestrator(home: Home) -> None:
    """A child's id is taken by a stranger: the journey fails by name, and the next is done."""
    refused, other = home.enqueue(home.journey(1), home.journey(1))
    params = json.dumps(a_quick_task()["params"])
    home.insert_row(params, task_id=uuid5(refused, "segment/0"))
    home.work_until_idle()
    assert home.task(refused).status is TaskStatus.FAILED
    assert (home.task(refused).error or {})["type"] == "worker.errors.InvalidTask"
    assert home.task(other).status is TaskStatus.COMPLETE


def test_a_drain_without_the_queue_gives_the_attempt_back_later(home: Home) -> None:
    """The queue is locked when the worker must stop: exit 69 in time; the next start tells it."""
    (task_id,) = home.enqueue(a_slow_task())
    worker = home.worker("--set", "grace_s=1", until_idle=False)
    worker.wait_for("progress", stage="generate", step=2)
    with locked(home):
        began = time.monotonic()
        assert worker.end() == 69
        assert time.monotonic() - began < 40
    assert home.task(task_id).status is TaskStatus.IN_PROGRESS
    following = home.worker("--set", "task_types=travel_stitch", until_idle=False)
    following.wait_for("ready")
    task = home.task(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)
    assert home.told(task_id)[-1] == "released"
    assert following.end() == 0


def test_a_signal_to_all_processes_is_a_drain_and_no_death(home: Home) -> None:
    """Systemd sends SIGTERM to the whole control group: the attempt is given back."""
    (task_id,) = home.enqueue(a_slow_task())
    worker = home.worker(until_idle=False)
    worker.wait_for("progress", stage="generate", step=2)
    os.kill(worker.process.pid, signal.SIGTERM)
    os.kill(worker.task_process(), signal.SIGTERM)
    assert worker.process.wait(timeout=60) == 0
    task = home.task(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)


def test_a_worker_that_was_stopped_does_not_sweep_itself(home: Home) -> None:
    """SIGSTOP for longer than the lease, then on: its own claim is extended, not lost."""
    (task_id,) = home.enqueue(a_slow_task(200))
    worker = home.worker("--set", "lease_s=2", "--set", "heartbeat_s=0.5")
    worker.wait_for("progress", stage="generate", step=2)
    worker.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: lease_is_over(home, task_id), "end of the lease", 30)
    worker.process.send_signal(signal.SIGCONT)
    assert worker.process.wait(timeout=200) == 0
    assert home.task(task_id).status is TaskStatus.COMPLETE
    assert "worker_lost" not in home.told(task_id)


def lease_is_over(home: Home, task_id: UUID) -> bool:
    """Whether a task's lease has run out by the clock of this machine."""
    with closing(home.rows()) as connection:
        (over,) = connection.execute(
            "SELECT lease_expires_at < strftime('%Y-%m-%dT%H:%M:%f', 'now')"
            " FROM tasks WHERE id = ?",
            [str(task_id)],
        ).fetchone()
    return bool(over)


def test_a_worker_recycles_after_the_tasks_it_was_told(home: Home) -> None:
    """`recycle_after_tasks`: exit code 75, and the rest stays for its successor."""
    first, second = home.enqueue(a_quick_task(), a_quick_task())
    worker = home.worker("--set", "recycle_after_tasks=1", until_idle=False)
    assert worker.process.wait(timeout=120) == 75
    assert home.task(first).status is TaskStatus.COMPLETE
    assert home.task(second).status is TaskStatus.QUEUED


def test_what_native_code_prints_is_recorded_without_secrets(home: Home) -> None:
    """On stdout and stderr, it is on the row and in a journal; what is secret in it is nowhere."""
    (task_id,) = home.enqueue(a_slow_task())
    text = "native code says: http://secretkey@127.0.0.1:9/1, password=hunter2hunter2"
    inject(home, STAGES["generate"], "print_natively", text=text)
    worker = home.worker("--set", "max_deaths=1")
    worker.wait_for("progress", stage="generate", step=3)
    os.kill(worker.task_process(), signal.SIGKILL)
    assert worker.process.wait(timeout=120) == 0
    error = home.task(task_id).error or {}
    assert [line[:17] for line in error["last_words"]] == ["native code says:"] * 2
    journals = [path.read_bytes() for path in (home.path / "spool").rglob("*.journal")]
    assert any(b"native code says:" in journal for journal in journals)
    for exit_ in (*journals, json.dumps(error).encode(), worker.output()):
        assert b"secretkey" not in exit_
        assert b"hunter2" not in exit_


def test_a_task_process_gets_no_secret_by_its_environment(home: Home) -> None:
    """What a child needs not know, its natives cannot print."""
    home.environment["SENTRY_DSN"] = "http://secretkey@127.0.0.1:9/1"
    worker = home.worker(until_idle=False)
    worker.wait_for("ready")
    environment = Path(f"/proc/{worker.task_process()}/environ").read_bytes()
    assert b"LOOP26_THREADS" in environment
    assert b"secretkey" not in environment


def test_a_worker_says_in_its_journal_how_it_ended(home: Home) -> None:
    """The record of each of its processes ends with the exit code that it had."""
    worker = home.worker("--set", "device=cuda:7", until_idle=False)
    assert worker.process.wait(timeout=120) == 80
    ends = {
        JournalReader(directory).facts.role: record.body.exit_code
        for directory in process_directories(home.path / "spool")
        for record in JournalReader(directory).read()
        if record.kind is Kind.PROCESS_END
    }
    assert ends == {"supervisor": 80, "task": 80}
