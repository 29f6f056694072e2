"""Journals for the tests of what reads them: written by the real writer, by hand."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry import names, records
from telemetry.journal import JournalWriter
from telemetry.records import Kind

TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
T0 = 1_770_000_000_000_000_000
MS = 1_000_000


class Script:
    """Writes a journal span by span, with ids and times that a test can foresee."""

    def __init__(
        self, spool: Path, role: str = "task", first_id: int = 1, rotate_bytes: int = 64 * 2**20
    ) -> None:
        self.writer = JournalWriter.create(
            spool, role=role, facts={"device": "cpu"}, rotate_bytes=rotate_bytes
        )
        self.directory = self.writer.directory
        self._ids = itertools.count(first_id)
        self._open: list[bytes] = []

    def task(
        self, task_id: str, task_type: str = "travel_segment", at_ms: float = 0, **params: Any
    ) -> None:
        """Begin a task with these parameters."""
        body = records.TaskBegin(
            task_id=task_id,
            attempt=1,
            task_type=task_type,
            trace_id=TRACE,
            worker_id="gpu-1",
            at_ns=at(at_ms),
            params=params,
        )
        self.writer.append(Kind.TASK_BEGIN, body)

    def end_task(self, task_id: str, outcome: str = "Done", at_ms: float = 0) -> None:
        """End a task."""
        body = records.TaskEnd(task_id=task_id, attempt=1, at_ns=at(at_ms), outcome=outcome)
        self.writer.append(Kind.TASK_END, body)

    def begin(
        self,
        name: str,
        at_ms: float = 0,
        parent: bytes | None = None,
        kind: int = 0,
        **attributes: Any,
    ) -> bytes:
        """Open a span in the innermost open one; attribute names have `__` where a dot is."""
        span_id = next(self._ids).to_bytes(8, "big")
        code = {names.CODE_FILE: "/app/work.py", names.CODE_LINE: 7, names.CODE_FUNCTION: "work"}
        given = {key.replace("__", "."): value for key, value in attributes.items()}
        body = records.SpanBegin(
            trace_id=TRACE,
            span_id=span_id,
            parent_id=parent or (self._open[-1] if self._open else None),
            name=name,
            kind=kind,
            start_ns=at(at_ms),
            attributes={**code, **given},
        )
        self.writer.append(Kind.SPAN_BEGIN, body)
        self._open.append(span_id)
        return span_id

    def end(self, at_ms: float = 0, status: int = 0, description: str = "") -> None:
        """End the innermost open span."""
        body = records.SpanEnd(
            span_id=self._open.pop(), end_ns=at(at_ms), status=status, description=description
        )
        self.writer.append(Kind.SPAN_END, body)

    def span(self, name: str, from_ms: float, to_ms: float, **attributes: Any) -> bytes:
        """Write a whole span."""
        span_id = self.begin(name, from_ms, **attributes)
        self.end(to_ms)
        return span_id

    def log(self, message: str, at_ms: float = 0) -> None:
        """Write a log record of the innermost open span."""
        span = self._open[-1] if self._open else None
        body = records.Log(
            at_ns=at(at_ms),
            severity=9,
            logger="worker.params",
            message=message,
            trace_id=TRACE if span else None,
            span_id=span,
            attributes={},
        )
        self.writer.append(Kind.LOG, body)

    def error(self, **changes: Any) -> records.Error:
        """Write an error of the innermost open span."""
        facts: dict[str, Any] = {
            "event_id": "e" * 32,
            "at_ns": at(50),
            "kind": "exception",
            "chain": [],
            "type": "AttributeError",
            "message": "'NoneType' object has no attribute 'get'",
            "file": "/engine/wgp.py",
            "line": 3907,
            "function": "get_model_min_frames_and_step",
            "place": "raised at",
            "stage": "parameters",
            "loop_index": 32,
            "loop_count": 32,
            "fingerprint": "f" * 16,
            "trace_id": TRACE,
            "span_id": self._open[-1] if self._open else None,
        }
        body = records.Error(**{**facts, **changes})
        self.writer.append(Kind.ERROR, body)
        return body

    def end_process(self, kind: str = "exit", at_ms: float = 0) -> None:
        """End the process orderly."""
        body = records.ProcessEnd(at_ns=at(at_ms), kind=kind, exit_code=0, message="done")
        self.writer.append(Kind.PROCESS_END, body)
        self.writer.close()


def at(ms: float) -> int:
    """Return a time, in nanoseconds since the epoch, from milliseconds since the tests' own."""
    return T0 + int(ms * MS)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return the path of an empty spool."""
    return tmp_path / "spool"


@pytest.fixture
def new_script(spool: Path) -> Iterator[Callable[..., Script]]:
    """Return what starts a journal in the spool; its process is alive while the test runs."""
    made: list[Script] = []

    def make(**options: Any) -> Script:
        made.append(Script(spool, **options))
        return made[-1]

    yield make
    for script in made:
        script.writer.close()


@pytest.fixture
def script(new_script: Callable[..., Script]) -> Script:
    """Start the journal of a task process."""
    return new_script()
