"""What is true of an engine that drives a checkout: what arrives there is what was asked.

A stand-in checkout writes down what its entry is called with, and the steps that it has made of it.
These run in a checkout's interpreter alone: see `test_in_checkouts.py`.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from telemetry import names
from telemetry.records import Status
from telemetry.spans import Span
from tests.worker.engines.contract.driven import Driven, Watching, phases, picture
from tests.worker.engines.contract.fixtures import Spans
from tests.worker.engines.contract.subjects import CHECKOUT
from worker.errors import InvalidParameter
from worker.params.request import GenerationRequest

pytestmark = pytest.mark.needs(CHECKOUT)

# By the kind of checkout: what is called, and the number of parameters of its entry.
CALLED: Mapping[str, tuple[str, str, int]] = MappingProxyType(
    {
        "functions": ("generate_video", "generate_video", 107),
        "media_functions": ("generate_media", "generate_media", 118),
        "session": ("session", "generate_media", 118),
    }
)
# Of the defaults: no entry has a parameter of these names.
NO_PARAMETERS = ["settings_version", "color_correction_strength"]


def checkout(driven: Driven) -> Path:
    """Return the checkout's folder."""
    return Path(driven.engine.device().facts["checkout"])


def arrived() -> dict[str, Any]:
    """Return what the last call was given; its steps are its "plan"."""
    told: dict[str, Any] = json.loads((_outputs() / "last_call.json").read_text())
    return told


def _outputs() -> Path:
    return Path(sys.modules["wgp"].save_path)


def call_of(spans: Spans) -> Span:
    """Return the span of the one generation that was recorded."""
    [span] = [span for span in spans() if span.name == names.engine("generate")]
    return span


def test_what_it_has_is_found_by_looking(driven: Driven, spans: Spans) -> None:
    """The official session, else the newer entry, else the older; how many parameters that has."""
    api, entry, count = CALLED[driven.subject.name]
    facts = driven.engine.device().facts
    assert (facts["api"], facts["entry"], facts["parameters"]) == (api, entry, count)
    driven.generate()
    assert call_of(spans).attributes[names.ENGINE_API] == api


def test_every_parameter_is_given(driven: Driven) -> None:
    """However many there are."""
    driven.generate()
    told = set(arrived()) - {"plan"}
    # The callback is nothing that could be written down.
    assert len(told | {"send_cmd"}) == CALLED[driven.subject.name][2]


def test_what_a_task_asks_arrives(driven: Driven) -> None:
    """By the names that the engine has."""
    request = driven.request(seed=123, RIFLEx_setting=2)
    driven.generate(request)
    told = arrived()
    asked = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "resolution": "64x48",
        "video_length": request.frames,
        "seed": 123,
        "num_inference_steps": len(request.schedule.steps),
        "guidance_phases": 2,
        "guidance_scale": 3,
        "guidance2_scale": 1,
        "switch_threshold": request.schedule.switch_threshold,
        "flow_shift": 5,
        "sample_solver": "euler",
        "model_type": driven.model,
        "RIFLEx_setting": 2,
        "image_start": "image 64x48",
        "image_end": None,
        "image_prompt_type": "S",
        "batch_size": 1,
        "repeat_generation": 1,
    }
    assert {name: told[name] for name in asked} == asked


def test_what_nobody_asks_is_the_models_then_the_engines_own(driven: Driven) -> None:
    """The layers beneath a task."""
    driven.generate()
    told, own = arrived(), sys.modules["wgp"].primary_settings
    defaults = driven.engine.default_settings(driven.model)
    assert told["slg_layers"] == defaults["slg_layers"]
    assert told["NAG_scale"] == defaults["NAG_scale"]
    of_neither = {"masking_strength", "NAG_tau", "self_refiner_plan", "temporal_upsampling"}
    assert not of_neither & set(defaults)
    assert {name: told[name] for name in of_neither} == {name: own[name] for name in of_neither}


def test_both_pictures_arrive(driven: Driven) -> None:
    """At the frame's size, and it is said which there are."""
    request = driven.request()
    given = picture().resize((90, 90))
    driven.engine.generate(request, driven.inputs(request, end_image=given), Watching())
    told = arrived()
    assert (told["image_start"], told["image_end"]) == ("image 64x48", "image 64x48")
    assert told["image_prompt_type"] == "SE"


