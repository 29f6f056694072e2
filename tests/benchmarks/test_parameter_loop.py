"""What the loop over the incident's 32 defaults costs, with telemetry off and on.

On is what a task process does: a recorder whose journal is on the disk, standard logging into it,
the spans of a task around it. Every round is another task, with a prompt and a seed of its own.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from telemetry import Recorder, names
from telemetry.journal import JournalReader
from telemetry.records import Kind
from tests.benchmarks.conftest import Bench
from worker.engines.base import ModelDefinition
from worker.params.layers import Layer
from worker.params.resolve import resolve

pytestmark = pytest.mark.benchmark("A2")
DATA = Path(__file__).parents[1] / "data"
LOOP = 32


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


def processor_ms(call: Callable[[Any], Any], given: Sequence[Any]) -> float:
    """Call once with each; return milliseconds a call on the processor, which other work spares."""
    began = time.thread_time()
    for each in given:
        call(each)
    return (time.thread_time() - began) * 1e3 / len(given)


def written(recorder: Recorder) -> dict[Kind, int]:
    """Count a journal's records by kind: what was timed must be there, whole and in order."""
    reader = JournalReader(recorder.writer.directory)
    counts = dict.fromkeys(Kind, 0)
    for record in reader.read():
        counts[record.kind] += 1
    assert (recorder.faults, recorder.writer.lost, reader.gaps) == (0, 0, [])
    return counts


def test_the_cost_of_the_loop(bench: Bench, tmp_path: Path) -> None:
    """Whole resolutions of the incident's task, on and off in turns; the goal for on is 2 ms."""
    model = incident_model()

    def once(layers: list[Layer]) -> None:
        assert len(resolve(model, layers, draw_seed=lambda: 4).params) >= LOOP

    rounds = bench.pick(50, 10)
    off: list[float] = []
    on: list[float] = []
    for turn in range(bench.pick(15, 3)):
        tasks = [incident_layers(number) for number in range(turn * rounds, (turn + 1) * rounds)]
        off.append(processor_ms(once, tasks))
        with recording(tmp_path) as recorder:
            on.append(processor_ms(once, tasks))
        counts = written(recorder)
        assert counts[Kind.LOG] == rounds * LOOP
        assert counts[Kind.SPAN_BEGIN] == counts[Kind.SPAN_END] == rounds * LOOP + 2
    bench.add(
        f"the loop over {LOOP} parameters, recorded (processor time)",
        "ms",
        on,
        off,
        beside="the same, unrecorded",
        goal="2 ms",
    )
