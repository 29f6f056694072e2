"""A real worker's metrics and logs, at a receiver, and on a collector's page for Prometheus."""

import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest

from telemetry import names
from telemetry.metrics import CATALOG
from telemetry.testing import OtlpReceiver, ReceivedLog, Reply, values_of
from tests.acceptance.backends import work
from tests.acceptance.home import Home, Worker, a_quick_task, home_at, wait_for
from tests.acceptance.injection import STAGES, inject
from tests.telemetry.metrics.received import PATH, Point, exports, last, values

EVERY_S = "1"
# What the collector's page has when the last of a worker's doings has come there.
ARRIVING = (
    'loop26_task_status="Complete"',
    'loop26_task_status="Failed"',
    'loop26_death_kind="sigkill"',
    "loop26_queue_oldest_age_seconds",
    "loop26_telemetry_items_oldest_age_seconds",
)
NATIVE_WORDS = "CUDA error: device-side assert triggered"


def sends_to(home: Home, endpoint: str) -> None:
    """Have workers send to an endpoint, metrics every second."""
    home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    home.environment["LOOP26_METRICS_EVERY_S"] = EVERY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a worker has told that was ended after a task that went well and one that did not.

    `found` has the points of each of its exports.
    """

    worker: Worker
    trace_of_failed: str
    failed: UUID
    found: list[list[Point]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Run a worker that sends to a receiver."""
    with home_at(tmp_path_factory.mktemp("told")) as home, OtlpReceiver() as receiver:
        sends_to(home, receiver.endpoint)
        worker = home.worker(until_idle=False)
        failed = work(home, worker)
        assert worker.end() == 0
        trace = (home.task(failed).error or {})["trace_id"]
        yield Told(worker=worker, failed=failed, trace_of_failed=trace, found=exports(receiver))


def test_a_worker_tells_what_became_of_its_tasks(told: Told) -> None:
    """Counted by what became of them, timed by stage and step; at the end all of it."""
    points = told.found[-1]
    attempts = values(points, names.TASK_ATTEMPTS, names.TASK_STATUS, names.FAILURE_KIND)
    assert attempts == {("Complete", None): 1, ("Failed", "refused"): 1}
    stages = {p.attributes[names.STAGE_NAME] for p in points if p.name == names.STAGE_DURATION}
    assert stages == set(names.STAGES)
    assert sum(p.count for p in points if p.name == names.STEP_DURATION) == 2
    calls = {
        p.attributes[names.MESSAGING_OPERATION_NAME]: p.count
        for p in points
        if p.name == names.OPERATION_DURATION
    }
    assert (calls["receive"], calls["settle"]) == (2, 2)
    assert values(points, names.TASK_PROCESS_ENDS, names.DEATH_KIND) == {("exit",): 1}
    assert values(points, names.WORKER_STATUS, names.WORKER_STATE)[("stopped",)] == 1
    exported = values(points, names.TELEMETRY_EXPORTED, names.SIGNAL)
    assert min(exported[("traces",)], exported[("logs",)]) > 0


def test_a_measurement_leads_to_the_trace_it_is_of(told: Told) -> None:
    """By its exemplar: a failed attempt's, too."""
    traces = {one.hex() for points in told.found for p in points for one in p.traces}
    assert told.trace_of_failed in traces


def test_all_that_comes_is_as_documented(told: Told) -> None:
    """Names, units and attributes; and all that is documented comes."""
    assert_as_documented([point for points in told.found for point in points])


def test_stdout_is_one_json_object_a_line_with_the_trace(told: Told) -> None:
    """What a container's log driver takes, and whoever searches it by trace."""
    assert all("time" in line and "level" in line for line in told.worker.lines())
    lines = [line for line in told.worker.lines() if line.get("task_id") == str(told.failed)]
    assert {line["event"] for line in lines} >= {"claimed", "settled"}
    assert {line["trace_id"] for line in lines} == {told.trace_of_failed}


def assert_as_documented(points: list[Point]) -> None:
    """See that all that came is in the table, and all in the table that needs no GPU came."""
    for point in points:
        one = CATALOG[point.name]
        assert point.unit == one.unit
        assert set(point.attributes) <= set(one.attributes)
        assert point.resource["loop26.role"] == "supervisor"
    missing = CATALOG.keys() - {point.name for point in points}
    gpu = {name for name in CATALOG if name.startswith("hw.")} | {names.GPU_READING_AGE}
    assert missing in (set(), gpu)


