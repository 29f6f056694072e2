"""A worker, a collector run by otel-collector.yaml, and Jaeger: nothing is lost on the way."""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from uuid import uuid4

import pytest

from telemetry.journal import JournalReader, process_directories
from telemetry.records import Kind, Log
from telemetry.reports.sources import jaeger
from telemetry.reports.trace import TraceModel, read_trace
from telemetry.shipper.delivery import Verdict
from tests.acceptance.home import Home, Worker, a_quick_task, a_slow_task, home_at, wait_for
from tests.acceptance.planted import SECRETS
from tests.servers.cache import Unavailable
from tests.servers.collector.otlp_json import RESOURCE, attributes, send, span, traces
from tests.servers.collector.server import Collector
from tests.servers.jaeger.server import Jaeger
from worker.task import TaskStatus

pytestmark = [
    pytest.mark.timeout(1800),  # servers are built first, where no cache has them
    pytest.mark.usefixtures("collector_program"),
]

PROMPT = "a token of love, a secret garden; the password is swordfish, the key is under the mat"
ARRIVAL_S = 300


class Route(NamedTuple):
    """A collector and the Jaeger behind it.

    It keeps traces in memory: with Badger a span that comes twice is one, and lists are texts.
    """

    collector: Collector
    jaeger: Jaeger

    def found(self, trace_ids: Iterable[str]) -> Counter[str]:
        """Count the spans of these traces in Jaeger, by id: what it has twice, twice."""
        return Counter(one for trace_id in trace_ids for one in self._spans(trace_id))

    def _spans(self, trace_id: str) -> list[str]:
        url = f"{self.jaeger.query_url}/api/v3/traces/{trace_id}?raw_traces=true"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - its own address
                documents = answer.read().splitlines()
        except urllib.error.HTTPError as error:
            assert error.code == 404, error  # noqa: PT017 - not there yet
            return []
        return [
            one["spanId"]
            for document in documents
            for resource in json.loads(document)["result"]["resourceSpans"]
            for scope in resource["scopeSpans"]
            for one in scope["spans"]
        ]


@contextmanager
def route_in(folder: Path) -> Iterator[Route]:
    """Run both servers."""
    try:
        server = Jaeger(folder / "jaeger")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with server, Collector(folder / "collector", server.otlp_endpoint) as collector:
        yield Route(collector, server)


@pytest.fixture
def route(tmp_path: Path) -> Iterator[Route]:
    """Run both servers for one test."""
    with route_in(tmp_path) as route:
        yield route


def begun(home: Home) -> tuple[Counter[str], set[str]]:
    """Count the spans that the home's processes have begun, by id, and name their traces."""
    records = [
        record.body
        for directory in process_directories(home.path / "spool")
        for record in JournalReader(directory).read()
        if record.kind is Kind.SPAN_BEGIN
    ]
    return Counter(one.span_id.hex() for one in records), {one.trace_id.hex() for one in records}


def logged(home: Home) -> list[Log]:
    """Return what the home's processes have logged."""
    return [
        record.body
        for directory in process_directories(home.path / "spool")
        for record in JournalReader(directory).read()
        if isinstance(record.body, Log)
    ]


def key_of(log: Log) -> tuple[str, str, str]:
    """Return what a log record says, in which trace and span."""
    return log.message, (log.trace_id or b"").hex(), (log.span_id or b"").hex()


def written_logs(route: Route) -> Counter[tuple[str, str, str]]:
    """Count what is in the file of logs, as `key_of` has it."""
    return Counter(
        (one["body"]["stringValue"], one.get("traceId", ""), one.get("spanId", ""))
        for line in route.collector.logs.read_text().splitlines()
        for resource in json.loads(line)["resourceLogs"]
        for scope in resource["scopeLogs"]
        for one in scope["logRecords"]
    )


def arrived(home: Home, route: Route) -> Counter[str]:
    """Wait until each span that was begun is in Jaeger; return how often."""
    spans, trace_ids = begun(home)

    def complete() -> Counter[str]:
        found = route.found(trace_ids)
        return found if found.keys() >= spans.keys() else Counter()

    found: Counter[str] = wait_for(complete, f"{spans.total()} spans in Jaeger", ARRIVAL_S)
    print(f"\n{spans.total()} spans begun, {found.total()} found in {len(trace_ids)} traces")
    return found


class Shipped(NamedTuple):
    """What a worker has done while all was well, and where it went."""

    home: Home
    route: Route
    journal: TraceModel
    exported: TraceModel


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    """Have a worker do a journey of two segments and fail another task."""
    folder = tmp_path_factory.mktemp("shipped")
    with route_in(folder) as route, home_at(folder) as home:
        home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = route.collector.otlp_endpoint
        (orchestrator,) = home.enqueue(home.journey(2, base_prompts_expanded=[PROMPT, "on"]))
        home.insert(seed="some")
        home.work_until_idle()
        assert home.task(orchestrator).status is TaskStatus.COMPLETE
        arrived(home, route)
        journal = read_trace(home.path / "spool", str(orchestrator))
        assert journal is not None
        exported = jaeger.read_trace(route.jaeger.query_url, journal.trace_id, str(orchestrator))
        yield Shipped(home, route, journal, exported)


def test_every_span_is_in_jaeger_once(shipped: Shipped) -> None:
    """Those of the journey, of the failed task, and the supervisor's own."""
    assert arrived(shipped.home, shipped.route) == begun(shipped.home)[0]


def test_a_journey_comes_through_as_it_was_recorded(shipped: Shipped) -> None:
    """Its second line of redaction finds nothing to hide in what a worker sends, nor adds any."""
    assert shipped.exported.spans == shipped.journal.spans
    assert PROMPT in json.dumps([dict(one.attributes) for one in shipped.exported.spans])


