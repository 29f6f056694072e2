"""`loop26 migrate`: what it says, and what it needs to be told."""

from typing import TYPE_CHECKING

import pytest

from tests.worker.store.other_databases import empty_database
from worker.store.supabase.migrations import known, newest

from .conftest import Run
from .test_commands import refused

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase


def test_without_an_address_it_is_refused(run: Run) -> None:
    """By the name of the setting, with an example and the other way."""
    result = run("migrate")
    refused(result, "SUPABASE_DB_URL is not set", "postgresql://", "loop26 migrate --print")
    assert result.code == 78


def test_the_script_is_printed_without_a_database(run: Run) -> None:
    """Each migration in a transaction of its own."""
    result = run("migrate", "--print")
    assert result.code == 0
    assert result.lines.count("begin;") == result.lines.count("commit;") == len(known())
    assert "create or replace function public.loop26_claim_task(" in result.lines


def test_it_says_what_it_did(
    run: Run, supabase_server: "Supabase", monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing, what is applied, and that nothing is left to do."""
    monkeypatch.setenv("SUPABASE_DB_URL", empty_database(supabase_server).url)
    missing = run("migrate", "--check")
    assert (missing.code, missing.lines) == (
        1,
        [f"missing: {each.version} {each.name}" for each in known()],
    )
    assert run("migrate").lines[:2] == ["1 queue …", "1 queue: done"]
    for command in (("migrate",), ("migrate", "--check")):
        again = run(*command)
        assert (again.code, again.out) == (
            0,
            f"the queue has schema version {newest()}: nothing to do\n",
        )


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://postgres:hunter2@127.0.0.1:1/postgres", "cannot be reached"),
        ("https://project.supabase.co", "begins with postgresql://"),
        ("postgresql://postgres:hunter2@[half/x", "SUPABASE_DB_URL"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    """In one line."""
    monkeypatch.setenv("SUPABASE_DB_URL", address)
    result = run("migrate")
    refused(result, said)
    assert "hunter2" not in result.err
