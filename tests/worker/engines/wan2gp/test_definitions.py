"""What a checkout knows of a model, as the worker's own definition."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worker.engines.base import ModelDefinition
from worker.engines.wan2gp.definitions import definition_of, known_models, look_up
from worker.errors import UnknownModel


def knowing(**models: Any) -> SimpleNamespace:
    """Make a module that knows these, and tells nothing else."""
    return SimpleNamespace(get_model_def=models.get)


def asked(module: Any, raw: Mapping[str, Any] | None = None, **defaults: Any) -> ModelDefinition:
    """Ask for a definition."""
    return definition_of(module, "lake_i2v", raw or {}, defaults)


def test_a_model_is_looked_up(tmp_path: Path) -> None:
    """What the checkout has is returned."""
    raw = {"name": "A lake"}
    assert look_up(knowing(lake=raw), tmp_path, "lake") is raw


@pytest.mark.parametrize("name", ["", None, 7, ["lake"], b"lake"])
def test_what_is_no_name_is_unknown(tmp_path: Path, name: object) -> None:
    """And nobody is asked for it: what they would do is what the incident was."""

    def fails(model: object) -> None:
        raise AssertionError(model)

    with pytest.raises(UnknownModel) as caught:
        look_up(SimpleNamespace(get_model_def=fails), tmp_path, name)
    assert caught.value.name == name


@pytest.mark.parametrize("found", [None, [], "text"])
def test_what_the_checkout_does_not_know_is_unknown(tmp_path: Path, found: Any) -> None:
    """With the nearest of those that it does."""
    module = SimpleNamespace(get_model_def=lambda _: found, models_def={"lake_i2v": {}, "sea": {}})
    with pytest.raises(UnknownModel, match="did you mean 'lake_i2v'"):
        look_up(module, tmp_path, "lake_i2w")


def test_known_models_are_those_of_its_registry(tmp_path: Path) -> None:
    """Sorted; files are not looked at then."""
    (tmp_path / "defaults").mkdir()
    (tmp_path / "defaults" / "file.json").touch()
    module = SimpleNamespace(models_def={"sea": {}, "lake": {}})
    assert known_models(module, tmp_path) == ("lake", "sea")


@pytest.mark.parametrize("registry", [None, {}, "text"])
def test_else_those_that_it_has_files_of(tmp_path: Path, registry: Any) -> None:
    """Its own and the operator's, each once."""
    for folder, name in (("defaults", "sea"), ("finetunes", "lake"), ("finetunes", "sea")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.json").touch()
    (tmp_path / "defaults" / "read.me").touch()
    assert known_models(SimpleNamespace(models_def=registry), tmp_path) == ("lake", "sea")


def test_a_checkout_without_models_knows_none(tmp_path: Path) -> None:
    """Its folders need not be there."""
    assert known_models(SimpleNamespace(), tmp_path) == ()


def test_what_the_checkout_tells_is_taken() -> None:
    """Its functions are asked by the model's name, or by that of its family."""
    told: list[tuple[str, str]] = []
    answers = {
        "get_base_model_type": "lake",
        "test_class_i2v": True,
        "get_model_fps": 24,
        "get_model_min_frames_and_step": (17, 8, 8),
    }

    def answering(name: str) -> Any:
        def answer(model: str) -> Any:
            told.append((name, model))
            return answers[name]

        return answer

    module = SimpleNamespace(**{name: answering(name) for name in answers})
    found = asked(module, {"name": "A lake", "URLs": ["first", "second"]}, seed=1)
    assert (found.kind, found.fps, found.min_frames, found.frame_stride) == ("i2v", 24.0, 17, 8)
    assert (found.name, found.title, found.weights) == ("lake_i2v", "A lake", "first")
    assert (found.engine, dict(found.defaults)) == ("wan2gp", {"seed": 1})
    assert ("test_class_i2v", "lake") in told
    assert ("get_model_fps", "lake_i2v") in told


def test_what_it_does_not_tell_is_in_the_definition() -> None:
    """Where it is of an age that has no such functions."""
    found = asked(SimpleNamespace(), {"fps": 25, "frames_minimum": 9, "frames_steps": 8})
    assert (found.fps, found.min_frames, found.frame_stride) == (25.0, 9, 8)


def test_what_nobody_tells_is_as_it_is_with_most() -> None:
    """And the name stands for the title."""
    found = asked(SimpleNamespace())
    assert (found.fps, found.min_frames, found.frame_stride, found.size_multiple) == (16, 5, 4, 16)
    assert (found.title, found.weights, found.kind) == ("lake_i2v", "", "ti2v")


@pytest.mark.parametrize(
    ("raw", "is_i2v", "kind"),
    [
        ({}, None, "ti2v"),
        ({}, False, "ti2v"),
        ({}, True, "i2v"),
        ({"i2v_class": True}, None, "i2v"),
        ({"i2v_class": True}, False, "i2v"),
        ({"t2v_class": True}, None, "t2v"),
        ({"t2v_class": True}, False, "t2v"),
        ({"t2v_class": True}, True, "ti2v"),
        ({"t2v_class": True, "i2v_class": True}, None, "ti2v"),
    ],
)
def test_a_kind_is_what_it_cannot_do_without(
    raw: Mapping[str, Any], is_i2v: Any, kind: str
) -> None:
    """Where it says both, or nothing, no picture is required and none refused."""
    module = SimpleNamespace()
    if is_i2v is not None:
        module.test_class_i2v = lambda _: is_i2v
    assert asked(module, raw).kind == kind


def test_what_fails_in_its_own_test_is_not_kept_quiet() -> None:
    """It is the very exception that this is all about."""

    def test_class_i2v(model: str) -> bool:
        return {}.get(model).get("i2v_class")  # type: ignore[union-attr]  # so it is

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'get'"):
        asked(SimpleNamespace(test_class_i2v=test_class_i2v))


@pytest.mark.parametrize("base", ["", None])
def test_a_family_that_is_none_is_the_model_itself(base: str | None) -> None:
    """An empty name would be looked up for nothing."""
    told: list[str] = []
    module = SimpleNamespace(get_base_model_type=lambda _: base, test_class_i2v=told.append)
    asked(module)
    assert told == ["lake_i2v"]


@pytest.mark.parametrize(
    ("urls", "weights"), [([], ""), (None, ""), ("another_model", "another_model"), (["a"], "a")]
)
def test_weights_are_what_it_names_first(urls: Any, weights: str) -> None:
    """A text is the name of a model that has them."""
    assert asked(SimpleNamespace(), {"URLs": urls}).weights == weights


def test_defaults_are_copied_and_read_only() -> None:
    """Nobody changes the engine's by them."""
    held = {"layers": [9]}
    found = definition_of(SimpleNamespace(), "lake", {}, held)
    held["layers"].append(10)
    assert found.defaults["layers"] == [9]
    with pytest.raises(TypeError):
        found.defaults["seed"] = 1  # type: ignore[index]  # it is not to be changed
