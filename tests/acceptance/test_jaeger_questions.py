"""The searches of docs/jaeger.md, asked of a real Jaeger as its search form asks them."""

import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import pytest

from telemetry import names
from tests.acceptance.home import Home, a_quick_task, a_slow_task, home_at, wait_for
from tests.servers.cache import Unavailable
from tests.servers.jaeger.server import Jaeger
from worker.task import TaskStatus

PAGE = (Path(__file__).parents[2] / "docs" / "jaeger.md").read_text()
LOOKBACKS = {"": "1h", "Last 7 Days": "168h"}
ARRIVAL_S = 240

pytestmark = pytest.mark.timeout(1800)  # Jaeger is built first, where no cache has it


def searches() -> list[dict[str, str]]:
    """Read the blocks of the page in their order: what is typed into the form, field by field."""
    blocks = re.findall(r"^```search\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


ERRORS, STATUS, FINGERPRINT, TYPE, TASK, VALUE, DEATH, SLOW, WORKER = searches()


class Worked(NamedTuple):
    """Tasks that a worker has worked on, the Jaeger that was told, and the home."""

    segment: UUID  # of a journey whose picture is none
    twice: UUID  # failed of one cause
    again: UUID  # with this one
    killed: UUID
    good: UUID
    server: Jaeger
    home: Home

    @property
    def tasks(self) -> tuple[UUID, ...]:
        """The tasks alone."""
        return self[:5]

    def trace_of(self, task: UUID) -> str:
        """Return the id of the trace that a task's row names."""
        return (self.home.task(task).process_context or "").split("-")[1]

    def is_whole(self, task: UUID) -> bool:
        """Whether the span that ends last of a task's trace is there."""
        found = self.search({"Service": names.SERVICE, "Tags": f"loop26.task.id={task}"})
        operation = names.process(self.home.task(task).task_type)
        return task in found and bool(self.spans_of(task, operation))

    def spans_of(self, task: UUID, operation: str = "") -> list[dict[str, Any]]:
        """Return the spans of a task's trace as Jaeger gives them, of one operation or all."""
        (trace,) = self.get(f"traces/{self.trace_of(task)}")
        return [span for span in trace["spans"] if operation in ("", span["operationName"])]

    def search(self, form: dict[str, str], **filled: object) -> set[UUID]:
        """Search as the form does, its blanks filled; return the tasks whose trace is found."""
        asked = {name: _filled(text, filled) for name, text in form.items()}
        tags = dict(part.split("=", 1) for part in asked.get("Tags", "").split())
        query = {
            "service": asked["Service"],
            "operation": asked.get("Operation", ""),
            "tags": json.dumps(tags) if tags else "",
            "minDuration": asked.get("Min Duration", ""),
            "lookback": LOOKBACKS[asked.get("Lookback", "")],
            "limit": "100",
        }
        given = {name: value for name, value in query.items() if value}
        ids = {trace["traceID"].zfill(32) for trace in self.get(f"traces?{urlencode(given)}")}
        return {task for task in self.tasks if self.trace_of(task) in ids}

    def get(self, path: str) -> list[dict[str, Any]]:
        """Ask what Jaeger's page asks."""
        address = f"{self.server.query_url}/api/{path}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - a server of the tests
            found: list[dict[str, Any]] = json.load(answer)["data"]
        return found


def _filled(text: str, values: dict[str, object]) -> str:
    return re.sub("<([a-z ]+)>", lambda blank: str(values[blank[1].replace(" ", "_")]), text)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    """Have a worker do tasks well and badly, whose spans go to a Jaeger that keeps them on disk."""
    folder = tmp_path_factory.mktemp("questions")
    try:
        server = Jaeger(folder / "jaeger", persistent=True)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with server, home_at(folder) as home:
        home.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.otlp_endpoint,
            "LOOP26_JAEGER_URL": server.query_url,
            "LOOP26_TASK_URL": "https://app.example/tasks/{task_id}",
            "LOOP26_SENTRY_EVENT_URL": "https://sentry.example/{event_id}",
        }
        journey = home.journey(1)
        pictures = journey["params"]["orchestrator_details"]["input_image_paths_resolved"]
        good, orchestrator = home.enqueue(a_quick_task(), journey)
        Path(pictures[-1]).write_bytes(b"no picture")
        twice = (home.insert(seed="some"), home.insert(seed="other"))
        worker = home.worker("--set", "max_deaths=1", until_idle=False)
        for task in (good, orchestrator, *twice):
            wait_for(lambda task=task: has_ended(home, task), f"end of task {task}")
        (killed,) = home.enqueue(a_slow_task())
        worker.wait_for("progress", task_id=str(killed), stage="generate", step=2)
        os.kill(worker.task_process(), signal.SIGKILL)
        worker.wait_for("settled", task_id=str(killed))
        (segment, *_) = home.children(orchestrator)
        worked = Worked(segment.id, *twice, killed, good, server, home)
        wait_for(lambda: all(map(worked.is_whole, worked.tasks)), "whole traces", ARRIVAL_S)
        assert worker.end() == 0, worker.lines()
        yield worked


