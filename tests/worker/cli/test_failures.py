"""`loop26 failures`: what it prints, what it refuses, and that it stays quick."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from worker.cli.failures import moment_of
from worker.errors import InvalidTask
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask

from .conftest import Run

FAILURE = Failure(
    kind="exception",
    type="AttributeError",
    message="'NoneType' object has no attribute 'get'",
    sentence="no get",
    file="/opt/Wan2GP/wgp.py",
    line=3907,
    function="get_model_min_frames_and_step",
    place="raised at",
    stage="parameters",
    fingerprint="f00d",
    release="1.2.0",
)


@pytest.fixture
def store(home: Path, run: Run) -> Iterator[LocalStore]:
    """Open the queue behind the commands."""
    assert run("tasks").code == 0
    store = LocalStore(home / "queue.db")
    yield store
    store.close()


def fail(store: LocalStore, failure: Failure = FAILURE, worker_id: str = "gpu-1") -> str:
    """Insert a task, and fail it."""
    [task_id] = store.insert([NewTask(task_type="t2v", params={"model_name": "wan"})])
    token = uuid4()
    store.claim(
        ClaimRequest(
            worker_id=worker_id,
            token=token,
            task_types=["t2v"],
            lease_s=60,
            trace_id="1" * 32,
            span_id="2" * 16,
        )
    )
    store.fail(token, failure)
    return str(task_id)


def test_nothing_has_failed(run: Run, store: LocalStore) -> None:
    """It says so."""
    assert store.failures() == []
    assert run("failures").out == "nothing has failed\n"
    assert run("failures", "--since", "24h").out == "nothing has failed since 24h\n"


def test_one_cause_is_one_entry(run: Run, store: LocalStore) -> None:
    """With place, count, times, tasks, workers, models."""
    tasks = [fail(store), fail(store, worker_id="gpu-2")]
    fail(store, replace(FAILURE, fingerprint="beef", type="OSError"))
    out = run("failures").out
    assert "2x AttributeError: 'NoneType' object has no attribute 'get'" in out
    assert "1x OSError" in out
    assert "raised at /opt/Wan2GP/wgp.py:3907 in get_model_min_frames_and_step" in out
    for text in (*tasks, "gpu-1", "gpu-2", "wan", "stage parameters", "fingerprint f00d"):
        assert text in "".join(out.split("\n  ")) or text in out


def test_the_json_is_the_groups(run: Run, store: LocalStore) -> None:
    """For programs."""
    fail(store)
    [group] = json.loads(run("failures", "--json").out)
    assert (group["fingerprint"], group["count"]) == ("f00d", 1)
    assert group["location"] == {
        "file": "/opt/Wan2GP/wgp.py",
        "line": 3907,
        "function": "get_model_min_frames_and_step",
    }
    assert group["is_new"] is False


def test_an_empty_queue_is_an_empty_list(run: Run) -> None:
    """A program need not know the words for nothing."""
    assert json.loads(run("failures", "--json").out) == []


def test_many_tasks_are_named_on_request(run: Run, store: LocalStore) -> None:
    """Else the first few, and how many more there are."""
    tasks = [fail(store) for _ in range(9)]
    assert "and 3 more (--all)" in " ".join(run("failures").out.split())
    whole = run("failures", "--all").out
    assert all(task in "".join(whole.split()) for task in tasks)


def test_a_death_counts_once(run: Run, store: LocalStore) -> None:
    """It leaves two events in the history."""
    [task_id] = store.insert([NewTask(task_type="t2v", params={})])
    token = uuid4()
    store.claim(
        ClaimRequest(
            worker_id="w",
            token=token,
            task_types=["t2v"],
            lease_s=60,
            trace_id="1" * 32,
            span_id="2" * 16,
        )
    )
    store.record_death(token, replace(FAILURE, kind="death", type="sigkill"), max_deaths=1)
    [group] = json.loads(run("failures", "--json").out)
    assert (group["count"], group["tasks"]) == (1, [str(task_id)])


def test_texts_of_strangers_do_nothing_to_the_terminal(run: Run, store: LocalStore) -> None:
    """In whichever field they stand."""
    attack = "\x1b[2J\x1b]0;pwned\x07[bold red]x[/]"
    facts: Any = dict.fromkeys(("type", "message", "file", "function", "place", "stage"), attack)
    fail(store, replace(FAILURE, **facts), worker_id=f"gpu{attack}")
    out = run("failures").out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold red]x[/]" in "".join(out.split("\n"))


def test_secrets_are_not_printed(run: Run, store: LocalStore) -> None:
    """What is printed ends in chats."""
    token = "sk-live-" + "4f" * 20
    fail(store, replace(FAILURE, message=f"401: Authorization: Bearer {token}"))
    assert token not in run("failures").out
    assert token not in run("failures", "--json").out


def test_since_leaves_out_what_has_stopped(run: Run, store: LocalStore) -> None:
    """A date in the future leaves nothing."""
    fail(store)
    assert run("failures", "--since", "1h").out != "nothing has failed since 1h\n"
    assert run("failures", "--since", "2999-01-01").out == "nothing has failed since 2999-01-01\n"


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "24",
        "h",
        "-1h",
        "1e9d",
        "24h ago",
        "2026-13-01",
        "\x1b[2J",
        "٣",
        "1y",
        "99999999999999h",
    ],
)
def test_a_moment_that_is_none_is_refused_in_one_line(run: Run, text: str) -> None:
    """With forms that are good."""
    result = run("failures", f"--since={text}")
    assert (result.code, result.out) == (2, "")
    [line] = result.err.splitlines()
    assert "24h" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("1.5h", timedelta(minutes=90)),
        ("7D", timedelta(days=7)),
        ("2 w", timedelta(weeks=2)),
    ],
)
def test_a_moment_may_be_so_long_ago(text: str, ago: timedelta) -> None:
    """In seconds, minutes, hours, days or weeks."""
    found = datetime.fromisoformat(moment_of(text))
    assert abs(datetime.now(UTC) - ago - found) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-24T14:00:00Z", "2026-02-24T14:00:00.000000Z"),
        ("2026-02-24T14:00:00+02:00", "2026-02-24T12:00:00.000000Z"),
        ("0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00.000000Z"),
        ("0999-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
        ("", ""),
    ],
)
def test_a_moment_may_be_a_date(text: str, moment: str) -> None:
    """Written as the queue writes times, so that texts compare as times do."""
    assert moment_of(text) == moment


def test_a_date_that_no_calendar_has_is_refused() -> None:
    """By name."""
    with pytest.raises(InvalidTask, match="is no moment"):
        moment_of("9999-12-31T23:59:59-14:00")


def test_ten_thousand_failures_are_listed_quickly(run: Run, store: LocalStore, home: Path) -> None:
    """The bound is several times what it takes on a slow machine."""
    fail(store)
    # Ten thousand claims would take a minute: the one failure's event is copied.
    with contextlib.closing(sqlite3.connect(home / "queue.db")) as raw, raw:
        task_id, _, *rest = raw.execute("SELECT * FROM events WHERE name = 'failed'").fetchone()
        raw.executemany(
            "INSERT INTO events (task_id, seq, at, name, data) VALUES (?, ?, ?, ?, ?)",
            [(task_id, 10 + 2 * number, *rest) for number in range(9_999)],
        )
    started = time.perf_counter()
    [group] = json.loads(run("failures", "--json").out)
    assert group["count"] == 10_000
    assert time.perf_counter() - started < 10.0