def test_defaults_that_are_no_parameters_are_said(
    driven: Driven, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """They are not dropped in silence: in the span, and in the log."""
    driven.generate()
    assert list(call_of(spans).attributes[names.ENGINE_UNUSED]) == NO_PARAMETERS
    [line] = [one.message for one in caplog.records if "left out" in one.message]
    assert line.endswith("settings_version, color_correction_strength")


def test_parameters_that_nobody_has_a_value_for_are_said(driven: Driven, spans: Spans) -> None:
    """They are given None, as the entry must have them."""
    driven.generate()
    filled = list(call_of(spans).attributes[names.ENGINE_FILLED])
    told = arrived()
    assert {"custom_guide", "output_filename"} <= set(filled)
    assert [name for name in filled if told[name] is not None] == []


def test_every_scalar_that_arrived_is_in_the_span(driven: Driven, spans: Spans) -> None:
    """With its value."""
    driven.generate()
    said, told = call_of(spans).attributes, arrived()
    given = {
        name: value
        for name, value in told.items()
        if isinstance(value, str | int | float) and not str(value).startswith(("a <", "image "))
    }
    assert len(given) > 60
    assert {name: said.get(f"{names.ENGINE_PARAM}{name}") for name in given} == given


def test_a_parameter_that_it_has_not_may_be_passed_over(driven: Driven, spans: Spans) -> None:
    """By the setting: it is named, and the video is as without it."""
    request = driven.request(loras_strenght=2)
    found = driven.generate(request)
    assert "loras_strenght" in call_of(spans).attributes[names.ENGINE_UNUSED]
    assert (found.frames == driven.first).all()


def test_a_parameter_that_it_has_not_may_be_refused(
    driven: Driven, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the setting: by name, inside the call's span, before any step."""
    monkeypatch.setattr(driven.engine, "_unknown", "refuse")
    request, observer = driven.request(film_grain_intensty=2), Watching()
    with pytest.raises(InvalidParameter, match="did you mean 'film_grain_intensity'") as caught:
        driven.generate(request, observer)
    assert (caught.value.field, caught.value.value) == ("film_grain_intensty", 2)
    assert observer.steps == []
    assert call_of(spans).status == Status.ERROR


def test_the_models_own_that_are_no_parameters_are_not_refused(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No task has asked for them."""
    monkeypatch.setattr(driven.engine, "_unknown", "refuse")
    assert (driven.frames() == driven.first).all()


@pytest.mark.parametrize("steps", [(2, 2), (1, 3), (1, 2, 3), (3, 1, 1)], ids=str)
def test_the_engine_steps_as_was_planned(driven: Driven, steps: tuple[int, ...]) -> None:
    """Each phase has its number of steps, its guidance and its expert, at the timesteps planned."""
    request = driven.request(phase_config=phases(*steps, guidance=(3.0, 2.0, 1.0)))
    driven.generate(request)
    assert [_stepped(step) for step in arrived()["plan"]] == _planned(request)


def _stepped(step: dict[str, Any]) -> tuple[Any, ...]:
    return (step["phase"], step["guidance"], step["expert"], np.float32(step["timestep"]))


def _planned(request: GenerationRequest) -> list[tuple[Any, ...]]:
    return [
        (step.phase, step.guidance_scale, step.expert, pytest.approx(step.timestep, rel=1e-5))
        for step in request.schedule.steps
    ]


def test_loras_arrive_with_what_they_are_worth(driven: Driven) -> None:
    """By phase, and within one by step; each step has the strength that was planned for it."""
    config = phases(2, 2, loras=dict(zip(driven.loras, ("1.2;0", "0.5,1;0.25"), strict=True)))
    request = driven.request(phase_config=config)
    driven.generate(request)
    told = arrived()
    assert told["loras_multipliers"] == "1.2;0 0.5,1;0.25"
    assert len(told["activated_loras"]) == 2
    assert [step["loras"] for step in told["plan"]] == [
        list(strengths) for strengths in zip(*(use.per_step for use in request.loras), strict=True)
    ]


def test_nothing_of_a_lora_stays_in_the_checkout(driven: Driven) -> None:
    """It is in its folder for the time of the call alone."""
    config = phases(2, 2, loras=dict.fromkeys(driven.loras, "1;1"))
    driven.generate(driven.request(phase_config=config))
    assert [path for path in (checkout(driven) / "loras").rglob("*") if not path.is_dir()] == []


def test_videos_are_written_where_the_engine_is_told(driven: Driven) -> None:
    """In the worker's home, and not among the operator's own."""
    found = driven.generate()
    assert found.video is not None
    assert found.video.parent == _outputs()
    assert checkout(driven) not in found.video.parents
    assert not (checkout(driven) / "outputs").exists()


def test_the_checkout_is_as_it_was(driven: Driven) -> None:
    """But for the settings that it keeps itself, and its configuration."""
    driven.generate()
    root = checkout(driven)
    known = {path.name for path in root.iterdir()}
    assert known <= {
        *(".git", ".gitignore", "__pycache__", "defaults", "loras", "models", "shared"),
        *("wgp.py", "settings", "wgp_config.json"),
    }