def has_ended(home: Home, task: UUID) -> bool:
    """Whether a task is Complete or Failed."""
    return home.task(task).status in (TaskStatus.COMPLETE, TaskStatus.FAILED)


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """Return a span's attributes as Jaeger shows them."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def failing(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the spans with the red mark, the innermost last."""
    red = [span for span in spans if tags(span).get("error") is True]
    return sorted(red, key=lambda span: int(span["startTime"]))


def exception(worked: Worked, task: UUID) -> dict[str, Any]:
    """Return the fields of the event that the innermost failing span of a task has."""
    (event,) = failing(worked.spans_of(task))[-1]["logs"]
    return {field["key"]: field["value"] for field in event["fields"]}


def test_a_failed_task_is_found_by_its_operation_and_error(worked: Worked) -> None:
    """Of its type alone; another type is another operation."""
    assert worked.search(ERRORS) == {worked.segment}
    assert worked.search({**ERRORS, "Operation": "process t2v"}) == {
        worked.twice,
        worked.again,
        worked.killed,
    }


def test_all_that_failed_is_found_by_its_status(worked: Worked) -> None:
    """Whatever its type; what went well is not."""
    assert worked.search(STATUS) == {*worked.tasks} - {worked.good}


def test_the_event_of_the_innermost_span_names_the_line(worked: Worked) -> None:
    """And the sentence on the process span is the one on the row."""
    row = worked.home.task(worked.twice).error
    assert row is not None
    said = exception(worked, worked.twice)
    place = (said["code.file.path"], int(said["code.line.number"]), said["code.function.name"])
    assert place == (row["file"], row["line"], row["function"])
    (process,) = worked.spans_of(worked.twice, "process t2v")
    assert tags(process)["otel.status_description"] == row["sentence"]


def test_failures_of_one_cause_are_found_by_their_fingerprint(worked: Worked) -> None:
    """With other values and in other tasks; a failure of another cause is not."""
    fingerprint = exception(worked, worked.twice)["loop26.error.fingerprint"]
    assert worked.search(FINGERPRINT, fingerprint=fingerprint) == {worked.twice, worked.again}


def test_the_span_of_a_task_has_the_fingerprint_of_what_ended_it(worked: Worked) -> None:
    """Of a death too, which is no exception: others of its kind are found by it."""
    for task in (worked.segment, worked.killed):
        row = worked.home.task(task)
        assert row.error is not None
        (process,) = worked.spans_of(task, names.process(row.task_type))
        fingerprint = tags(process)["loop26.error.fingerprint"]
        assert (fingerprint, tags(process)["error.type"]) == (
            row.error["fingerprint"],
            row.error["type"],
        )
        assert worked.search(FINGERPRINT, fingerprint=fingerprint) == {task}


