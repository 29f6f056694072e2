"""`loop26 doctor`: what an operator reads, and what a worker may know."""

import json
from typing import TYPE_CHECKING

import pytest

from .conftest import T2V, Run
from .test_commands import written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.shared_home import Fleet


def test_a_sound_queue_of_this_machine(run: Run, tmp_path: "Path") -> None:
    """One line a finding, and exit code 0."""
    run("enqueue", written(tmp_path, T2V))
    result = run("doctor")
    assert result.code == 0
    assert all(line.startswith("ok ") for line in result.lines)
    assert "1 Queued" in result.out


def test_a_home_without_a_queue_is_an_error(run: Run, home: "Path") -> None:
    """It makes none, and the engine is looked at all the same."""
    result = run("doctor")
    assert result.code == 1
    engine, queue = result.lines
    assert engine.startswith("ok      engine: diffusers ")
    assert queue.startswith("error   queue: ")
    assert "is not there; `loop26 enqueue FILE` makes a queue" in queue
    assert not home.exists()


def test_a_file_that_is_no_queue_is_an_error(run: Run, home: "Path") -> None:
    """One finding, and not the end."""
    home.mkdir()
    (home / "queue.db").write_text("no database")
    result = run("doctor")
    assert result.code == 1
    assert result.lines[0].startswith("ok      engine: ")
    assert result.lines[1].startswith("error   queue: ")


def test_a_sound_shared_queue(run: Run, operator: "Fleet") -> None:
    """Its database too: schema, row security, policies, grants."""
    del operator
    result = run("doctor")
    assert result.code == 0, result.out
    names = [line[8:].partition(":")[0] for line in result.lines]
    assert {"schema", "row security", "policies", "indexes", "functions", "grants"} <= set(names)


def test_what_is_wrong_comes_with_the_way_out(run: Run, operator: "Fleet") -> None:
    """Exit code 1, the tasks by their ids, the advice below; JSON says the same."""
    with operator.server.connect(operator.name) as connection:
        connection.execute("alter table public.workers disable row level security")
        [(task_id,)] = connection.execute(
            "insert into tasks (task_type, status) values ('t2v', 'In Progress') returning id::text"
        )
        try:
            result = run("doctor")
            as_json = run("doctor", "--json")
        finally:
            connection.execute("delete from tasks")
            connection.execute("alter table public.workers enable row level security")
    assert result.code == as_json.code == 1
    assert "error   row security: off for public.workers" in result.out
    assert task_id in result.out
    assert "loop26 cancel ID" in result.out
    found = {each["name"]: each for each in json.loads(as_json.out)}
    assert found["tasks in nobody's hands"]["ids"] == [task_id]


@pytest.mark.parametrize(
    ("token", "code", "said"),
    [
        ("good", 0, "lets this worker in"),
        ("unknown", 1, "the worker token is unknown to this queue"),
        ("revoked", 1, "the worker token 'revoked' was revoked"),
        ("expired", 1, "the worker token 'expired' expired"),
    ],
)
def test_a_worker_learns_whether_it_is_let_in(
    run: Run,
    operator: "Fleet",
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    code: int,
    said: str,
) -> None:
    """And that the rest is for operators."""
    operator.add_token(token)
    monkeypatch.delenv("SUPABASE_SECRET_KEY")
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", operator.server.key("anon"))
    monkeypatch.setenv("LOOP26_WORKER_TOKEN", token)
    result = run("doctor")
    assert result.code == code
    assert said in result.out
    assert "permission denied" not in result.out
    assert "SUPABASE_SECRET_KEY" in result.out


def test_a_queue_that_does_not_answer_is_an_error(
    run: Run, operator: "Fleet", monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to look at."""
    del operator
    monkeypatch.setenv("LOOP26_SUPABASE_REST_URL", "http://127.0.0.1:1")
    result = run("doctor")
    assert result.code == 1
    assert "error   queue: " in result.out
    assert "see whether the address is right" in result.out


def test_a_key_that_no_request_can_carry_is_an_error(
    run: Run, operator: "Fleet", monkeypatch: pytest.MonkeyPatch
) -> None:
    """One finding, with the setting's name and without the key."""
    del operator
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "hunter2\n")
    result = run("doctor")
    assert result.code == 1
    assert "error   queue: SUPABASE_SECRET_KEY cannot be sent" in result.out
    assert "hunter2" not in result.out + result.err


def test_a_name_that_a_stranger_gave_moves_no_terminal(run: Run, operator: "Fleet") -> None:
    """Of a policy, say: its escapes are shown."""
    with operator.server.connect(operator.name) as connection:
        connection.execute("grant select on tasks to anon")
        connection.execute('create policy "\x1b[2J\n" on tasks for select using (true)')
        try:
            result = run("doctor")
        finally:
            connection.execute('drop policy "\x1b[2J\n" on tasks; revoke all on tasks from anon')
    [line] = [line for line in result.lines if line.startswith("warning policies: ")]
    assert "[2J" in line
    assert "\x1b" not in result.out
