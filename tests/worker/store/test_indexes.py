"""How the statements of the SQLite file go about their work: by index, whatever the queue holds."""

import sqlite3

import pytest

from worker.store.statements import sqlite


def _plan(raw: sqlite3.Connection, operation: str, **values: str) -> str:
    """Say how SQLite will go about a statement, one step a line."""
    steps = raw.execute(f"EXPLAIN QUERY PLAN {sqlite(operation)}", values).fetchall()
    return "\n".join(step for *_, step in steps)


@pytest.mark.parametrize("operation", ["select_next_task", "select_next_task_of_model"])
def test_a_claim_reads_waiting_tasks_alone(raw: sqlite3.Connection, operation: str) -> None:
    """The choice goes by a partial index in its order: no scan of the table, no sorting."""
    values = {"task_types": "[]", "now": "", "model": "wan-a", "token": ""}
    plan = _plan(raw, operation, **values)
    assert "SEARCH task USING INDEX tasks_" in plan
    assert "SCAN tasks" not in plan
    assert "TEMP B-TREE FOR ORDER" not in plan


def test_a_token_is_found_by_its_index(raw: sqlite3.Connection) -> None:
    """However long the history, no call reads all of it to find its claim."""
    plan = _plan(raw, "select_claim", token="")
    assert "INDEX events_of_token" in plan
    assert "SCAN" not in plan


def test_a_sweep_reads_running_tasks_alone(raw: sqlite3.Connection) -> None:
    """Neither finished nor waiting tasks cost a sweep anything."""
    assert "SEARCH tasks USING INDEX tasks_open" in _plan(raw, "select_expired", now="")


@pytest.mark.parametrize(
    ("operation", "index"),
    [
        ("list_failures", "events_of_failures"),
        ("list_failures_alike", "events_of_fingerprint"),
    ],
)
def test_failures_are_found_among_many_events(
    raw: sqlite3.Connection, operation: str, index: str
) -> None:
    """Newest first, by an index that holds them alone; those of one kind by one of kinds."""
    values = {"since": "", "before": "9999", "fingerprint": "f", "limit": "1"}
    plan = _plan(raw, operation, **values)
    assert f"SEARCH event USING INDEX {index}" in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan


def test_the_last_good_run_is_found_by_its_index(raw: sqlite3.Connection) -> None:
    """Without reading or sorting all that went well."""
    plan = _plan(raw, "select_last_complete", task_type="t2v", model="wan", before="9999")
    assert "SEARCH tasks USING INDEX tasks_complete" in plan
    assert "TEMP B-TREE" not in plan