def test_the_row_and_the_trace_lead_to_each_other_and_to_the_issue(worked: Worked) -> None:
    """Where the operator has said what their pages are."""
    row = worked.home.task(worked.twice)
    assert row.error is not None
    pages = {
        "task": f"https://app.example/tasks/{worked.twice}",
        "issue": f"https://sentry.example/{row.error['event_id']}",
    }
    trace = f"{worked.server.query_url}/trace/{worked.trace_of(worked.twice)}"
    assert row.error["links"] == {**pages, "trace": trace}
    (process,) = worked.spans_of(worked.twice, "process t2v")
    shown = {key: value for key, value in tags(process).items() if key.startswith("loop26.link.")}
    assert shown == {f"loop26.link.{name}": page for name, page in pages.items()}


def test_failures_of_a_type_are_found(worked: Worked) -> None:
    """By the exception's name."""
    type_ = exception(worked, worked.segment)["exception.type"]
    assert worked.search(TYPE, type=type_) == {worked.segment}


def test_a_task_is_found_by_its_id(worked: Worked) -> None:
    """Its journey is one trace: the orchestrator's span, its segment's, and nothing else's."""
    assert worked.search(TASK, task_id=worked.segment) == {worked.segment}
    assert [
        (span["operationName"], len(span["references"]))
        for span in sorted(worked.spans_of(worked.segment), key=lambda span: int(span["startTime"]))
        if span["operationName"].startswith("process ")
    ] == [("process travel_orchestrator", 1), ("process travel_segment", 1)]


def test_each_key_of_the_defaults_has_what_was_asked_and_what_is_used(worked: Worked) -> None:
    """One iteration each, from the first to the last."""
    loop = [tags(span) for span in worked.spans_of(worked.good, "loop iteration")]
    indexes = sorted(int(one["loop26.loop.index"]) for one in loop)
    assert indexes == list(range(1, int(loop[0]["loop26.loop.count"]) + 1))
    by_key = {one["loop26.param.key"]: one for one in loop}
    steps = by_key["num_inference_steps"]
    assert (int(steps["loop26.param.asked"]), int(steps["loop26.param.new"])) == (2, 2)
    assert steps["loop26.param.source"] == "task"


def test_tasks_are_found_by_a_value_that_was_used(worked: Worked) -> None:
    """It is on the call into the engine."""
    (call,) = worked.spans_of(worked.good, "engine generate")
    seed = tags(call)["loop26.engine.param.seed"]
    assert worked.good in worked.search(VALUE, seed=seed)
    assert worked.search(VALUE, seed=int(seed) + 1) == set()


def test_a_task_whose_process_died_is_found_by_the_way_of_its_death(worked: Worked) -> None:
    """Its innermost span says how, and which line had opened it."""
    assert worked.search(DEATH, kind="sigkill") == {worked.killed}
    assert worked.search(DEATH, kind="segfault") == set()
    innermost = tags(failing(worked.spans_of(worked.killed))[-1])
    assert innermost["loop26.death.signal"] == "SIGKILL"
    assert innermost["code.file.path"].endswith(".py")
    assert int(innermost["code.line.number"]) > 0


def test_what_is_slow_is_found_by_its_duration(worked: Worked) -> None:
    """Nothing takes an hour here."""
    steps = worked.spans_of(worked.good, "denoise step")
    longest_us = max(int(span["duration"]) for span in steps)
    assert worked.good in worked.search(SLOW, duration=f"{longest_us}us")
    assert worked.search(SLOW, duration="1h") == set()


def test_what_one_worker_did_is_found_by_its_name(worked: Worked) -> None:
    """All of it was one's."""
    (process,) = worked.spans_of(worked.good, "process t2v")
    worker = tags(process)["loop26.worker.id"]
    assert worked.search(WORKER, worker=worker) == {*worked.tasks}
    assert worked.search(WORKER, worker="another") == set()
