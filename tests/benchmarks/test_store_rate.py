"""What the local queue takes to hand out a task and to take its outcome, durably."""

import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.benchmarks.conftest import Bench
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import NewTask

WHAT = "claim + settle, SQLite, durable"
BAREST = "SQLite at its barest: two UPDATEs"

pytestmark = [pytest.mark.benchmark("P3"), pytest.mark.timeout(900)]


def pair(store: LocalStore) -> None:
    """Claim a task and complete it."""
    request = ClaimRequest(
        worker_id="bench",
        token=uuid4(),
        task_types=["t2v"],
        lease_s=60,
        trace_id="ab" * 16,
        span_id="cd" * 8,
    )
    claim = store.claim(request)
    assert claim is not None
    store.complete(claim.token, output_location="out.mp4", result={})


def bare_pair(connection: sqlite3.Connection) -> None:
    """Do the least that can be called so."""
    ((task_id,),) = connection.execute(
        "UPDATE tasks SET status = 'In Progress' WHERE id = "
        "(SELECT id FROM tasks WHERE status = 'Queued' ORDER BY id LIMIT 1) RETURNING id"
    ).fetchall()
    connection.execute("UPDATE tasks SET status = 'Complete' WHERE id = ?", (task_id,))


def bare_queue(path: Path, count: int) -> sqlite3.Connection:
    """Make a queue of so many tasks that holds no more than their states."""
    bare = sqlite3.connect(path, isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, status TEXT)")
    bare.execute("CREATE INDEX queued ON tasks (id) WHERE status = 'Queued'")
    bare.executemany("INSERT INTO tasks VALUES (?, 'Queued')", [(n,) for n in range(count)])
    return bare


def tasks(count: int) -> list[NewTask]:
    """Make tasks."""
    return [NewTask(task_type="t2v", params={"prompt": "a boat", "n": n}) for n in range(count)]


def finish(path: Path, count: int) -> None:
    """Have a queue hold so many finished rows besides."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO tasks (id, task_type, params, status) VALUES (?, 't2v', '{}', 'Complete')",
            ((str(uuid4()),) for _ in range(count)),
        )


def milliseconds(call: Callable[[], object], times: int) -> float:
    """Return milliseconds a call, of so many."""
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) * 1e3 / times


def test_claim_and_settle(bench: Bench, tmp_path: Path) -> None:
    """Against SQLite at its barest and the disk's own limit, in turns."""
    turns, pairs = bench.pick(15, 3), bench.pick(100, 20)
    with (
        closing(LocalStore(tmp_path / "queue.sqlite")) as store,
        closing(bare_queue(tmp_path / "bare.sqlite", (turns + 1) * pairs)) as bare,
    ):
        store.insert(tasks((turns + 1) * pairs))
        took = [
            (
                milliseconds(lambda: pair(store), pairs),
                milliseconds(lambda: bare_pair(bare), pairs),
                2 * milliseconds_a_sync(tmp_path, pairs),
            )
            for _ in range(turns + 1)
        ]
    ours, barest, syncs = zip(*took[1:], strict=True)  # the first turn warms up
    bench.add(WHAT, "ms", ours, barest, beside=BAREST)
    bench.add(WHAT, "ms", ours, syncs, beside="two syncs of this disk")


def test_longer_queues(bench: Bench, tmp_path: Path) -> None:
    """What finished rows, then waiting ones, add."""
    turns, pairs = bench.pick(15, 3), bench.pick(100, 20)
    finished, waiting = bench.pick(200_000, 2_000), bench.pick(20_000, 200)
    path = tmp_path / "queue.sqlite"
    with closing(LocalStore(path)) as store:
        for size, before in (
            ("an empty queue", lambda: None),
            (f"+ {finished:,} finished rows", lambda: finish(path, finished)),
            (f"+ {waiting:,} waiting rows", lambda: store.insert(tasks(waiting))),
        ):
            before()
            store.insert(tasks((turns + 1) * pairs))
            took = [milliseconds(lambda: pair(store), pairs) for _ in range(turns + 1)]
            bench.add(WHAT, "ms", took[1:], size=size)


@pytest.mark.parametrize("threads", [1, 8])
def test_many_at_once(bench: Bench, tmp_path: Path, threads: int) -> None:
    """Each pair's share of the time, with as many at work as there are threads."""
    turns, pairs = bench.pick(15, 3), bench.pick(25, 5) * threads
    took = []
    with (
        closing(LocalStore(tmp_path / "queue.sqlite")) as store,
        ThreadPoolExecutor(threads) as pool,
    ):
        store.insert(tasks(turns * pairs))
        for _ in range(turns):
            began = time.perf_counter()
            list(pool.map(pair, [store] * pairs))
            took.append((time.perf_counter() - began) * 1e3 / pairs)
    bench.add(f"{WHAT}, threads", "ms", took, size=f"{threads} at once")


def test_what_a_commit_writes(bench: Bench, tmp_path: Path) -> None:
    """How much a claim and a settle append to the write-ahead log."""
    pairs = bench.pick(1_000, 50)
    path, log = tmp_path / "queue.sqlite", tmp_path / "queue.sqlite-wal"
    with (
        closing(LocalStore(path)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        store.insert(tasks(pairs))
        # The log is not begun anew while somebody reads from it.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tasks").fetchone()
        before = log.stat().st_size
        milliseconds(lambda: pair(store), pairs)
        written = (log.stat().st_size - before) / (2 * pairs)
    bench.add("a commit of SQLite's, appended to its log", "KiB", [written / 1024])


def milliseconds_a_sync(folder: Path, count: int) -> float:
    """Write 16 KB over existing bytes and sync, as a commit does: the disk's own limit."""
    file = os.open(folder / "fsync", os.O_CREAT | os.O_RDWR)
    try:
        os.write(file, bytes(16_384 * 20))
        os.fsync(file)
        began = time.perf_counter()
        for index in range(count):
            os.pwrite(file, bytes(16_384), 16_384 * (index % 20))
            os.fdatasync(file)
        return (time.perf_counter() - began) * 1e3 / count
    finally:
        os.close(file)
