"""The contract, between real processes: nothing doubled, nothing lost, whoever is killed."""

import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from worker.task import NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

Said = Callable[[subprocess.Popen[str]], Any]
Processes = list[subprocess.Popen[str]]
WORKERS = 8
TASKS = 600


def _go(processes: Processes) -> None:
    """Let processes that have said "ready" begin, all at once."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def test_eight_workers_claim_each_task_once(
    queue: "Queue", processes: Processes, said: Said
) -> None:
    """8 worker processes, 600 tasks: none claimed twice, none lost."""
    ids = queue.store.insert([NewTask(task_type="t2v", params={}) for _ in range(TASKS)])
    processes.extend(queue.start("drain", f"worker-{n}") for n in range(WORKERS))
    assert [said(process) for process in processes] == ["ready"] * WORKERS
    _go(processes)
    claimed = Counter(each for process in processes for each in said(process))
    assert [task_id for task_id, times in claimed.items() if times > 1] == []
    assert claimed.keys() == set(map(str, ids))
    tasks = queue.store.list_tasks(limit=TASKS + 1)
    assert {task.status for task in tasks} == {TaskStatus.COMPLETE}
    assert {task.attempts for task in tasks} == {1}


def test_a_worker_killed_before_it_settles_loses_no_task(
    queue: "Queue", processes: Processes, said: Said
) -> None:
    """After SIGKILL between claim and settle, the sweep hands the task to the next worker."""
    task_id = queue.insert()
    # Its clock is the contract's: 60 s before the sweep's.
    holder = queue.start("hold", "killed", queue.clock())
    processes.append(holder)
    assert said(holder)[1] == str(task_id)
    holder.send_signal(signal.SIGKILL)
    assert holder.wait(timeout=30) == -signal.SIGKILL
    queue.advance(61)
    (lost,) = queue.store.sweep(max_deaths=3)
    assert (lost.id, lost.worker_id) == (task_id, "killed")
    assert queue.run().task.attempts == 2


def test_two_sweepers_count_each_death_once(
    queue: "Queue", processes: Processes, said: Said
) -> None:
    """Two processes that sweep at the same moment share the expired claims."""
    ids = queue.store.insert([NewTask(task_type="t2v", params={}) for _ in range(50)])
    for _ in ids:
        queue.claim()
    queue.advance(61)
    processes.extend(queue.start("sweep", f"sweeper-{n}", queue.clock()) for n in range(2))
    assert [said(process) for process in processes] == ["ready"] * 2
    _go(processes)
    found = Counter(UUID(each) for process in processes for each in said(process))
    assert found == Counter(ids)
    assert {queue.store.get(each).deaths for each in ids} == {1}


def test_another_store_sees_what_one_has_settled(queue: "Queue") -> None:
    """What one connection has settled, another reads at once."""
    task_id = queue.insert()
    other = queue.open_another()
    queue.run()
    assert other.get(task_id).status is TaskStatus.COMPLETE
