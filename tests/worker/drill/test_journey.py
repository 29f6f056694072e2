"""The drill's journey asks for what the incident's asked for."""

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from telemetry.reports.findings import Investigation, LoraFound
from worker.drill.incident_checks import loras
from worker.drill.journey import LORAS, MULTIPLIERS, SEGMENTS, journey, lay_out, segment_again
from worker.drill.planted import planted
from worker.engines.base import ModelDefinition
from worker.engines.drill import models
from worker.engines.drill.models import INCIDENT, model_of
from worker.handlers.planning import Known, plan_task
from worker.handlers.validation import check_loras
from worker.inputs.policy import InputPolicy
from worker.params.request import GenerationRequest
from worker.task import NewTask

from .conftest import drilled_without_a_record, row_error

PER_STEP = ((1.2, 1.2, 1.2, 0.0, 0.0, 0.0), (1.05,) * 6, (0.0, 0.0, 0.0, 1.0, 1.0, 1.0))


class DrillModels:
    """Looks models up as the drill's engine does."""

    def get(self, name: object) -> ModelDefinition:
        """Return a model's definition."""
        return models.definition(name)


def requests(task: NewTask, parent: NewTask) -> tuple[GenerationRequest, ...]:
    """Return what a task would run."""

    def params_of(task_id: UUID) -> dict[str, Any] | None:
        return parent.params if task_id == parent.id else None

    return plan_task(task, Known(models=DrillModels(), parent=params_of)).requests


def found_with(*told: LoraFound) -> Investigation:
    """Return findings in which these LoRAs stand."""
    found = drilled_without_a_record(row_error(planted(INCIDENT))).found
    return msgspec.structs.replace(found, model=msgspec.structs.replace(found.model, loras=[*told]))


def told_right() -> list[LoraFound]:
    """Return the LoRAs as a report tells of them that is right."""
    pairs = zip(LORAS, MULTIPLIERS, strict=True)
    return [LoraFound(name=f"/drill/{name}", multiplier=strength) for name, strength in pairs]


def test_each_segment_has_the_three_loras_of_the_incident(tmp_path: Path) -> None:
    """With its multipliers; the one that is made again alone, too."""
    asked = journey(model_of(INCIDENT), lay_out(tmp_path))
    again = segment_again(model_of(INCIDENT), asked)
    planned = [*requests(asked, asked), *requests(again, asked)]
    assert len(planned) == SEGMENTS + 1
    for request in planned:
        assert tuple(lora.multipliers for lora in request.loras) == MULTIPLIERS
        assert tuple(lora.per_step for lora in request.loras) == PER_STEP


def test_its_loras_are_whole_files(tmp_path: Path) -> None:
    """They pass the check that every LoRA passes; laying them out again changes nothing."""
    lay_out(tmp_path)
    asked = journey(model_of(INCIDENT), lay_out(tmp_path))
    check_loras(requests(asked, asked)[0], InputPolicy(cache_dir=tmp_path / "cache"))
    assert {path.name for path in tmp_path.glob("*.safetensors")} == set(LORAS)


def test_a_report_that_has_them_is_right() -> None:
    """The check passes what it must."""
    assert loras(found_with(*told_right())).ok


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([], id="none"),
        pytest.param(told_right()[:2], id="one is missing"),
        pytest.param(told_right()[::-1], id="another order"),
        pytest.param(
            [*told_right()[:2], LoraFound(name=list(LORAS)[2], multiplier="1.0")], id="a multiplier"
        ),
    ],
)
def test_a_report_without_them_is_wrong(told: list[LoraFound]) -> None:
    """Whichever is missing or another."""
    assert not loras(found_with(*told)).ok
