"""An engine answers with the defaults of a record, and does all else itself."""

from collections.abc import Mapping
from typing import Any

import pytest

from worker.engines.base import Engine
from worker.engines.drill import DrillEngine
from worker.errors import UnknownModel
from worker.replay.restored import RestoredDefaults

MODEL = "drill_none-from-engine"
THEN = {"num_inference_steps": 3, "guidance_scale": 1.5}


@pytest.fixture
def restored() -> Engine:
    """Give an engine that answers with the defaults of then."""
    return RestoredDefaults(DrillEngine(), model=MODEL, defaults=THEN)


def test_the_recorded_defaults_are_answered_for_the_recorded_model(restored: Engine) -> None:
    """In their order, and read-only, as engines promise."""
    found: Any = restored.default_settings(MODEL)
    assert list(found.items()) == list(THEN.items())
    with pytest.raises(TypeError):
        found["guidance_scale"] = 2


def test_another_model_has_its_own(restored: Engine) -> None:
    """Which nobody recorded."""
    found: Mapping[str, Any] = restored.default_settings("drill_exception")
    assert len(found) == 32


def test_a_model_that_is_unknown_by_now_is_unknown(restored: Engine) -> None:
    """The engine is asked all the same."""
    with pytest.raises(UnknownModel):
        restored.default_settings("")


def test_all_else_is_the_engines(restored: Engine) -> None:
    """Its name, its device, its models."""
    assert restored.name == "drill"
    assert restored.device().ready
    assert restored.model_def(MODEL).name == MODEL
    restored.load(MODEL)
    assert (restored.loaded_model, restored.load_count) == (MODEL, 1)
