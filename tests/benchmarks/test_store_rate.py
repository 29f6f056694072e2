"""How fast the local queue hands out tasks and takes their outcomes, durably."""

import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import NewTask

PAIRS = 1_000
FINISHED_ROWS = 200_000
DEEP_QUEUE = 20_000

pytestmark = pytest.mark.benchmark


def _rate(store: LocalStore, count: int, threads: int = 1) -> float:
    """Claim and complete `count` tasks; return pairs per second."""
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(_work, [store] * threads, [count // threads] * threads))
        return count / (time.perf_counter() - begun)


def _work(store: LocalStore, count: int) -> None:
    for _ in range(count):
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


def _tasks(count: int) -> list[NewTask]:
    return [NewTask(task_type="t2v", params={"prompt": "a boat", "n": n}) for n in range(count)]


def _fsyncs_per_second(folder: Path, count: int = 400) -> float:
    """Write 16 KB over existing bytes and sync, as a commit does: the disk's own limit."""
    file = os.open(folder / "fsync", os.O_CREAT | os.O_RDWR)
    try:
        os.write(file, bytes(16_384 * 20))
        os.fsync(file)
        begun = time.perf_counter()
        for index in range(count):
            os.pwrite(file, bytes(16_384), 16_384 * (index % 20))
            os.fdatasync(file)
        return count / (time.perf_counter() - begun)
    finally:
        os.close(file)


def _bare_rate(path: Path, count: int) -> float:
    """Do the least that SQLite can: one UPDATE to claim, one to complete, no fence, no history."""
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, status TEXT)")
        bare.execute("CREATE INDEX queued ON tasks (id) WHERE status = 'Queued'")
        bare.executemany("INSERT INTO tasks VALUES (?, 'Queued')", [(n,) for n in range(count)])
        begun = time.perf_counter()
        for _ in range(count):
            ((task_id,),) = bare.execute(
                "UPDATE tasks SET status = 'In Progress' WHERE id = "
                "(SELECT id FROM tasks WHERE status = 'Queued' ORDER BY id LIMIT 1) RETURNING id"
            ).fetchall()
            bare.execute("UPDATE tasks SET status = 'Complete' WHERE id = ?", (task_id,))
        return count / (time.perf_counter() - begun)


@pytest.mark.parametrize("threads", [1, 4, 8])
def test_claim_and_settle(tmp_path: Path, threads: int) -> None:
    """Claim + complete in one process, each durable; beside the disk and SQLite at their barest."""
    store = LocalStore(tmp_path / "queue.sqlite")
    store.insert(_tasks(PAIRS))
    disk = _fsyncs_per_second(tmp_path)
    bare = _bare_rate(tmp_path / "bare.sqlite", PAIRS)
    rate = _rate(store, PAIRS, threads)
    store.close()
    print(
        f"\n{threads} threads: {rate:.0f} claim + complete/s, durable "
        f"(SQLite at its barest, 1 thread: {bare:.0f}/s; the disk: {disk:.0f} syncs/s)",
        end="",
    )
    assert rate > 0


def test_what_a_commit_writes(tmp_path: Path) -> None:
    """How much a claim and a complete append to the write-ahead log."""
    path = tmp_path / "queue.sqlite"
    log = tmp_path / "queue.sqlite-wal"
    store = LocalStore(path)
    store.insert(_tasks(PAIRS))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        # The log is not begun anew while somebody reads from it.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tasks").fetchone()
        before = log.stat().st_size
        _rate(store, PAIRS)
        written = (log.stat().st_size - before) / (2 * PAIRS)
    store.close()
    print(f"\n{written / 1024:.1f} KiB a commit, {written / 4096:.1f} pages", end="")
    assert written > 0


def test_claim_and_settle_beside_many_rows(tmp_path: Path) -> None:
    """The same, with 200,000 finished rows and 20,000 waiting ones."""
    path = tmp_path / "queue.sqlite"
    store = LocalStore(path)
    store.insert(_tasks(PAIRS))
    few = _rate(store, PAIRS, 8)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO tasks (id, task_type, params, status) VALUES (?, 't2v', '{}', 'Complete')",
            ((str(uuid4()),) for _ in range(FINISHED_ROWS)),
        )
    store.insert(_tasks(PAIRS))
    finished = _rate(store, PAIRS, 8)
    store.insert(_tasks(DEEP_QUEUE))
    deep = _rate(store, PAIRS, 8)
    store.close()
    print(
        f"\n8 threads: {few:.0f}/s in an empty table, {finished:.0f}/s beside {FINISHED_ROWS:,} "
        f"finished rows, {deep:.0f}/s with {DEEP_QUEUE:,} waiting besides",
        end="",
    )
    assert min(few, finished, deep) > 0
