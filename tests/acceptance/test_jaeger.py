"""A worker's traces in a real Jaeger: what is read back there is what its journals hold."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import jsonschema
import pytest
from msgspec.structs import replace

from telemetry.errors import JaegerError, TraceUnknown
from telemetry.records import Error
from telemetry.reports.sources import jaeger
from telemetry.reports.trace import ProcessPart, TraceModel, read_trace
from tests.acceptance.home import Home, a_slow_task, home_at, wait_for
from tests.servers.jaeger.server import Jaeger
from worker.task import TaskStatus

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "investigation.schema.json").read_text())


class Recorded(NamedTuple):
    """A task, as its journals tell its journey and as Jaeger does."""

    task: str
    journal: TraceModel
    exported: TraceModel


class Failures(NamedTuple):
    """Tasks that a worker has failed: by a picture, by a parameter, by the death of its process."""

    picture: Recorded
    parameter: Recorded
    death: Recorded
    home: Home


@pytest.fixture(scope="module")
def failures(jaeger_server: Jaeger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failures]:
    """Have a worker fail them, which exports to Jaeger, and wait until all has come there."""
    with home_at(tmp_path_factory.mktemp("jaeger")) as home:
        home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = jaeger_server.otlp_endpoint
        journey = home.journey(1)
        pictures = journey["params"]["orchestrator_details"]["input_image_paths_resolved"]
        (orchestrator,) = home.enqueue(journey)
        Path(pictures[-1]).write_bytes(b"no picture")
        parameter = home.insert(seed="some")
        worker = home.worker("--set", "max_deaths=1", until_idle=False)
        wait_for(lambda: has_failed(home, orchestrator), "failed journey")
        (killed,) = home.enqueue(a_slow_task())
        worker.wait_for("progress", stage="generate", step=2)
        os.kill(worker.task_process(), signal.SIGKILL)
        worker.wait_for("settled", task_id=str(killed))
        assert worker.end() == 0, worker.lines()
        failed = (home.children(orchestrator)[0].id, parameter, killed)
        yield Failures(*(recorded(home, jaeger_server, task_id) for task_id in failed), home)


def has_failed(home: Home, orchestrator: UUID) -> bool:
    """Whether a segment of a journey has failed, and the journey with it."""
    return home.task(orchestrator).status is TaskStatus.FAILED


def recorded(home: Home, server: Jaeger, task_id: UUID) -> Recorded:
    """Read a failed task's journey from both sides, when all of it has arrived."""
    task = home.task(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    journal = read_trace(home.path / "spool", str(task_id))
    assert journal is not None
    trace_id = journal.trace_id

    def arrived() -> TraceModel | None:
        try:
            found = jaeger.read_trace(server.query_url, trace_id, str(task_id))
        except TraceUnknown:
            return None
        return found if len(found.spans) >= len(journal.spans) else None

    exported: TraceModel = wait_for(arrived, f"trace {trace_id} in Jaeger", 30)
    return Recorded(str(task_id), journal, exported)


def failure(model: TraceModel) -> Error:
    """Return the error that a journey's task ended with."""
    return [one for one in model.errors if one.task_id == model.task_id and not one.handled][-1]


NAMES = Failures._fields[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_every_span_is_there_as_it_was_recorded(name: str, failures: Failures) -> None:
    """Nothing differs: ids, parent, name, kind, times, attributes, events, status, how it ended."""
    one: Recorded = getattr(failures, name)
    assert one.exported.spans == one.journal.spans


@pytest.mark.parametrize("name", NAMES)
def test_each_process_is_there_with_the_tasks_that_it_worked_on(
    name: str, failures: Failures
) -> None:
    """Params and outcome with them. Times of begin and end are those of spans."""
    one: Recorded = getattr(failures, name)
    found, known = one.exported.processes, one.journal.processes
    assert [undated(part) for part in found] == [undated(part) for part in known]
    for exported, journal in zip(found, known, strict=True):
        assert abs(exported.facts.started_ns - journal.facts.started_ns) < 10**9


def undated(part: ProcessPart) -> tuple[Any, ...]:
    """Return a process and its tasks without the times that only its journal knows."""
    begun = [(replace(begin, at_ns=0), end and end.outcome) for begin, end in part.tasks]
    return replace(part.facts, started_ns=0), begun, part.end and part.end.kind


@pytest.mark.parametrize("name", ["picture", "parameter"])
def test_the_exception_is_there_with_its_place(name: str, failures: Failures) -> None:
    """Type, message, line, stage, loop and chain; without locals and the frames further out."""
    one: Recorded = getattr(failures, name)
    exported, journal = failure(one.exported), failure(one.journal)
    for fact in (
        *("type", "message", "kind", "file", "line", "function", "place", "stage", "expression"),
        *("loop_index", "loop_count", "trace_id", "span_id", "task_id", "handled", "fingerprint"),
    ):
        assert getattr(exported, fact) == getattr(journal, fact), fact
    for told, known in zip(exported.chain, journal.chain, strict=True):
        assert (told.type, told.module, told.message, told.relation) == (
            *(known.type, known.module, known.message, known.relation),
        )
        lines = [(one.file, one.line, one.function) for one in known.frames]
        inner = [(one.file, one.line, one.function) for one in told.frames]
        assert inner
        assert inner == lines[-len(inner) :]


def test_a_death_is_there_with_the_line_that_opened_the_innermost_span(failures: Failures) -> None:
    """And with what it cut off."""
    exported, journal = failure(failures.death.exported), failure(failures.death.journal)
    assert (exported.kind, exported.type) == ("death", "sigkill")
    for fact in ("kind", "type", "message", "file", "line", "function", "place", "stage"):
        assert getattr(exported, fact) == getattr(journal, fact), fact
    assert (exported.span_id, exported.task_id) == (journal.span_id, journal.task_id)
    death = exported.context["death"]
    assert (death["signal"], death["exit_code"]) == ("SIGKILL", None)
    assert exported.context["open_spans"] == journal.context["open_spans"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_missing_and_that_is_known(name: str, failures: Failures) -> None:
    """The process span says how many spans the journal has."""
    assert jaeger.lacks(getattr(failures, name).exported) == []


def test_a_trace_that_is_not_there_is_unknown(jaeger_server: Jaeger) -> None:
    """A line says so."""
    with pytest.raises(TraceUnknown, match="has no trace 0000000000000000000000000000000a"):
        jaeger.read_trace(jaeger_server.query_url, "a".zfill(32), "task")


def test_jaegers_other_port_is_no_query_service(jaeger_server: Jaeger) -> None:
    """The one that takes spans is easily given for it."""
    with pytest.raises(JaegerError, match="give the address of its query service"):
        jaeger.read_trace(jaeger_server.otlp_endpoint, "a".zfill(32), "task")


def investigated(home: Home, *arguments: str) -> dict[str, Any]:
    """Return what `loop26 investigate --json` prints, held against the schema that describes it."""
    done = home.run("investigate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    return found


def black_box(home: Home, task_id: str) -> str:
    """Return the path of a failed task's black box."""
    return str(home.path / "outputs" / task_id / "failure.blackbox")


@pytest.mark.parametrize("name", NAMES)
def test_the_report_from_each_source_names_the_same_line(
    name: str, failures: Failures, jaeger_server: Jaeger, tmp_path: Path
) -> None:
    """From the journal, from a black box without queue or spool, and from Jaeger."""
    one: Recorded = getattr(failures, name)
    nowhere = Home(tmp_path / "nowhere")
    found = [
        investigated(failures.home, one.task),
        investigated(nowhere, black_box(failures.home, one.task)),
        investigated(failures.home, one.task, "--jaeger", jaeger_server.query_url),
    ]
    known = failure(one.journal)
    for report in found:
        told = report["failure"]
        assert told["location"] == {
            "file": known.file,
            "line": known.line,
            "function": known.function,
        }
        assert (told["type"], told["message"], told["place"]) == (
            *(known.type, known.message, known.place),
        )
        assert told["fingerprint"] == known.fingerprint
        assert report["completeness"]["begun"] == found[0]["completeness"]["begun"]
    assert len({report["completeness"]["source"] for report in found}) == 3


def test_each_source_says_what_it_cannot_know(failures: Failures, jaeger_server: Jaeger) -> None:
    """Locals are in journal and black box alone; what is missing is named, not left out."""
    task = failures.picture.task
    journal = investigated(failures.home, task)
    box = investigated(failures.home, black_box(failures.home, task))
    from_jaeger = investigated(failures.home, task, "--jaeger", jaeger_server.query_url)
    assert journal["completeness"]["unknown"] == []
    assert any("after it was written" in one for one in box["completeness"]["unknown"])
    assert any("no locals" in one for one in from_jaeger["completeness"]["unknown"])
    assert [
        any(frame["locals"] for frame in report["failure"]["frames"])
        for report in (journal, box, from_jaeger)
    ] == [True, True, False]


def test_a_jaeger_that_is_not_there_is_one_line(failures: Failures) -> None:
    """With its address, and no traceback."""
    task = failures.picture.task
    done = failures.home.run("investigate", task, "--jaeger", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert len(done.stderr.splitlines()) == 1