def test_every_log_record_is_in_the_file_in_its_trace(shipped: Shipped) -> None:
    """Text, trace and span, as the journal has them."""
    records = written_logs(shipped.route)
    assert records == Counter(map(key_of, logged(shipped.home)))
    assert any(trace_id for _, trace_id, _ in records)


def test_it_has_counted_what_it_passed_on(shipped: Shipped) -> None:
    """And says that nothing was refused, and that nothing waits."""
    tell = shipped.route.collector.own_metrics
    # Jaeger shows them before it has answered.
    wait_for(lambda: tell()["otelcol_exporter_queue_size"] == 0, "empty queue", ARRIVAL_S)
    told = tell()
    assert told["otelcol_exporter_sent_spans"] == begun(shipped.home)[0].total()
    assert told.get("otelcol_exporter_send_failed_spans", 0) == 0
    assert told.get("otelcol_exporter_enqueue_failed_spans", 0) == 0


def test_prometheus_finds_the_workers_metrics(shipped: Shipped) -> None:
    """Under the name of their service, each with the process that they are of."""
    with urllib.request.urlopen(shipped.route.collector.prometheus_url, timeout=60) as answer:  # noqa: S310 - its own address
        found = [one for one in answer.read().decode().splitlines() if one[:1] != "#"]
    assert any(one.startswith("loop26_queue_tasks{") for one in found)
    assert all('job="loop26"' in one and 'instance="' in one for one in found)


def test_a_leak_that_it_has_stopped_is_found_in_jaeger(route: Route) -> None:
    """By one search, among all that any program has sent."""
    trace_id = uuid4().hex
    leak = span(trace_id, attributes=attributes({"note": SECRETS[0].text}))
    fine = span(uuid4().hex, attributes=attributes({"note": PROMPT}))
    for one in (leak, fine):
        sent = send(route.collector.otlp_endpoint, "traces", traces([one]))
        assert sent.verdict is Verdict.ACCEPTED
        wait_for(lambda one=one: route.found([one["traceId"]]), "span in Jaeger", ARRIVAL_S)
    tags = quote(json.dumps({"redaction.masked": "true"}))
    url = f"{route.jaeger.query_url}/api/traces?service={RESOURCE['service.name']}&tags={tags}"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - its own address
        found = json.loads(answer.read())["data"]
    assert [one["traceID"] for one in found] == [trace_id]


def test_killed_while_jaeger_is_down_it_loses_nothing(home: Home, route: Route) -> None:
    """Three times, at work, between workers and when idle: each span is in Jaeger once."""
    collector = route.collector
    home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.otlp_endpoint
    route.jaeger.stop()
    home.enqueue(home.journey(2), a_slow_task(300), a_quick_task())
    worker = home.worker()
    wait_for(lambda: steps_done(worker) >= 100, "step", ARRIVAL_S)
    collector.kill()
    wait_for(lambda: steps_done(worker) >= 200, "step", ARRIVAL_S)
    collector.start()
    assert worker.process.wait(timeout=600) == 0, worker.lines()
    collector.kill()
    collector.start()
    home.enqueue(a_quick_task())
    home.work_until_idle()
    collector.kill()
    collector.start()
    waiting = collector.own_metrics()["otelcol_exporter_queue_size"]
    assert waiting > 0
    print(f"\n{waiting:.0f} bytes wait, {used(collector.queue)} bytes of files")
    route.jaeger.start()
    found = arrived(home, route)
    spans, _ = begun(home)
    assert found.keys() == spans.keys()
    assert spans.total() > 500
    assert written_logs(route) >= Counter(map(key_of, logged(home)))
    # A batch that was written when the collector was killed, but not acknowledged, is sent again.
    assert found.total() - spans.total() <= 512


def steps_done(worker: Worker) -> int:
    """Return how far the longest task is that a worker has had."""
    return max((line.get("step") or 0 for line in worker.lines()), default=0)


def used(folder: Path) -> int:
    """Add up the sizes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Flood(threading.Thread):
    """Sends batches of one trace's spans until told to stop, as a shipper does: until they stick.

    Attributes:
        acknowledged: Spans that the collector has taken.
    """

    def __init__(self, endpoint: str, trace_id: str) -> None:
        super().__init__()
        self.acknowledged: set[str] = set()
        self.ended = threading.Event()
        self._endpoint = endpoint
        self._trace_id = trace_id

    def run(self) -> None:
        """Send."""
        while not self.ended.is_set():
            batch = [span(self._trace_id) for _ in range(20)]
            while send(self._endpoint, "traces", traces(batch)).verdict is not Verdict.ACCEPTED:
                if self.ended.wait(0.05):
                    return
            self.acknowledged |= {one["spanId"] for one in batch}


def test_killed_in_the_midst_of_it_nothing_acknowledged_is_lost(route: Route) -> None:
    """While it takes spans and passes them on; what it was passing on may come twice."""
    trace_id = uuid4().hex
    flood = Flood(route.collector.otlp_endpoint, trace_id)
    flood.start()
    try:
        for kill in range(1, 6):
            wait_for(lambda least=kill * 200: len(flood.acknowledged) >= least, "spans", ARRIVAL_S)
            route.collector.kill()
            route.collector.start()
    finally:
        flood.ended.set()
        flood.join()
    found: Counter[str] = wait_for(
        lambda: (f := route.found([trace_id])).keys() >= flood.acknowledged and f,
        f"{len(flood.acknowledged)} spans in Jaeger",
        ARRIVAL_S,
    )
    twice = sum(count > 1 for count in found.values())
    print(f"\n{len(flood.acknowledged)} acknowledged, {len(found)} found, {twice} of them twice")
