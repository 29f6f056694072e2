"""What the loop over the incident's 32 defaults costs, with telemetry off and on, and its parts.

On is what a task process does: a recorder whose journal is on the disk, standard logging into it,
the spans of a task around it. Every round is another task, with a prompt and a seed of its own.
"""

import contextlib
import json
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

import telemetry
from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.records import Kind
from worker.engines.base import ModelDefinition
from worker.params.layers import Layer
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve

pytestmark = pytest.mark.benchmark
DATA = Path(__file__).parents[1] / "data"
TURNS, ROUNDS = 5, 100  # off and on take turns on a shared machine
LOOP = 32

_log = logging.getLogger("worker.params.benchmark")  # as far from the root as the loop's own


class Cost(NamedTuple):
    """Milliseconds of one call: on the clock, and on the processor, which other work spares."""

    clock: float
    processor: float


@contextlib.contextmanager
def recording(spool: Path) -> Iterator[Recorder]:
    """Record as a task process does, inside of a task's spans; its log handler is the only one."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    root.handlers = []  # pytest's own format every record
    recorder = Recorder.open(spool, role="task")
    recorder.install()
    task = recorder.task(
        task_id="e040ae48", attempt=1, task_type="i2v", trace_id=b"t" * 16, worker_id="w"
    )
    with task, recorder.span(names.process("i2v")), recorder.stage("parameters"):
        yield recorder
    recorder.close()
    root.handlers = handlers
    root.setLevel(level)


def incident_model() -> ModelDefinition:
    """Return the incident's model."""
    defaults = json.loads((DATA / "incident_defaults.json").read_text(encoding="utf-8"))
    return ModelDefinition(
        name="wan_2_2_i2v_lightning_baseline_2_2_2",
        engine="diffusers",
        kind="i2v",
        title="",
        weights="",
        fps=16.0,
        defaults=MappingProxyType(defaults),
    )


def incident_layers(number: int) -> list[Layer]:
    """Return the layers of the incident's task with another seed and prompt."""
    params = json.loads((DATA / "incident_task.json").read_text(encoding="utf-8"))["params"]
    params["seed_to_use"] = number
    params["base_prompt"] += f", take {number}"
    orchestrator = Layer(source="orchestrator", values=params["orchestrator_details"])
    return [orchestrator, Layer(source="segment", values=params)]


def costs(call: Callable[[Any], Any], given: Sequence[Any]) -> list[Cost]:
    """Call once with each, and return what each call cost."""
    found = []
    for each in given:
        began, ran = time.perf_counter(), time.thread_time()
        call(each)
        ran, began = time.thread_time() - ran, time.perf_counter() - began
        found.append(Cost(began * 1000, ran * 1000))
    return found


def told(found: Sequence[Cost]) -> str:
    """Say the medians and the least."""
    clock, processor = ([cost[which] for cost in found] for which in (0, 1))
    return (
        f"median {statistics.median(clock):.2f} ms, "
        f"on the processor {statistics.median(processor):.2f}, least {min(processor):.2f}"
    )


def written(recorder: Recorder) -> dict[Kind, int]:
    """Count a journal's records by kind: what was timed must be there, whole and in order."""
    reader = JournalReader(recorder.writer.directory)
    counts = dict.fromkeys(Kind, 0)
    for record in reader.read():
        counts[record.kind] += 1
    assert (recorder.faults, recorder.writer.lost, reader.gaps) == (0, 0, [])
    return counts


def test_the_cost_of_the_loop(tmp_path: Path) -> None:
    """Print the cost of whole resolutions of the incident's task; the goal with it on is 2 ms."""
    model = incident_model()

    def once(layers: list[Layer]) -> None:
        assert len(resolve(model, layers, draw_seed=lambda: 4).params) >= LOOP

    off: list[Cost] = []
    on: list[Cost] = []
    for turn in range(TURNS):
        tasks = [incident_layers(number) for number in range(turn * ROUNDS, (turn + 1) * ROUNDS)]
        off += costs(once, tasks)
        with recording(tmp_path) as recorder:
            on += costs(once, tasks)
        counts = written(recorder)
        assert counts[Kind.LOG] == ROUNDS * LOOP
        assert counts[Kind.SPAN_BEGIN] == counts[Kind.SPAN_END] == ROUNDS * LOOP + 2
    print(f"\nloop of {LOOP}, telemetry off: {told(off)}")
    print(f"loop of {LOOP}, telemetry on:  {told(on)}; the very first {on[0].clock:.2f}")


def test_the_cost_of_its_parts(tmp_path: Path) -> None:
    """Print µs an iteration for what its telemetry consists of, with the loop's own contents."""
    model = incident_model()
    with recording(tmp_path) as recorder:
        request = resolve(model, incident_layers(0), draw_seed=lambda: 4)
        messages = [
            record.body.message.partition(": ")[2]
            for record in JournalReader(recorder.writer.directory).read()
            if record.kind is Kind.LOG
        ]
        parts = _parts(request, model.defaults, messages)
        took: dict[str, list[Cost]] = {name: [] for name in parts}
        for _ in range(TURNS * ROUNDS):
            for name, part in parts.items():
                took[name] += costs(part, [range(LOOP)])
    print()
    for name, found in took.items():
        median = statistics.median(cost.processor for cost in found)
        print(f"{name}: {median * 1000 / LOOP:.1f} µs each, {median:.2f} ms a loop")


def _parts(
    request: GenerationRequest, defaults: Mapping[str, Any], messages: Sequence[str]
) -> dict[str, Callable[[range], None]]:
    begins = [{names.PARAM_KEY: key, names.PARAM_OLD: value} for key, value in defaults.items()]
    ends = [
        {
            names.PARAM_KEY: key,
            names.PARAM_NEW: request.params[key].value,
            names.PARAM_ASKED: request.params[key].asked,
            names.PARAM_SOURCE: request.params[key].source,
            names.PARAM_SKIPPED: False,
        }
        for key in defaults
    ]

    def span(loop: range) -> None:
        for index in loop:
            with telemetry.iteration(index + 1, LOOP, begins[index]) as current:
                current.end(attributes=ends[index])

    def log(loop: range) -> None:
        for index in loop:
            key = begins[index][names.PARAM_KEY]
            _log.info("LOOP [%d/%d] %s: %s", index + 1, LOOP, key, messages[index])

    return {"span": span, "log record": log}
