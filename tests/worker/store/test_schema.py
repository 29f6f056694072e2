"""A queue of an older version is brought up to date, and nothing of it is lost."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from worker.errors import Fenced
from worker.store import schema
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, Failure, NewTask, TaskStatus

VERSION_1 = Path(__file__).with_name("queue_of_version_1.sql")
NOW = 1_770_000_100.0
FAILURE = Failure(kind="death", type="Died", message="signal 9", sentence="It was killed.")


def _id(number: int) -> UUID:
    """Return an id, or a token, of the old queue."""
    return UUID(int=number)


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def _schema(path: Path) -> dict[str, str]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    return dict(_rows(path, query))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A queue of version 1."""
    path = tmp_path / "queue.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text("utf-8"))
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
    return path


@pytest.fixture
def store(path: Path) -> Iterator[LocalStore]:
    """The same queue, opened by this version."""
    store = LocalStore(path, clock=lambda: NOW)
    yield store
    store.close()


def _claim_again(store: LocalStore, token: int) -> Any:
    return store.claim(
        ClaimRequest(
            worker_id="worker-1",
            token=_id(token),
            task_types=TASK_TYPES,
            lease_s=60.0,
            trace_id="a1" * 16,
            span_id="b2" * 8,
        )
    )


@pytest.mark.parametrize("table", ["tasks", "workers", "dependencies"])
def test_an_upgrade_keeps_every_row(path: Path, table: str) -> None:
    """Tasks, workers and dependencies are what they were, to the last column."""
    before = _rows(path, f"SELECT * FROM {table}")  # noqa: S608 (the test's own names)
    assert before
    LocalStore(path).close()
    assert _rows(path, f"SELECT * FROM {table}") == before  # noqa: S608 (the same)


def test_an_upgrade_keeps_the_history(path: Path) -> None:
    """Every event is there in its order; what it said then, it says now."""
    order = "ORDER BY task_id, seq"
    before = _rows(path, f"SELECT task_id, at, name, data FROM events {order}")  # noqa: S608 (no input)
    LocalStore(path).close()
    after = _rows(path, f"SELECT task_id, at, name, data FROM events {order}")  # noqa: S608 (no input)
    assert [row[:3] for row in after] == [row[:3] for row in before]
    for (*_, then), (*_, now) in zip(before, after, strict=True):
        assert json.loads(then).items() <= json.loads(now).items()


def test_an_upgraded_queue_is_as_a_new_one(path: Path, tmp_path: Path) -> None:
    """Tables, indexes and triggers are those of a new file, and nothing else is left."""
    LocalStore(path).close()
    LocalStore(tmp_path / "new.sqlite").close()
    upgraded, new = _schema(path), _schema(tmp_path / "new.sqlite")
    assert upgraded == new
    assert _rows(path, "PRAGMA user_version") == [(schema.VERSION,)]
    assert _rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_claim_from_before_the_upgrade_still_owns_its_task(store: LocalStore) -> None:
    """A worker that was restarted with the new version goes on with what it had."""
    claim = _claim_again(store, 0x202)
    assert (claim.task.id, claim.task.attempts) == (_id(2), 1)
    assert claim.previous_context == f"00-{'a1' * 16}-{0x201:016x}-01"
    store.complete(_id(0x202), output_location="2.mp4", result={})
    assert store.get(_id(2)).status is TaskStatus.COMPLETE


@pytest.mark.parametrize(
    ("token", "call", "answer"),
    [
        (0x101, lambda s, t: s.complete(t, output_location="late", result={}), None),
        (0x201, lambda s, t: s.release(t, reason="drain", give_back=True), None),
        (0x301, lambda s, t: s.record_death(t, FAILURE, max_deaths=9), TaskStatus.QUEUED),
        (0x302, lambda s, t: s.record_death(t, FAILURE, max_deaths=9), TaskStatus.FAILED),
        (0x602, lambda s, t: s.fail(t, FAILURE), None),
        (0x701, lambda s, t: s.spawn(t, [], result={}), [_id(0x71)]),
    ],
    ids=["complete", "release", "first death", "last death", "fail", "spawn"],
)
def test_a_settle_from_before_the_upgrade_may_be_repeated(
    store: LocalStore, token: int, call: Callable[[LocalStore, UUID], Any], answer: object
) -> None:
    """What the old version settled is answered as it answered, and nothing is changed."""
    before = store.list_tasks()
    assert call(store, _id(token)) == answer
    assert store.list_tasks() == before


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (0x101, "it was settled by complete"),
        (0x401, "its lease expired at 2026-02-02T02:41:12.000000+00:00 and the task was taken"),
        (0x501, "the task was cancelled: enough"),
        (0x603, f"Cascaded failed from related task {_id(0x61)}: It broke."),
    ],
)
def test_a_token_lost_before_the_upgrade_is_told_why(
    store: LocalStore, token: int, reason: str
) -> None:
    """Tokens of the old version are remembered, with what became of them."""
    with pytest.raises(Fenced, match=re.escape(reason)):
        _claim_again(store, token)
    with pytest.raises(Fenced, match=re.escape(reason)):
        store.extend(_id(token), lease_s=60, progress=None)


def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    """One row that cannot be kept, and the whole queue stays as it was, of its old version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_are_kept_as_written")
        connection.execute("UPDATE events SET data = 'null' WHERE seq = 1")
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute("UPDATE events SET data = '{' WHERE seq = 1")
    before = _schema(path), _rows(path, "SELECT * FROM events")
    with pytest.raises(sqlite3.DatabaseError):
        LocalStore(path)
    assert (_schema(path), _rows(path, "SELECT * FROM events")) == before
    assert _rows(path, "PRAGMA user_version") == [(1,)]


def test_a_queue_of_version_3_is_brought_up_with_its_rows(tmp_path: Path) -> None:
    """Its indexes of failures give way to those that know of refused ones, too."""
    path, new = tmp_path / "queue.sqlite", tmp_path / "new.sqlite"
    LocalStore(new).close()
    with closing(LocalStore(path)) as store:
        (task_id,) = store.insert([NewTask(task_type="t2v", params={})])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP INDEX tasks_failed")
        for index in ("events_of_failures", "events_of_fingerprint"):
            (made,) = connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = ?", (index,)
            ).fetchone()
            connection.execute(f"DROP INDEX {index}")
            connection.execute(made.replace(", 'refused'", ""))
        connection.execute("PRAGMA user_version = 3")
    with closing(LocalStore(path)) as store:
        assert store.get(task_id).id == task_id
    assert _schema(path) == _schema(new)
    assert _rows(path, "PRAGMA user_version") == [(schema.VERSION,)]
