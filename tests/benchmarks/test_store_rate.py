"""How fast the local queue hands out tasks and takes their outcomes, durably."""

import os
import sqlite3
import time
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


def _work(store: LocalStore, count: int) -> float:
    """Claim and complete `count` tasks; return pairs per second."""
    begun = time.perf_counter()
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
    return count / (time.perf_counter() - begun)


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


def test_claim_and_settle(tmp_path: Path) -> None:
    """Claim + complete in one process, each durable; beside the disk's own rate of syncs."""
    store = LocalStore(tmp_path / "queue.sqlite")
    store.insert(_tasks(3 * PAIRS))
    rates = []
    for _ in range(3):
        disk = _fsyncs_per_second(tmp_path)
        rates.append(_work(store, PAIRS))
        print(f"\n{rates[-1]:.0f} pairs/s; the disk syncs {disk:.0f}/s, two to a pair", end="")
    store.close()
    assert len(rates) == 3


def test_claim_and_settle_beside_many_rows(tmp_path: Path) -> None:
    """The same, with 200,000 finished rows and 20,000 waiting ones."""
    path = tmp_path / "queue.sqlite"
    store = LocalStore(path)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO tasks (id, task_type, params, status) VALUES (?, 't2v', '{}', 'Complete')",
            ((str(uuid4()),) for _ in range(FINISHED_ROWS)),
        )
    connection.close()
    store.insert(_tasks(PAIRS))
    print(f"\n{_work(store, PAIRS):.0f} pairs/s with {FINISHED_ROWS} finished rows", end="")
    store.insert(_tasks(DEEP_QUEUE))
    rate = _work(store, PAIRS)
    print(f"\n{rate:.0f} pairs/s with {DEEP_QUEUE} waiting rows too", end="")
    store.close()
    assert rate > 0
