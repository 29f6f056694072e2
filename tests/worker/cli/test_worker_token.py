"""`loop26 worker-token`: as an operator types it, and as one mistypes it."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from worker.store.supabase.worker_tokens import PREFIX

from .conftest import Run
from .test_commands import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.shared_home import Fleet

pytestmark = pytest.mark.usefixtures("operator")


def test_a_token_is_all_that_is_printed(run: Run) -> None:
    """So that a shell can take it; how long it is good is said beside it."""
    result = run("worker-token", "create", "printed", "--days", "2")
    [token] = result.lines
    assert token.startswith(PREFIX)
    assert len(token) > 40
    expires = datetime.now(UTC) + timedelta(days=2)
    assert result.err == (
        f"token of printed, good until {expires:%Y-%m-%d %H:%M} UTC; it cannot be shown again\n"
    )


def test_a_token_is_kept_nowhere(run: Run, fleet: "Fleet", home: "Path") -> None:
    """Neither in the home nor in the database: it has a hash."""
    [token] = run("worker-token", "create", "kept").lines
    with fleet.server.connect(fleet.name) as connection:
        rows = connection.execute("select t::text from loop26.worker_tokens as t").fetchall()
    assert rows
    assert token not in f"{rows}"
    files = [path for path in home.rglob("*") if path.is_file()]
    assert not [path for path in files if token.encode() in path.read_bytes()]


def test_tokens_are_listed_with_what_they_are(run: Run, fleet: "Fleet") -> None:
    """Valid, revoked or expired; the table fits a narrow terminal."""
    kinds = ("valid", "revoked", "expired")
    run("worker-token", "create", "[red]pod[/]")
    for kind in kinds:
        assert run("worker-token", "create", f"is {kind}", "--days", "1").code == 0
    run("worker-token", "revoke", "is revoked")
    with fleet.server.connect(fleet.name) as connection:
        connection.execute(
            "update loop26.worker_tokens set expires_at = '2026-01-01' where name = 'is expired'"
        )
    listed = json.loads(run("worker-token", "list", "--json").out)
    of = {token["name"]: token for token in listed}
    for kind in kinds:
        assert of[f"is {kind}"]["status"] == kind
        assert datetime.fromisoformat(of[f"is {kind}"]["created_at"]).tzinfo is not None
    table = run("worker-token", "list").lines
    assert table[0].split() == ["NAME", "STATUS", "CREATED", "EXPIRES", "LAST", "USED"]
    assert max(map(len, table)) <= 80
    assert [line for line in table if line.startswith("[red]pod[/] ")]
    assert not [line for line in table if PREFIX in line]


def test_a_name_is_used_once(run: Run) -> None:
    """Not after it was revoked either: whose it was stays known."""
    run("worker-token", "create", "once")
    refused(run("worker-token", "create", "once"), "'once' was made before", "another name")
    assert run("worker-token", "revoke", "once").out == "the token of once is revoked\n"
    assert run("worker-token", "revoke", "once").code == 0
    refused(run("worker-token", "create", "once"), "was made before")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "\x1b[31m", "\ud800"])
def test_a_name_that_is_none_is_refused(run: Run, name: str) -> None:
    """In one line that names it."""
    refused(run("worker-token", "create", name), "NAME", "1 to 100 characters")


@pytest.mark.parametrize("name", ["nobody", "", "a\nb", "'; drop table tasks; --", "\ud800"])
def test_revoking_nobodys_token_is_refused(run: Run, name: str) -> None:
    """Naming it, and where names are listed."""
    refused(run("worker-token", "revoke", name), "no worker token is named", "worker-token list")


def test_a_worker_can_make_none(run: Run, fleet: "Fleet", monkeypatch: pytest.MonkeyPatch) -> None:
    """With its token and the publishable key; what is needed is said."""
    [token] = run("worker-token", "create", "climber").lines
    monkeypatch.delenv("SUPABASE_SECRET_KEY")
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", fleet.server.key("anon"))
    monkeypatch.setenv("LOOP26_WORKER_TOKEN", token)
    for command in (("create", "another"), ("list",), ("revoke", "climber")):
        refused(run("worker-token", *command), "it is for operators: set SUPABASE_SECRET_KEY")


def test_a_queue_of_this_machine_has_no_tokens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what a shared one needs."""
    monkeypatch.delenv("SUPABASE_URL")
    refused(run("worker-token", "list"), "needs no tokens", "SUPABASE_URL and SUPABASE_SECRET_KEY")


def test_a_project_without_any_key_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the names of those that are missing."""
    monkeypatch.delenv("SUPABASE_SECRET_KEY")
    refused(run("worker-token", "list"), "SUPABASE_URL", "SUPABASE_SECRET_KEY")


@pytest.mark.parametrize("key", ["hunter2", "a1b2.c3d4.e5f6"])
def test_a_wrong_key_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """At once, and without showing it."""
    monkeypatch.setenv("SUPABASE_SECRET_KEY", key)
    result = run("worker-token", "list")
    refused(result, "refuses", "the key is none of this project's: see SUPABASE_PUBLISHABLE_KEY")
    assert key not in result.err


@pytest.mark.parametrize("end", ["\n", " ", "é", "\r\nX-Other: 1"])
@pytest.mark.parametrize("name", ["SUPABASE_SECRET_KEY", "LOOP26_WORKER_TOKEN"])
def test_a_key_that_no_request_can_carry_is_refused(
    run: Run, fleet: "Fleet", monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    """A file's last line break often comes along; the name of the setting is said, not the key."""
    if name == "LOOP26_WORKER_TOKEN":
        monkeypatch.delenv("SUPABASE_SECRET_KEY")
        monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", fleet.server.key("anon"))
    monkeypatch.setenv(name, f"hunter2{end}")
    result = run("tasks")
    refused(result, f"{name} cannot be sent: it has a character that no key has")
    assert result.code == 78
    assert "hunter2" not in result.err
