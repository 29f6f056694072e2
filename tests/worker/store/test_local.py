"""What is particular to the queue in a SQLite file: refusals, durability, other applications."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from worker.errors import Fenced, QueueIncompatible, QueueUnavailable
from worker.store.base import TaskStore
from worker.store.database import Database
from worker.store.local import LocalStore
from worker.task import NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

STORES = ("sqlite",)


@pytest.fixture
def database(queue: "Queue") -> Database:
    """The queue's own connection, to put a PRAGMA in its way."""
    assert isinstance(queue.store, LocalStore)
    return queue.store._database


def _insert_raw(raw: sqlite3.Connection, **columns: str) -> UUID:
    task_id = str(uuid4())
    columns = {"id": task_id, "task_type": "travel_segment", "params": "{}", **columns}
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    raw.execute(f"INSERT INTO tasks ({names}) VALUES ({marks})", list(columns.values()))  # noqa: S608 (the test's own names)
    return UUID(columns["id"])


def test_it_keeps_the_stores_promise(tmp_path: Path) -> None:
    """A LocalStore is a TaskStore, to the type checker and here."""
    store: TaskStore = LocalStore(tmp_path / "queue.sqlite")
    assert (store.queue, store.system) == ("tasks", "sqlite")
    store.close()


def test_a_queue_outlives_its_process(queue: "Queue") -> None:
    """What was inserted is there when the file is opened again."""
    task_id = queue.insert()
    queue.store.close()
    assert queue.open_another().get(task_id).status is TaskStatus.QUEUED


def test_every_commit_is_synced(database: Database) -> None:
    """The file is in write-ahead mode, and each commit reaches the disk."""
    with database.read() as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    assert (mode, synchronous) == ("wal", 2)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A queue file that is not SQLite is named, with the way out, and left as it is."""
    path = tmp_path / "queue.sqlite"
    path.write_text("not a database, but a text of some length" * 100)
    with pytest.raises(QueueIncompatible, match=r"queue\.sqlite' is not a SQLite.*--home"):
        LocalStore(path)
    assert path.read_text().startswith("not a database")


def test_another_applications_database_is_refused(tmp_path: Path) -> None:
    """Somebody else's SQLite file is not changed, not even its journal mode."""
    path = tmp_path / "queue.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(QueueIncompatible, match=r"another application's SQLite database.*--home"):
        LocalStore(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(queue: "Queue", raw: sqlite3.Connection) -> None:
    """A queue of a newer version is left alone; the error names both versions."""
    raw.execute("PRAGMA user_version = 9")
    with pytest.raises(QueueIncompatible, match=r"schema version 9.*up to 4;.*newer loop26"):
        LocalStore(Path(queue.address))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda _path: None, "its folder is not there"),
    ],
    ids=["folder", "missing folder"],
)
def test_a_path_that_cannot_be_opened_is_named(
    tmp_path: Path, make: Callable[[Path], Any], said: str
) -> None:
    """The error names the path and says what is in the way."""
    path = tmp_path / "queue.sqlite" if said == "is a folder" else tmp_path / "no" / "queue.sqlite"
    make(path)
    with pytest.raises(QueueUnavailable, match=said) as raised:
        LocalStore(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_damaged_queue_is_named(queue: "Queue") -> None:
    """A file whose pages are overwritten is called damaged."""
    queue.store.insert([NewTask(task_type="t2v", params={"n": n}) for n in range(200)])
    queue.store.close()
    path = Path(queue.address)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with pytest.raises(QueueIncompatible, match="is damaged"):
        queue.open_another().list_tasks()


def test_a_locked_queue_is_named_after_the_timeout(queue: "Queue", raw: sqlite3.Connection) -> None:
    """Another process that never lets go becomes an error and no endless wait."""
    impatient = LocalStore(Path(queue.address), busy_timeout_s=0.05)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueUnavailable, match=r"locked by another process for 0\.05 s"):
        impatient.insert([NewTask(task_type="t2v", params={})])
    raw.execute("ROLLBACK")
    impatient.insert([NewTask(task_type="t2v", params={})])
    impatient.close()


