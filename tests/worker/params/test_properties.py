"""Properties of resolving: any phase config that is accepted, any payload at all."""

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.errors import InvalidParameter
from worker.params.description import describe
from worker.params.frozen import thaw
from worker.params.layers import ALIASES
from worker.params.parameters import PARAMETERS
from worker.params.request import GenerationRequest

Resolve = Callable[..., GenerationRequest]
# The fixture is a pure function, so one of it may serve every example.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

URLS = ("a.safetensors", "b.safetensors", "c.safetensors")
multipliers = st.floats(-2, 2).map(str) | st.floats(-2, 2)


@st.composite
def phase_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a phase config that is right in every field."""
    steps = draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    loras = st.lists(st.sampled_from(URLS), unique=True).map(
        lambda urls: [{"url": url, "multiplier": draw(multipliers)} for url in urls]
    )
    return {
        "num_phases": len(steps),
        "steps_per_phase": steps,
        "flow_shift": draw(st.floats(0.1, 20)),
        "sample_solver": draw(st.sampled_from(["euler", "unipc", "", "dpm++", "causvid"])),
        "model_switch_phase": draw(st.integers(1, len(steps) - 1)),
        "phases": [
            {"phase": index + 1, "guidance_scale": draw(st.floats(0, 10)), "loras": draw(loras)}
            for index in range(len(steps))
        ],
    }


@many
@given(config=phase_configs())
def test_a_right_config_keeps_its_steps_and_its_strengths(
    resolve_task: Resolve, config: dict[str, Any]
) -> None:
    """Each phase has its steps, and every step the strength that its phase gives each LoRA."""
    request = resolve_task({"phase_config": config})
    phases = [step.phase for step in request.schedule.steps]
    assert [phases.count(1 + phase) for phase in range(config["num_phases"])] == (
        config["steps_per_phase"]
    )
    for lora in request.loras:
        for step in request.schedule.steps:
            listed = config["phases"][step.phase - 1]["loras"]
            asked = [float(entry["multiplier"]) for entry in listed if entry["url"] == lora.url]
            assert lora.per_step[step.index] == (asked[0] if asked else 0.0)


@many
@given(config=phase_configs())
def test_timesteps_fall(resolve_task: Resolve, config: dict[str, Any]) -> None:
    """No two steps have one timestep, and the noise ends at nothing."""
    schedule = resolve_task({"phase_config": config}).schedule
    assert all(before > after for before, after in itertools.pairwise(schedule.sigmas))
    assert schedule.sigmas[-1] == 0.0


@many
@given(config=phase_configs())
def test_what_was_resolved_resolves_to_itself(
    resolve_task: Resolve, config: dict[str, Any]
) -> None:
    """The params of a request, given as a task without the phase config, make the same request."""
    first = resolve_task({"phase_config": config, "resolution": "902x508", "video_length": 60})
    again = resolve_task({name: thaw(param.value) for name, param in first.params.items()})
    assert again.schedule == first.schedule
    assert again.loras == first.loras
    assert (again.width, again.height, again.frames) == (first.width, first.height, first.frames)


numbers = st.integers() | st.floats() | st.integers(-3, 30)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=8)
anything = st.recursive(
    scalars | st.sampled_from(["euler", "832x480", "1.2;0", "1 0.5", *URLS]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
KEYS = sorted(
    {
        *PARAMETERS,
        *(name for names in ALIASES.values() for name in names),
        *("phase_config", "additional_loras", "text_before_prompts", "NAG_scale", "nobody"),
    }
)


@st.composite
def damaged_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a right phase config with one value, at any depth, replaced by anything."""
    config = draw(phase_configs())
    place: Any = config
    while True:
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        place[key] = draw(anything)
        return config


@settings(many, max_examples=400)
@given(
    params=st.dictionaries(st.sampled_from(KEYS), anything, max_size=4),
    config=st.none() | damaged_configs(),
)
def test_any_payload_is_answered(
    resolve_task: Resolve, params: dict[str, Any], config: dict[str, Any] | None
) -> None:
    """A payload is refused by the name of a field, or makes a request that JSON can carry."""
    task = {"phase_config": config, **params}
    before = copy.deepcopy(task)
    answer = answered(lambda: resolve_task(task))
    again = answered(lambda: resolve_task(task))
    assert same(task, before)  # nothing that was given is changed
    assert same(answer, again)  # and it is the same every time
    if isinstance(answer, InvalidParameter):
        assert answer.field
        return
    described = describe(answer)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert answer.frames % 4 == 1
    assert answer.width % 16 == answer.height % 16 == 0
    assert all(len(lora.per_step) == len(answer.schedule.steps) for lora in answer.loras)


def same(one: object, other: object) -> bool:
    """Compare by what is printed: a NaN is no NaN's equal."""
    return repr(one) == repr(other)


def answered(
    resolving: Callable[[], GenerationRequest],
) -> GenerationRequest | InvalidParameter:
    """Return the request or the refusal; any other error fails the test."""
    try:
        return resolving()
    except InvalidParameter as refusal:
        return refusal


@pytest.mark.parametrize("key", sorted(PARAMETERS))
def test_every_parameter_refuses_an_object_by_its_name(resolve_task: Resolve, key: str) -> None:
    """No parameter that is known takes an object."""
    with pytest.raises(InvalidParameter) as caught:
        resolve_task({key: {"a": 1}})
    assert caught.value.field == key
