"""The models of a checkout as its files describe them."""

import json
from pathlib import Path
from typing import Any

import pytest

from worker.engines.wan2gp.model_files import ModelFiles, UnseenModels
from worker.errors import SettingsError, UnknownModel


def describe(checkout: Path, name: str, content: Any, folder: str = "defaults") -> Path:
    """Write the file that describes a model."""
    file = checkout / folder / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_model_is_named_by_its_file(tmp_path: Path) -> None:
    """Its title is the name inside, its defaults are what stands beside "model", in order."""
    content = {"model": {"name": "A lake", "architecture": "i2v"}, "prompt": "a", "seed": 7}
    file = describe(tmp_path, "lake_i2v", content)
    found = ModelFiles(tmp_path).get("lake_i2v")
    assert (found.name, found.title, found.engine) == ("lake_i2v", "A lake", "wan2gp")
    assert list(found.defaults.items()) == [("prompt", "a"), ("seed", 7)]
    assert found.weights == str(file)


def test_what_it_is_for_is_left_to_the_engine(tmp_path: Path) -> None:
    """No picture is required or refused here."""
    describe(tmp_path, "lake", {"model": {"name": "A lake"}})
    assert ModelFiles(tmp_path).get("lake").kind == "ti2v"


def test_a_finetune_stands_for_the_model_whose_name_it_has(tmp_path: Path) -> None:
    """As the operator means it to."""
    describe(tmp_path, "lake", {"model": {"name": "first"}})
    describe(tmp_path, "lake", {"model": {"name": "second"}}, folder="finetunes")
    describe(tmp_path, "sea", {"model": {"name": "third"}}, folder="finetunes")
    models = ModelFiles(tmp_path)
    assert models.names() == ("lake", "sea")
    assert models.get("lake").title == "second"


@pytest.mark.parametrize("name", ["laek", "", None, "../defaults/lake", 7])
def test_a_name_that_no_file_has_is_unknown(tmp_path: Path, name: object) -> None:
    """With the nearest of those that there are."""
    describe(tmp_path, "lake", {"model": {"name": "A lake"}})
    with pytest.raises(UnknownModel, match="lake"):
        ModelFiles(tmp_path).get(name)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model": null}', "\0", "[" * 100_000])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    """When its model is asked for, and not before: the others can be used."""
    file = describe(tmp_path, "broken", content)
    describe(tmp_path, "lake", {"model": {"name": "A lake"}})
    models = ModelFiles(tmp_path)
    assert models.get("lake").title == "A lake"
    with pytest.raises(SettingsError) as caught:
        models.get("broken")
    assert str(file) in str(caught.value)


def test_a_folder_without_files_has_no_models(tmp_path: Path) -> None:
    """And says so."""
    with pytest.raises(UnknownModel, match="known: none"):
        ModelFiles(tmp_path).get("lake")


def test_any_name_will_do_where_no_checkout_is() -> None:
    """Only the worker that runs the task can look; of its defaults nothing is known."""
    found = UnseenModels().get("lake")
    assert (found.name, found.title, dict(found.defaults)) == ("lake", "lake", {})


@pytest.mark.parametrize("name", ["", " ", None, 7])
def test_no_name_is_none_anywhere(name: object) -> None:
    """An empty name is what the incident came of."""
    with pytest.raises(UnknownModel):
        UnseenModels().get(name)
