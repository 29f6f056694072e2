"""A call of 118 parameters: an engine's in the field has as many, and each is an attribute."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.otlp_encoding import trace_request
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.comparison.course import course
from telemetry.reports.comparison.terminal import plain
from telemetry.reports.sources.otlp_reading import read_spans
from telemetry.reports.trace import TraceModel, otlp_json, read_trace
from telemetry.reports.tree import plain as tree
from telemetry.spans import Folder, Span
from telemetry.testing import values_of
from tests.telemetry.reports.comparison.pairs import Plan, pair

COUNT = 118
LISTS = {names.ENGINE_STATE_FOUND: [], names.ENGINE_UNUSED: ["settings_version", "x" * 5000]}
RESULT = {names.ENGINE_FILES: ["/made/at/12-30.mp4"], f"{names.ENGINE_RESULT}frames": 9}
PARAMS: dict[str, Any] = {
    f"p{at}": (at, None, "x" * 2000, math.inf, True)[at % 5] for at in range(COUNT)
}
CALL = names.engine("generate")


@pytest.fixture
def model(tmp_path: Path) -> TraceModel:
    """Record such a call."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    task = {"task_id": "t", "attempt": 1, "task_type": "i2v", "worker_id": "w"}
    about = {names.TASK_ID: "t", names.TASK_ATTEMPT: 1}
    with (
        recorder.task(trace_id=b"t" * 16, **task),
        recorder.span(names.process("i2v"), about, trace_id=b"t" * 16),
        recorder.engine_call("generate", engine="wan2gp", model="m", params=PARAMS) as span,
    ):
        span.set_attributes(LISTS | RESULT)
    recorder.close()
    assert recorder.faults == recorder.writer.lost == 0
    found = read_trace(tmp_path / "spool", "t")
    assert found is not None
    return found


def call_of(spans: list[Span]) -> Span:
    """Return the engine call among spans."""
    [span] = [one for one in spans if one.name == CALL]
    return span


def expected() -> dict[str, Any]:
    """Return what the attributes of the call are to be."""
    found = {}
    for name, value in PARAMS.items():
        found[names.ENGINE_PARAM + name] = names.NULL if value is None else value
        if value is None:
            found[names.ENGINE_PARAM + name + names.IS_NULL] = True
    return found | LISTS


def test_each_parameter_is_an_attribute(model: TraceModel) -> None:
    """None, what no JSON has, lists and long texts; nothing is left out."""
    found = call_of(model.spans).attributes
    assert {name: found[name] for name in expected()} == expected()


def test_no_backend_is_sent_less(model: TraceModel) -> None:
    """OpenTelemetry's own SDK would drop the oldest of more than 128."""
    [part] = model.processes
    request = trace_request(part.facts, [call_of(model.spans)])
    arrived = type(request).FromString(request.SerializeToString())
    [span] = arrived.resource_spans[0].scope_spans[0].spans
    sent = values_of(span.attributes)
    [read] = read_spans(json.dumps(otlp_json(model)).encode())
    for found in (sent, call_of(read.spans).attributes):
        assert {name: found[name] for name in expected()} == expected()


def test_texts_that_are_long_together_are_cut_and_the_span_is_not_lost(tmp_path: Path) -> None:
    """A record has a largest size; short values stay whole."""
    recorder = Recorder.open(tmp_path, role="task")
    params = {f"p{at}": "\u20ac" * 200_000 for at in range(COUNT)} | {
        "seed": 7,
        "short": "s" * 4000,
    }
    lists = {"texts": ["x" * 5000] * 1000, "numbers": list(range(10_000))}
    with recorder.engine_call("generate", engine="wan2gp", model="m", params=params) as span:
        span.set_attributes(lists)
    assert recorder.writer.lost == 0
    folder = Folder()
    read = JournalReader(recorder.writer.directory).read()
    found = call_of([span for record in read for span in folder.feed(record)]).attributes
    recorder.close()
    prefix = names.ENGINE_PARAM
    assert (found[f"{prefix}seed"], found[f"{prefix}short"]) == (7, "s" * 4000)
    texts = [found[f"{prefix}p{at}"] for at in range(COUNT)]
    assert sum(map(len, texts)) < 2.1 * 1024 * 1024
    assert all(text.endswith("\u20ac… [200000 characters]") for text in texts)
    assert all(type(found[name]) is str and len(found[name]) < 257 * 1024 for name in lists)


def test_the_tree_of_a_trace_does_not_show_them(model: TraceModel) -> None:
    """The line of the call names its model; its JSON has the rest."""
    [line] = [line for line in tree(model, everything=True).splitlines() if CALL in line]
    assert "p1" not in line
    assert line.endswith("m")


@pytest.mark.parametrize("other", [{"p7": "other"}, dict.fromkeys(PARAMS, "other")])
def test_of_two_calls_what_differs_is_shown_and_no_flood(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    """The first few of them, and a number."""
    found = pair(tmp_path, Plan(extra=PARAMS), Plan(extra={**PARAMS, **other}))
    first = next(iter(other))
    assert found.divergences[0].says.startswith(f"engine call generate: {first} is ")
    assert len(found.divergences) == len(other)
    assert plain(found).count("engine call generate: ") <= 8
    assert ("more divergences" in plain(found)) == (len(other) > 8)


def test_the_names_of_two_results_are_no_difference(model: TraceModel) -> None:
    """An engine names its files by the time of day: they are not among what is compared."""
    row = TaskRow(id="t", type="i2v", status="Complete", attempt=1)
    attempt = Attempt.of(model, row)
    assert attempt is not None
    results = [one.fields for one in course(attempt, None, row) if one.kind == "engine"]
    assert results[-1] == {"frames": 9}
