"""`loop26 failures`: what it prints, what it refuses, and that it stays quick."""

import contextlib
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.worker.incident import FAILURE as INCIDENT
from worker.cli.failures import moment_of
from worker.errors import InvalidTask
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask

from .conftest import Run

FAILURE = replace(INCIDENT, sentence="no get", release="1.2.0")


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


def test_a_librarys_line_is_told_with_the_one_that_called_it(run: Run, store: LocalStore) -> None:
    """That is the one to be mended."""
    own = {"own_file": "/opt/Wan2GP/vae.py", "own_line": 19, "own_function": "decode"}
    fail(store, replace(FAILURE, **own))
    said = " ".join(run("failures").out.split())
    assert "in get_model_min_frames_and_step, called at /opt/Wan2GP/vae.py:19 in decode" in said


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


@pytest.mark.usefixtures("store")
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


def test_ten_thousand_failures_of_one_kind_are_all_counted(
    run: Run, store: LocalStore, home: Path
) -> None:
    """No limit of a query cuts them off."""
    fail(store)
    # Ten thousand claims would take a minute: the one failure's event is copied.
    with contextlib.closing(sqlite3.connect(home / "queue.db")) as raw, raw:
        task_id, _, *rest = raw.execute("SELECT * FROM events WHERE name = 'failed'").fetchone()
        raw.executemany(
            "INSERT INTO events (task_id, seq, at, name, data) VALUES (?, ?, ?, ?, ?)",
            [(task_id, 10 + 2 * number, *rest) for number in range(9_999)],
        )
    [group] = json.loads(run("failures", "--json").out)
    assert group["count"] == 10_000


# Rows and events that another application wrote.


GARBAGE = (
    '{"failure": {"type": "OSError", "last_words": [1]}, "attempt": "x", "worker_id": [1]}',
    '{"failure": {"fingerprint": {"a": 1}, "line": "x", "message": 5}, "attempt": true}',
    '{"failure": {"type": ["a"], "caused_by": [], "open_spans": {}}, "attempt": 1e99}',
    '{"failure": {"kind": "death", "death": 4}, "attempt": 99999999999999999999999}',
    '"a string"',
    '["a", "list"]',
    "null",
    '{"failure": ' + '{"a":' * 990 + "1" + "}" * 990 + "}",
)


def happen(store: LocalStore, home: Path, data: str, *, name: str = "failed", at: str = "") -> str:
    """Insert a task and an event of it, as another application does."""
    [task_id] = store.insert([NewTask(task_type="t2v", params={"model_name": "wan"})])
    moment = at or "2026-02-24T14:00:00.000000+00:00"
    with contextlib.closing(sqlite3.connect(home / "queue.db")) as raw, raw:
        raw.execute(
            "INSERT INTO events (task_id, seq, at, name, data) VALUES (?, 9, ?, ?, ?)",
            (str(task_id), moment, name, data),
        )
        raw.execute("UPDATE tasks SET status = 'Failed' WHERE id = ?", (str(task_id),))
    return str(task_id)


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("name", ["failed", "claimed"])
def test_an_event_of_nonsense_breaks_no_command(
    run: Run, store: LocalStore, home: Path, data: str, name: str
) -> None:
    """What makes no sense counts as not said, and the others' reports are whole."""
    sound = fail(store)
    strange = happen(store, home, data, name=name)
    assert "AttributeError" in run("failures").out
    assert run("failures", "--json").code == 0
    for task_id in (sound, strange):
        for command in (("tasks", task_id), ("tasks", task_id, "--json"), ("investigate", task_id)):
            result = run(*command)
            assert (result.code, "Traceback" in result.err) == (0, False), (command, result.err)


@pytest.mark.parametrize("at", ["yesterday", "9999-99-99", "", "0001-01-01T00:00:00+14:00", "٣"])
def test_a_moment_of_nonsense_breaks_no_command(
    run: Run, store: LocalStore, home: Path, at: str
) -> None:
    """It counts as not said."""
    strange = happen(store, home, '{"failure": {"type": "OSError"}}', at=at or " ")
    assert "1x OSError" in run("failures").out
    [group] = json.loads(run("failures", "--json").out)
    assert (group["first"], group["last"]) == ("", "")
    for command in ("tasks", "investigate"):
        assert run(command, strange).code == 0
    assert run("tasks").code == 0


def deep(levels: int) -> str:
    """Nest an object so deep."""
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    "columns",
    [
        {"error": deep(2000)},
        {"error": deep(600)},
        {"error": '{"last_words": [1], "[/]": "[/]"}'},
        {"error": "[" * 50_000},
        {"result_data": deep(600)},
        {"progress": '{"steps": 3, "quiet_s": "x", "fraction": "y"}', "status": "In Progress"},
        {"progress": '{"stage": [1], "quiet_s": null}', "status": "In Progress"},
        {"progress": deep(600), "status": "In Progress"},
        {"process_context": "\x1b]0;x\x07"},
        {"process_context": "-"},
        {"trace_context": "no context"},
        {"task_type": "[/bold]\x1b[2J"},
        {"worker_id": "[/]\x1b[2J"},
        {"generation_started_at": "x", "generation_processed_at": "y", "updated_at": "z"},
        {"generation_started_at": "2026-01-01T00:00:00", "generation_processed_at": "0001-01-01"},
        {"created_at": "2026-02-31T00:00:00.000000+00:00"},
        {"dependant_on": '["no id", 7]'},
        {"params": deep(600)},
    ],
    ids=str,
)
def test_a_row_of_nonsense_breaks_no_command(
    run: Run, store: LocalStore, home: Path, columns: dict[str, str]
) -> None:
    """What makes no sense counts as not said."""
    [task_id] = store.insert([NewTask(task_type="t2v", params={"model_name": "wan"})])
    with contextlib.closing(sqlite3.connect(home / "queue.db")) as raw, raw:
        for name, value in {"status": "Failed", **columns}.items():
            raw.execute(f"UPDATE tasks SET {name} = ? WHERE id = ?", (value, str(task_id)))  # noqa: S608 - names of this test
    for command in (
        ("tasks",),
        ("tasks", "--json"),
        ("tasks", str(task_id)),
        ("tasks", str(task_id), "--json"),
        ("failures",),
        ("investigate", str(task_id)),
        ("investigate", str(task_id), "--json"),
    ):
        result = run(*command)
        assert (result.code, "Traceback" in result.err) == (0, False), (command, result.err)
        assert "\x1b" not in result.out


def test_what_another_application_set_to_failed_is_counted(
    run: Run, store: LocalStore, home: Path
) -> None:
    """Its tasks are a group of their own, which has no fingerprint."""
    sound = fail(store)
    [task_id] = store.insert([NewTask(task_type="t2v", params={"model_name": "wan"})])
    with contextlib.closing(sqlite3.connect(home / "queue.db")) as raw, raw:
        raw.execute("UPDATE tasks SET status = 'Failed' WHERE id = ?", (str(task_id),))
    groups = json.loads(run("failures", "--json").out)
    assert sorted((one["fingerprint"], one["tasks"]) for one in groups) == [
        ("", [str(task_id)]),
        ("f00d", [sound]),
    ]
    assert "1x set to Failed by another application" in run("failures").out
