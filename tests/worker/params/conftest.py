"""The incident's model and task, and a way to resolve changed copies of them."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from worker.engines.base import ModelDefinition
from worker.params.layers import Layer
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve

DATA = Path(__file__).parents[2] / "data"


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def model() -> ModelDefinition:
    """Return the incident's model, with its 32 defaults, read-only."""
    return ModelDefinition(
        name="wan_2_2_i2v_lightning_baseline_2_2_2",
        engine="diffusers",
        kind="i2v",
        title="Wan 2.2 image to video",
        weights="",
        fps=16.0,
        defaults=MappingProxyType(_read("incident_defaults.json")),
    )


@pytest.fixture
def incident_params() -> dict[str, Any]:
    """Return a copy of the incident task's params."""
    params: dict[str, Any] = _read("incident_task.json")["params"]
    return params


@pytest.fixture
def phase_config(incident_params: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the incident's phase config."""
    config: dict[str, Any] = incident_params["orchestrator_details"]["phase_config"]
    return config


@pytest.fixture
def incident_layers(incident_params: dict[str, Any]) -> list[Layer]:
    """Return the incident task's layers, low to high."""
    details = incident_params.pop("orchestrator_details")
    return [
        Layer(source="orchestrator", values=details, field="orchestrator_details"),
        Layer(source="segment", values=incident_params),
    ]


Resolve = Callable[..., GenerationRequest]


@pytest.fixture
def resolve_task(model: ModelDefinition) -> Resolve:
    """Return a function that resolves one task's params, with changes to the model's defaults."""

    def call(
        params: Mapping[str, Any],
        *,
        defaults: Mapping[str, Any] | None = None,
        engine: str = "diffusers",
        unknown: Any = "pass",
    ) -> GenerationRequest:
        changed = {**copy.deepcopy(dict(model.defaults)), **(defaults or {})}
        return resolve(
            replace(model, engine=engine, defaults=MappingProxyType(changed)),
            [Layer(source="task", values=params)],
            draw_seed=lambda: 4,
            unknown=unknown,
        )

    return call
