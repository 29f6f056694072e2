"""What an engine knows of its models without loading one."""

import json
from typing import Any

import pytest

from telemetry import names
from tests.worker.engines.contract.driven import Driven
from tests.worker.engines.contract.fixtures import Spans
from worker.engines.base import DeviceFacts, Engine, MemoryFacts, ModelDefinition
from worker.errors import UnknownModel
from worker.params.frozen import digest

UNKNOWN = ("", None, "no-such-model")
CALLS = ("model_def", "default_settings", "load")


def test_it_is_an_engine(driven: Driven) -> None:
    """It has every member of the Protocol, and a name."""
    members = {name for name in vars(Engine) if not name.startswith("_")} | {"name"}
    assert {"generate", "loaded_model", "name"} < members
    assert [name for name in sorted(members) if not hasattr(driven.engine, name)] == []
    assert isinstance(driven.engine.name, str)


def test_its_device_is_ready(driven: Driven) -> None:
    """It names what it computes on, with facts that a report can hold."""
    facts = driven.engine.device()
    assert isinstance(facts, DeviceFacts)
    assert (facts.ready, facts.problem) == (True, "")
    assert facts.kind
    assert facts.name
    assert json.loads(json.dumps(dict(facts.facts)))


def test_every_model_has_a_definition(driven: Driven) -> None:
    """With all that the worker goes by before it generates."""
    for model in driven.models:
        found = driven.engine.model_def(model)
        assert isinstance(found, ModelDefinition)
        assert (found.name, found.engine) == (model, driven.engine.name)
        assert found.kind in {"i2v", "t2v", "ti2v"}
        assert found.title
        assert found.fps > 0
        assert (found.min_frames - 1) % found.frame_stride == 0
        assert found.min_frames <= found.max_frames
        assert found.size_multiple > 0


def test_a_definitions_defaults_are_those_that_are_told(driven: Driven) -> None:
    """In the same order: that of the parameter loop."""
    for model in driven.models:
        told = driven.engine.default_settings(model)
        assert list(driven.engine.model_def(model).defaults.items()) == list(told.items())
        assert "num_inference_steps" in told


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_model_is_refused(driven: Driven, spans: Spans, call: str, name: Any) -> None:
    """By whichever call: with the name, those that there are, and inside the call's span."""
    with pytest.raises(UnknownModel) as caught:
        getattr(driven.engine, call)(name)
    assert caught.value.name == name
    assert set(driven.models) <= set(caught.value.known)
    [span] = spans()
    assert span.name == names.engine(call)
    assert span.attributes[names.ERROR_TYPE] == "worker.errors.UnknownModel"
    assert repr(name) in span.description


def test_the_nearest_models_are_named(driven: Driven) -> None:
    """For a name that is nearly right."""
    with pytest.raises(UnknownModel) as caught:
        driven.engine.model_def(f"{driven.model}x")
    assert driven.model in caught.value.nearest
    assert repr(driven.model) in str(caught.value)


def test_defaults_are_read_only(driven: Driven) -> None:
    """Those of a definition, too."""
    found = (driven.engine.default_settings(driven.model), driven.definition().defaults)
    for defaults in found:
        with pytest.raises(TypeError):
            defaults["seed"] = 1  # type: ignore[index]  # no type promises it


def test_defaults_are_a_copy_to_the_last_list(driven: Driven) -> None:
    """What a caller does to a list in there reaches nobody."""
    given = driven.engine.default_settings(driven.model)
    given["slg_layers"].append(1000)
    again = driven.engine.default_settings(driven.model)
    assert 1000 not in again["slg_layers"]
    assert 1000 not in driven.engine.model_def(driven.model).defaults["slg_layers"]


def test_defaults_stay_as_they_are(driven: Driven) -> None:
    """A generation that asks for other values leaves their order and their digest alone."""
    before = driven.engine.default_settings(driven.model)
    driven.frames(seed=77, negative_prompt="other", guidance_scale=None)
    after = driven.engine.default_settings(driven.model)
    assert list(after) == list(before)
    assert digest(after) == digest(before)


def test_memory_is_told(driven: Driven) -> None:
    """Of a loaded model, of none, and beside an exception."""
    with pytest.raises(UnknownModel) as caught:
        driven.engine.load("no-such-model")
    assert isinstance(driven.engine.memory(caught.value), MemoryFacts)
    driven.engine.unload()
    assert isinstance(driven.engine.memory(), MemoryFacts)
