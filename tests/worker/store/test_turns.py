"""Threads that share a commit: each part is whole or undone alone, and all of it is durable."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from worker.errors import Fenced
from worker.store.turns import Turns

THREADS = 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one empty table."""
    path = tmp_path / "turns.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text TEXT NOT NULL)")
    return path


@pytest.fixture
def turns(path: Path) -> Iterator[Turns]:
    """Turns on that database."""
    turns = Turns(sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10))
    yield turns
    turns.close()


def _notes(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY text")]


class _Together:
    """Threads that write one note each, all waiting for their turn at the same moment."""

    def __init__(self, turns: Turns, path: Path) -> None:
        self.turns = turns
        self.path = path
        self.errors: dict[str, BaseException] = {}
        self.seen: dict[str, list[str]] = {}

    def note(self, name: str, fault: BaseException | None) -> None:
        """Write one note and then raise the fault, if any; keep what came of it."""
        try:
            with self.turns.write() as connection:
                connection.execute("INSERT INTO notes VALUES (?)", (name,))
                if fault is not None:
                    raise fault
        except (Fenced, sqlite3.Error, RuntimeError) as error:
            self.errors[name] = error
        self.seen[name] = _notes(self.path)

    def run(self, faults: Mapping[str, BaseException | None]) -> None:
        """Hold the turn until every thread waits for it, then let them go."""
        threads = [threading.Thread(target=self.note, args=item) for item in faults.items()]
        with self.turns.read():
            for thread in threads:
                thread.start()
            while self.turns._waiting < len(threads):
                assert all(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join(timeout=30)


def _commits(turns: Turns) -> list[str]:
    """List the commits from here on, as SQLite runs them."""
    commits: list[str] = []
    with turns.read() as connection:
        connection.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )
    return commits


def test_waiting_threads_share_a_commit(turns: Turns, path: Path) -> None:
    """Six writes that wait together are one commit, and each is durable when it returns."""
    commits = _commits(turns)
    together = _Together(turns, path)
    together.run(dict.fromkeys(map(str, range(THREADS))))
    assert _notes(path) == sorted(map(str, range(THREADS)))
    assert all(name in seen for name, seen in together.seen.items())
    assert len(commits) == 1


def test_a_part_that_fails_is_undone_alone(turns: Turns, path: Path) -> None:
    """An error in one thread takes nothing from the others, wherever it stands in the row."""
    faults = {str(n): RuntimeError("no") if n % 2 else None for n in range(THREADS)}
    together = _Together(turns, path)
    together.run(faults)
    assert _notes(path) == ["0", "2", "4"]
    assert together.errors.keys() == {"1", "3", "5"}


def test_a_refusal_is_kept(turns: Turns, path: Path) -> None:
    """What was written before `Fenced` is durable when it reaches the caller."""
    together = _Together(turns, path)
    together.run({str(n): Fenced("token", "late") for n in range(THREADS)})
    assert _notes(path) == sorted(map(str, range(THREADS)))
    assert all(name in seen for name, seen in together.seen.items())


def test_a_commit_that_fails_fails_for_all(turns: Turns, path: Path) -> None:
    """Whoever shared a commit that could not be made is told so, and nothing of it is kept."""
    with turns.read() as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
        )
        # Found out at the commit, as a full disk may be.
        connection.execute(
            "CREATE TRIGGER orphan AFTER INSERT ON notes WHEN new.text = '3' "
            "BEGIN INSERT INTO children VALUES (7); END"
        )
    together = _Together(turns, path)
    together.run(dict.fromkeys(map(str, range(THREADS))))
    assert together.errors.keys() == set(map(str, range(THREADS)))
    assert _notes(path) == []


def test_a_transaction_that_sqlite_undid_fails_for_all(turns: Turns, path: Path) -> None:
    """A full disk takes the whole transaction; no thread believes that its part was kept."""
    with turns.read() as connection:
        connection.execute(
            "CREATE TRIGGER full AFTER INSERT ON notes WHEN new.text = '3' "
            "BEGIN SELECT RAISE(ROLLBACK, 'gone'); END"
        )
    together = _Together(turns, path)
    together.run(dict.fromkeys(map(str, range(THREADS))))
    kept = set(_notes(path))
    assert "3" in together.errors
    assert kept | together.errors.keys() == set(map(str, range(THREADS)))
    assert not kept & together.errors.keys()


def test_a_group_that_nobody_commits_is_committed_by_who_waits(turns: Turns, path: Path) -> None:
    """A thread that was to commit and never came does not leave the others hanging."""
    # One that is counted as waiting and will not come, as after Ctrl-C in the wrong moment.
    turns._waiting += 1
    with turns.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('kept')")
    assert _notes(path) == ["kept"]


def test_a_read_sees_nothing_that_is_not_durable(turns: Turns, path: Path) -> None:
    """A read commits what is open before it looks."""
    turns._waiting += 1
    writer = threading.Thread(target=_Together(turns, path).note, args=("kept", None))
    writer.start()
    while True:
        with turns.read() as connection:
            seen = [text for (text,) in connection.execute("SELECT text FROM notes")]
        assert seen == _notes(path)
        if seen:
            break
    writer.join(timeout=30)
