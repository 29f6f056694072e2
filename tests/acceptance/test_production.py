"""The deaths once more, through all that stands behind a worker, each of it away for a while.

Task process → journal → supervisor → collector, by otel-collector.yaml → Jaeger; and → Bugsink.
"""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from telemetry.journal import JournalReader, process_directories
from telemetry.records import Kind
from tests.acceptance.deaths import FEW, control_group, death_of, worker_dies
from tests.acceptance.home import Home, a_quick_task, home_at, wait_for
from tests.acceptance.injection import STAGES, Fault, inject, place_of
from tests.servers.base import Server
from tests.servers.bugsink.server import Bugsink
from tests.servers.cache import Unavailable
from tests.servers.collector.server import Collector
from tests.servers.jaeger.server import Jaeger
from worker.task import Task, TaskStatus

WORKED_S = 600
ARRIVED_S = 600

pytestmark = pytest.mark.timeout(3600)


class Backends:
    """A collector, the Jaeger behind it, and a Bugsink."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self.jaeger = ends.enter_context(Jaeger(folder / "jaeger", persistent=True))
        self.collector = ends.enter_context(
            Collector(folder / "collector", self.jaeger.otlp_endpoint)
        )
        self.bugsink = ends.enter_context(Bugsink(folder / "bugsink"))

    def spans_of(self, trace_id: str) -> Counter[str]:
        """Count the spans of a trace that Jaeger has, by id."""
        address = f"{self.jaeger.query_url}/api/traces/{trace_id}"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - its own address
                (trace,) = json.load(answer)["data"]
        except urllib.error.HTTPError as answer:
            if answer.code != HTTPStatus.NOT_FOUND:
                raise
            return Counter()
        return Counter(span["spanID"].zfill(16) for span in trace["spans"])

    def events(self) -> list[dict[str, Any]]:
        """Return all events that Bugsink has, as it received them."""
        issues = [issue["id"] for issue in self.bugsink.issues()]
        return [event["data"] for issue in issues for event in self.bugsink.events(issue)]


class Production:
    """Runs a third of the cells while each backend is away, and keeps what came of them."""

    def __init__(self, home: Home, backends: Backends, group: Path | None) -> None:
        self.home = home
        self.backends = backends
        self.group = group
        self.faults: dict[UUID, Fault] = {}
        self.cells: dict[UUID, str] = {}
        self.away: dict[UUID, str] = {}
        self.begun: Counter[tuple[str, str]] = Counter()

    def run(self, cells: list[str]) -> None:
        """Die all deaths, then wait until everything has come."""
        backends = self.backends
        for server, mine in zip(
            (backends.collector, backends.jaeger, backends.bugsink),
            (cells[0::3], cells[1::3], cells[2::3]),
            strict=True,
        ):
            self._without(server, mine)
        self.begun = begun(self.home)
        worker = self.home.worker(until_idle=False)
        wait_for(lambda: self.arrived() >= self.begun, "all spans", ARRIVED_S)
        wait_for(lambda: len(backends.events()) >= len(self.cells), "all events", ARRIVED_S)
        assert worker.end() == 0, worker.lines()

    def arrived(self) -> Counter[tuple[str, str]]:
        """Count the spans that Jaeger has, by trace and id."""
        return Counter(
            {
                (trace_id, span_id): count
                for trace_id in {trace_id for trace_id, _ in self.begun}
                for span_id, count in self.backends.spans_of(trace_id).items()
            }
        )

    def _without(self, server: Server, cells: list[str]) -> None:
        """Die some deaths while a server is away."""
        ids = self.home.enqueue(*[a_quick_task()] * len(cells))
        for task_id, cell in zip(ids, cells, strict=True):
            death, _, stage = cell.partition("@")
            self.cells[task_id] = cell
            self.away[task_id] = type(server).__name__
            self.faults[task_id] = inject(self.home, STAGES[stage], death, task=task_id)
        server.stop()
        while worker_dies(self.home, self.group, WORKED_S):
            pass
        server.start()


def begun(home: Home) -> Counter[tuple[str, str]]:
    """Count the spans that journals say were begun, by trace and id."""
    return Counter(
        (record.body.trace_id.hex(), record.body.span_id.hex())
        for directory in process_directories(home.path / "spool")
        for record in JournalReader(directory).read()
        if record.kind is Kind.SPAN_BEGIN
    )


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """Die every death once."""
    folder = tmp_path_factory.mktemp("production")
    with ExitStack() as ends:
        try:
            backends = Backends(folder, ends)
        except Unavailable as reason:
            pytest.skip(str(reason))
        group = ends.enter_context(control_group())
        home = ends.enter_context(home_at(folder))
        home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = backends.collector.otlp_endpoint
        home.environment["SENTRY_DSN"] = backends.bugsink.dsn
        made = Production(home, backends, group)
        made.run([cell for cell in FEW if group or death_of(cell) != "out_of_memory"])
        print_table(made)
        yield made


def failed(production: Production) -> dict[UUID, Task]:
    """Return the tasks as they ended."""
    return {task_id: production.home.task(task_id) for task_id in production.cells}


def print_table(production: Production) -> None:
    """Print a line for each death: seen with `-s`."""
    known, came = production.begun, production.arrived()
    print(f"\n{'death@stage':28} {'away':10} begun in Jaeger twice")
    for task_id, task in failed(production).items():
        mine = [key for key in known if key[0] == (task.error or {})["trace_id"]]
        twice = sum(came[key] > 1 for key in mine)
        figures = f"{len(mine):5} {sum(key in came for key in mine):9} {twice:5}"
        print(f"{production.cells[task_id]:28} {production.away[task_id]:10} {figures}")
    print(f"{'all':28} {'':10} {known.total():5} {len(came):9}")


def test_every_span_that_was_begun_is_in_jaeger_once(production: Production) -> None:
    """Whatever was away when it was."""
    assert production.arrived() == production.begun == begun(production.home)
    assert set(production.begun.values()) == {1}


def test_every_failure_is_in_bugsink_once_at_its_line(production: Production) -> None:
    """By the id that the row has."""
    came = Counter(event["event_id"].replace("-", "") for event in production.backends.events())
    lines = {
        event["event_id"].replace("-", ""): innermost(event)
        for event in production.backends.events()
    }
    for task_id, task in failed(production).items():
        assert task.status is TaskStatus.FAILED, production.cells[task_id]
        assert task.error is not None
        place = place_of(production.faults[task_id])
        assert (task.error["file"], task.error["line"]) == place, production.cells[task_id]
        assert came[task.error["event_id"]] == 1, production.cells[task_id]
        assert lines[task.error["event_id"]] == place, production.cells[task_id]
    assert set(came.values()) == {1}


def innermost(event: dict[str, Any]) -> tuple[str, int]:
    """Return the place that an event ends at."""
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    return (frame["abs_path"], frame["lineno"])
