"""What the loop over the incident's 32 defaults costs, with telemetry off and on."""

import json
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from telemetry import Recorder
from worker.engines.base import ModelDefinition
from worker.params.layers import Layer
from worker.params.resolve import resolve

pytestmark = pytest.mark.benchmark
DATA = Path(__file__).parents[1] / "data"
ROUNDS = 200


def milliseconds(call: Callable[[], Any]) -> str:
    """Time a call on the processor, which other work does not lengthen: median and least."""
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        call()
        times.append((time.thread_time() - began) * 1000)
    return f"median {statistics.median(times):.2f} ms, least {min(times):.2f} ms"


def test_the_cost_of_the_loop(tmp_path: Path) -> None:
    """Print the cost of one whole resolution of the incident's task."""
    defaults = json.loads((DATA / "incident_defaults.json").read_text(encoding="utf-8"))
    params = json.loads((DATA / "incident_task.json").read_text(encoding="utf-8"))["params"]
    model = ModelDefinition(
        name=params["model_name"],
        engine="diffusers",
        kind="i2v",
        title="",
        weights="",
        fps=16.0,
        defaults=MappingProxyType(defaults),
    )
    layers = [
        Layer(source="orchestrator", values=params["orchestrator_details"]),
        Layer(source="segment", values=params),
    ]

    def once() -> None:
        assert len(resolve(model, layers, draw_seed=lambda: 4).params) >= 32

    print(f"\nloop of 32, telemetry off: {milliseconds(once)}")
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    root.handlers = []  # pytest's own format every record
    recorder = Recorder.open(tmp_path, role="task")
    recorder.install()
    with recorder.stage("parameters"):
        print(f"loop of 32, telemetry on: {milliseconds(once)}")
    recorder.close()
    root.handlers = handlers
    root.setLevel(level)