def test_a_backend_that_never_answers_costs_a_task_nothing(home: Home) -> None:
    """The task is done, the worker ends, and the log has one line about metrics."""
    never = Event()
    with OtlpReceiver() as receiver:
        sends_to(home, receiver.endpoint)
        receiver.answer_by(lambda _path, _body: Reply(503))
        worker = home.worker(until_idle=False)
        work(home, worker)
        wait_for(lambda: receiver.requests.count(PATH) >= 3, "exports")
        receiver.answer_by(lambda _path, _body: Reply(hold=never, hold_s=120))
        before = len(receiver.requests)
        wait_for(lambda: len(receiver.requests) > before, "request that is held")
        assert worker.end() == 0
        assert not never.is_set()
        never.set()
    with OtlpReceiver() as receiver:
        sends_to(home, receiver.endpoint)
        home.work_until_idle()
        lines = [log.record.body.string_value for log in receiver.logs]
    assert len([line for line in lines if line.startswith("metrics cannot be shipped")]) == 1


def test_with_no_interval_no_metrics_are_sent(home: Home) -> None:
    """Spans are, all the same."""
    with OtlpReceiver() as receiver:
        sends_to(home, receiver.endpoint)
        home.environment["LOOP26_METRICS_EVERY_S"] = "0"
        home.enqueue(a_quick_task())
        home.work_until_idle()
        assert PATH not in receiver.requests
        assert receiver.spans


def test_a_death_is_counted_and_its_last_words_are_logs_in_the_tasks_trace(home: Home) -> None:
    """With those of both processes: severity, the line of code, and whose they are."""
    with OtlpReceiver() as receiver:
        sends_to(home, receiver.endpoint)
        home.environment["LOOP26_MAX_DEATHS"] = "1"
        inject(home, STAGES["generate"], "abort", words=NATIVE_WORDS)
        (task_id,) = home.enqueue(a_quick_task())
        home.work_until_idle()
        logs, points = list(receiver.logs), last(receiver)
        spans = {span.span.span_id for span in receiver.spans}
    error = home.task(task_id).error or {}
    of_task = [log for log in logs if log.record.trace_id.hex() == error["trace_id"]]
    assert {log.resource["loop26.role"] for log in of_task} == {"task", "supervisor"}
    for log in of_task:
        assert log.record.span_id in spans
        assert log.record.severity_number
        assert_names_its_line(log)
    words = [log for log in of_task if log.record.body.string_value == NATIVE_WORDS]
    assert [log.logger for log in words] == ["task process.stderr"]
    by = (names.TASK_STATUS, names.FAILURE_KIND, names.ERROR_TYPE)
    assert values(points, names.TASK_ATTEMPTS, *by) == {("Failed", "death", "abort"): 1}


def assert_names_its_line(log: ReceivedLog) -> None:
    """See that a log record says which line wrote it, and in which process of which worker."""
    facts = values_of(log.record.attributes)
    assert facts[names.CODE_FILE]
    assert facts[names.CODE_LINE] > 0
    assert facts[names.CODE_FUNCTION]
    assert log.resource["service.name"] == "loop26"
    assert log.resource["service.instance.id"]


@pytest.mark.timeout(900)
def test_a_prometheus_reads_them_by_the_documented_names(
    home: Home, tmp_path: Path, collector_program: Path
) -> None:
    """Through the collector as it is deployed: every query of the document finds its metric."""
    from tests.servers.collector.server import Collector

    del collector_program
    with OtlpReceiver() as traces, Collector(tmp_path / "collector", traces.endpoint) as collector:
        sends_to(home, collector.otlp_endpoint)
        worker = home.worker(until_idle=False)
        work(home, worker)
        os.kill(worker.task_process(), signal.SIGKILL)
        page = wait_for(lambda: page_of(collector.prometheus_url, *ARRIVING), "metrics on the page")
        assert worker.end() == 0
    missing = {name for name in queried() if not re.search(rf"^{name}[ {{]", page, re.MULTILINE)}
    assert all(name.startswith("hw_") for name in missing), missing


def queried() -> set[str]:
    """Return the metrics that the document's queries ask for."""
    document = Path(__file__).parents[2] / "docs" / "metrics.md"
    _, _, queries = document.read_text().partition("## What to watch")
    without_labels = re.sub(r"\bby \([^)]*\)|\{[^}]*\}", "", queries)
    found = set(re.findall(r"\b(?:loop26|hw)_[a-z0-9_]+", without_labels))
    assert len(found) > 8
    return found


def page_of(address: str, *wanted: str) -> str:
    """Return the collector's page for Prometheus; "" while it has not all that is wanted."""
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - http, by our server
        page: str = answer.read().decode()
    return page if all(text in page for text in wanted) else ""
