"""Drills that nobody has run, and a server that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from telemetry.reports.case import Case, TaskRow
from telemetry.reports.findings import LinksFound
from telemetry.reports.investigate import investigate
from worker.drill.planted import Planted
from worker.drill.running import Drilled
from worker.task import Task, TaskStatus

ID = UUID("e040ae48-4fa8-4af6-8a57-028277e54ba9")
NOW = datetime(2026, 2, 24, 14, 14, 45, tzinfo=UTC)


def row_error(planted: Planted) -> dict[str, Any]:
    """Return the error on a task's row that is all right."""
    return {
        "kind": "exception",
        "type": planted.type,
        "message": "it failed",
        "sentence": "it failed",
        "file": planted.place.file,
        "line": planted.place.line,
        "function": planted.place.function,
        "place": planted.known_as,
        "stage": "generate",
        "event_id": "ab" * 16,
    }


def drilled_without_a_record(error: dict[str, Any]) -> Drilled:
    """Return a drill of which the row is all that is left."""
    task = Task(
        id=ID,
        task_type="t2v",
        params={},
        status=TaskStatus.FAILED,
        dependant_on=(),
        parent_id=None,
        project_id=None,
        idempotency_key=None,
        trace_context=None,
        process_context=None,
        attempts=1,
        deaths=0,
        worker_id="w",
        output_location=None,
        error_message="it failed",
        error=error,
        result_data=None,
        progress=None,
        created_at=NOW,
        updated_at=NOW,
        generation_started_at=None,
        generation_processed_at=None,
    )
    row = TaskRow(id=str(ID), type="t2v", status="Failed", error=error, error_message="it failed")
    links = LinksFound(trace_id="", sentry_event_id="")
    case = Case(asked=str(ID), task=row, model=None, source="a test", links=links)
    return Drilled(task=task, case=case, found=investigate(case))


class Web:
    """A server whose answers are in `answers`, by path; everything else is not there.

    Attributes:
        asked: The paths that were asked for, with their queries.
        tokens: The tokens that came with them.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.tokens.add(self.headers.get("Authorization", ""))
                status, answer = web.answers.get(self.path.partition("?")[0], (404, {}))
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    """Give a server without answers."""
    server = Web()
    yield server
    server.close()