def test_a_full_disk_loses_nothing(queue: "Queue", database: Database) -> None:
    """When the file cannot grow the call fails, what was there stays, and the queue is usable."""
    task_id = queue.insert()
    with database.read() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(QueueUnavailable, match="the disk is full"):
        queue.insert(params={"prompt": "x" * 1_000_000})
    with database.read() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert [task.id for task in queue.store.list_tasks()] == [task_id]
    assert queue.run().task.id == task_id


def test_a_queue_that_cannot_be_written_is_named(queue: "Queue", database: Database) -> None:
    """A read-only queue is an error that says so."""
    with database.read() as connection:
        connection.execute("PRAGMA query_only = 1")
    with pytest.raises(QueueUnavailable, match="cannot be written"):
        queue.insert()


def test_a_closed_store_says_so(queue: "Queue") -> None:
    """Using a store after `close` is an error of this package; closing twice is none."""
    queue.store.close()
    queue.store.close()
    with pytest.raises(QueueUnavailable, match="was closed"):
        queue.insert()


def test_processes_that_open_a_new_queue_at_once_all_succeed(tmp_path: Path) -> None:
    """The schema is made once, whoever comes first."""
    code = (
        "import sys; from pathlib import Path; from worker.store.local import LocalStore; "
        "sys.stdin.readline(); LocalStore(Path(sys.argv[1])).close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "queue.sqlite")],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 6


def test_a_process_killed_in_mid_transaction_changes_nothing(
    queue: "Queue",
    processes: list[subprocess.Popen[str]],
    said: Callable[[subprocess.Popen[str]], Any],
) -> None:
    """SIGKILL between two statements undoes both, and frees the queue for the others."""
    task_id = queue.insert()
    half = queue.start("half", task_id)
    processes.append(half)
    assert said(half) == "half"
    half.kill()
    half.wait(timeout=30)
    assert queue.run().task.id == task_id


def test_threads_share_a_store(queue: "Queue") -> None:
    """Four threads of one process claim each task once."""
    queue.store.insert([NewTask(task_type="t2v", params={}) for _ in range(80)])
    claimed: list[UUID] = []

    def work() -> None:
        while (claim := queue.try_claim()) is not None:
            claimed.append(claim.task.id)
            queue.complete(claim)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(claimed) == len(set(claimed)) == 80


@pytest.mark.parametrize("change", ["UPDATE events SET name = 'x'", "DELETE FROM events"])
def test_history_cannot_be_rewritten(queue: "Queue", raw: sqlite3.Connection, change: str) -> None:
    """Events are append-only, whoever tries."""
    queue.insert()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(change)


@pytest.mark.parametrize("status", ["Queued", "In Progress", "Failed", "Cancelled"])
def test_an_illegal_transition_is_refused_to_anybody(
    queue: "Queue", raw: sqlite3.Connection, status: str
) -> None:
    """Nothing follows Complete, whatever another application writes."""
    queue.insert()
    queue.run()
    with pytest.raises(sqlite3.IntegrityError, match="illegal transition"):
        raw.execute("UPDATE tasks SET status = ?", (status,))


def test_a_waiting_task_cannot_be_complete_at_once(queue: "Queue", raw: sqlite3.Connection) -> None:
    """Queued → Complete is no transition."""
    queue.insert()
    with pytest.raises(sqlite3.IntegrityError, match="illegal transition"):
        raw.execute("UPDATE tasks SET status = 'Complete'")


def test_a_status_written_by_another_application_fences_the_worker(
    queue: "Queue", raw: sqlite3.Connection
) -> None:
    """A row set to Cancelled by hand is not completed any more."""
    queue.insert()
    claim = queue.claim()
    raw.execute("UPDATE tasks SET status = 'Cancelled'")
    with pytest.raises(Exception, match="set to 'Cancelled' by another application"):
        queue.complete(claim)


def test_another_workers_settle_is_no_repetition_of_ones_own(
    queue: "Queue", raw: sqlite3.Connection
) -> None:
    """A row queued again by hand and completed by a second worker is refused to the first."""
    queue.insert()
    first = queue.claim(worker_id="first")
    raw.execute("UPDATE tasks SET status = 'Queued'")
    task_id = queue.run("second.mp4", worker_id="second").task.id
    with pytest.raises(Fenced, match="set to 'Complete' by another application"):
        queue.complete(first, "first.mp4")
    assert queue.store.get(task_id).output_location == "second.mp4"
    assert queue.event(task_id, "refused")["worker_id"] == "first"


def test_a_childs_completion_is_no_repetition_of_its_orchestrators(
    queue: "Queue", raw: sqlite3.Connection
) -> None:
    """An orchestrator that is run again by hand, and completed by its child, is refused."""
    orchestrator, _ = queue.journey(1, stitch=False)
    raw.execute("UPDATE tasks SET status = 'Queued' WHERE id = ?", (str(orchestrator),))
    again = queue.claim(task_types=["travel_orchestrator"])
    queue.run("0.mp4")
    with pytest.raises(Fenced, match="set to 'Complete' by another application"):
        queue.complete(again)


def test_a_row_that_comes_back_goes_on_with_its_history(
    queue: "Queue", raw: sqlite3.Connection
) -> None:
    """A row that is deleted and inserted again by hand has one history, counted through."""
    task_id = queue.insert()
    raw.execute("DELETE FROM tasks")
    _insert_raw(raw, id=str(task_id))
    queue.run()
    assert [event.seq for event in queue.store.events(task_id)] == [1, 2, 3, 4]


def test_another_applications_segment_is_a_child(queue: "Queue", raw: sqlite3.Connection) -> None:
    """A row inserted by SQL alone has its parent, its model, its dependants and its history."""
    orchestrator, (first,) = queue.journey(1, stitch=False)
    child = _insert_raw(
        raw,
        params=f'{{"orchestrator_task_id_ref": "{orchestrator}", "model_name": "wan-a"}}',
        dependant_on=f'["{first}"]',
    )
    assert queue.store.get(child).parent_id == orchestrator
    assert queue.names(child) == ["inserted"]
    assert raw.execute("SELECT model FROM tasks WHERE id = ?", (str(child),)).fetchone() == (
        "wan-a",
    )
    queue.store.cancel(first)
    assert queue.status(child) is TaskStatus.CANCELLED


def test_another_applications_late_child_is_refused(
    queue: "Queue", raw: sqlite3.Connection
) -> None:
    """A journey that has ended takes no children by SQL either."""
    orchestrator = queue.insert("travel_orchestrator")
    queue.store.cancel(orchestrator)
    with pytest.raises(sqlite3.IntegrityError, match="orchestrator has ended"):
        _insert_raw(raw, params=f'{{"orchestrator_task_id_ref": "{orchestrator}"}}')


@pytest.mark.parametrize(
    "column",
    [
        {"id": "seven"},
        {"params": "[]"},
        {"params": "{"},
        {"dependant_on": '"x"'},
        {"dependant_on": "[1]"},
        {"status": "Done"},
        {"created_at": "yesterday"},
        {"parent_id": "none"},
    ],
    ids=str,
)
def test_a_row_that_could_not_be_read_back_is_refused(
    raw: sqlite3.Connection, column: dict[str, str]
) -> None:
    """No row that another application inserts can make every worker's claim fail."""
    with pytest.raises(sqlite3.IntegrityError):
        _insert_raw(raw, **column)


def test_text_that_is_none_is_read_as_far_as_it_is(queue: "Queue", raw: sqlite3.Connection) -> None:
    """Another application has written it; the other rows are there all the same."""
    good, bad = queue.insert(), queue.insert()
    raw.execute("UPDATE tasks SET error_message = CAST(x'61ff' AS TEXT) WHERE id = ?", [str(bad)])
    found = {task.id: task.error_message for task in queue.store.list_tasks()}
    assert found == {good: None, bad: "a\N{REPLACEMENT CHARACTER}"}
