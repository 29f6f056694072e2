"""One transaction of the local queue: its connection, its moment, and what it runs."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.store.rows import lenient_json_text, time_text
from worker.store.statements import sqlite


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """An open transaction; everything in it happens at one moment, `at_s` since the epoch."""

    connection: sqlite3.Connection
    at_s: float
    now: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "now", time_text(self.at_s))

    def run(self, operation: str, **values: Any) -> sqlite3.Cursor:
        """Run a statement of `sql/sqlite/`; it may use `:now` beside the values."""
        values["now"] = self.now
        return self.connection.execute(sqlite(operation), values)

    def one(self, operation: str, **values: Any) -> sqlite3.Row | None:
        """Run a statement and return its first row."""
        # All rows are fetched: a statement left open would hold up the commit.
        rows: list[sqlite3.Row] = self.run(operation, **values).fetchall()
        return rows[0] if rows else None

    def later(self, seconds: float) -> str:
        """Write the moment `seconds` from now."""
        return time_text(self.at_s + seconds)

    def record(self, task_id: str, name: str, data: Mapping[str, Any]) -> None:
        """Add a line to a task's history."""
        self.run("insert_event", task_id=task_id, name=name, data=lenient_json_text(data))
