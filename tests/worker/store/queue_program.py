"""What a process of its own does to a queue: `queue_program.py KIND ADDRESS ACTION [ARGUMENT…]`.

Each action prints JSON lines; those that hold something wait for the end of their input, or for
SIGKILL.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[3]))

from worker.store.base import ClaimRequest, TaskStore
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, Claim


def say(value: Any) -> None:
    """Print one JSON line."""
    print(json.dumps(value), flush=True)


def claim(store: TaskStore, worker_id: str) -> Claim | None:
    """Claim the next task."""
    request = ClaimRequest(
        worker_id=worker_id,
        token=uuid4(),
        task_types=TASK_TYPES,
        lease_s=60.0,
        trace_id="a1" * 16,
        span_id="b2" * 8,
    )
    return store.claim(request)


def drain(store: TaskStore, worker_id: str) -> None:
    """Claim and complete until nothing is left; print the ids that were claimed."""
    say("ready")
    sys.stdin.readline()
    claimed = []
    while (found := claim(store, worker_id)) is not None:
        claimed.append(str(found.task.id))
        store.complete(found.token, output_location=f"{worker_id}.mp4", result={})
    say(claimed)


def hold(store: TaskStore, worker_id: str) -> None:
    """Claim one task, print its token and id, and keep it."""
    found = claim(store, worker_id)
    assert found is not None
    say([str(found.token), str(found.task.id)])
    sys.stdin.read()


def sweep(store: TaskStore, _worker_id: str) -> None:
    """Sweep once the input ends; print the ids that were found."""
    say("ready")
    sys.stdin.readline()
    say([str(task.id) for task in store.sweep(max_deaths=3)])


def half(store: LocalStore, task_id: str) -> None:
    """Change a task inside a transaction, say so, and keep the transaction open."""
    with store._database.write() as connection:
        connection.execute("UPDATE tasks SET status = 'Cancelled' WHERE id = ?", (task_id,))
        connection.execute("DELETE FROM dependencies")
        say("half")
        sys.stdin.read()


def main() -> None:
    """Do what the command line says."""
    kind, address, action, *arguments = sys.argv[1:]
    # The contract's clock stands still far from today; these processes live by the real one, but
    # for a shared queue, whose clock is the database's.
    now = float(arguments.pop()) if len(arguments) > 1 else None
    store: TaskStore
    if kind == "sqlite":
        store = LocalStore(Path(address), clock=time.time if now is None else lambda: now)
    else:
        from tests.worker.store.shared_queue import opened

        store = opened(address)
    actions: dict[str, Any] = {"drain": drain, "hold": hold, "sweep": sweep, "half": half}
    actions[action](store, *arguments)
    store.close()


main()
