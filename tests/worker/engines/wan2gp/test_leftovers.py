"""What a task leaves in the engine's own settings is noticed, named, and put back."""

import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worker.engines.wan2gp.leftovers import Baseline, differing
from worker.engines.wan2gp.settings_cache import cache_of
from worker.errors import EngineError


@pytest.fixture
def module() -> SimpleNamespace:
    """Make a checkout's module."""
    return SimpleNamespace(
        server_config={"save_path": "outputs", "nested": {"a": [1]}},
        primary_settings={"seed": -1, "layers": [9]},
    )


@pytest.fixture
def baseline(module: SimpleNamespace, tmp_path: Path) -> Baseline:
    """Note how it is."""
    return Baseline(module, tmp_path)


def test_nothing_is_said_where_nothing_has_changed(
    baseline: Baseline, module: SimpleNamespace
) -> None:
    """A value that was written again is no change."""
    module.server_config["save_path"] = "outputs"
    assert baseline.put_back() == []


def test_changed_settings_are_put_back_and_named(
    baseline: Baseline, module: SimpleNamespace
) -> None:
    """Those that were changed, added or taken away, deep in there too."""
    held = module.server_config
    held["nested"]["a"].append(2)
    held["new"] = 1
    del module.primary_settings["seed"]
    assert baseline.put_back() == [
        "server_config: nested, new (put back)",
        "primary_settings: seed (put back)",
    ]
    assert module.server_config is held
    assert held == {"save_path": "outputs", "nested": {"a": [1]}}
    assert module.primary_settings == {"seed": -1, "layers": [9]}


def test_they_are_put_back_each_time(baseline: Baseline, module: SimpleNamespace) -> None:
    """What is put back is a copy."""
    for _ in range(2):
        module.primary_settings["layers"].append(10)
        assert baseline.put_back() == ["primary_settings: layers (put back)"]
    assert baseline.put_back() == []


def test_settings_that_are_another_object_are_compared(
    baseline: Baseline, module: SimpleNamespace
) -> None:
    """As where they have been read again."""
    module.server_config = {"save_path": "elsewhere", "nested": {"a": [1]}}
    assert baseline.put_back() == ["server_config: save_path (put back)"]


@pytest.mark.parametrize("now", [None, [], "text"])
def test_settings_that_are_gone_are_put_back(
    baseline: Baseline, module: SimpleNamespace, now: Any
) -> None:
    """As a whole."""
    module.server_config = now
    assert baseline.put_back() == ["server_config: the whole (put back)"]
    assert module.server_config["save_path"] == "outputs"


def test_a_checkout_without_such_settings_has_none_to_change(tmp_path: Path) -> None:
    """Nor does it matter that it has some later."""
    module = SimpleNamespace()
    baseline = Baseline(module, tmp_path)
    module.server_config = {"a": 1}
    assert baseline.put_back() == []


def test_many_keys_are_counted(baseline: Baseline, module: SimpleNamespace) -> None:
    """A text is to be read."""
    module.server_config.update({f"key_{number:02}": 1 for number in range(15)})
    [text] = baseline.put_back()
    assert text.endswith("key_11 and 3 more (put back)")


@pytest.mark.parametrize(
    ("before", "now", "keys"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({}, {"a": None}, ["a"]),
        ({"a": float("nan")}, {"a": float("nan")}, []),
        ({"a": {1: "x", "y": 2}}, {"a": {1: "x", "y": 2}}, []),
        ({"a": {1: "x", "y": 2}}, {"a": {1: "x", "y": 3}}, ["a"]),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2, "c": 1}, ["b", "a", "c"]),
    ],
)
def test_keys_whose_values_differ_are_named(before: Any, now: Any, keys: list[str]) -> None:
    """In order; a value of another type is another."""
    assert differing(before, now) == keys


def test_a_definition_is_put_back(baseline: Baseline) -> None:
    """The engine hands out the one that it keeps."""
    raw = {"name": "A lake", "URLs": ["a"]}
    assert baseline.model_put_back("lake", raw) == []
    raw["URLs"].append("b")  # type: ignore[attr-defined]  # it is a list
    assert baseline.model_put_back("lake", raw) == ["definition of lake: URLs (put back)"]
    assert raw == {"name": "A lake", "URLs": ["a"]}
    assert baseline.model_put_back("lake", raw) == []


def test_definitions_are_told_apart(baseline: Baseline) -> None:
    """By the name of the model."""
    baseline.model_put_back("lake", {"name": "A lake"})
    assert baseline.model_put_back("sea", {"name": "A sea"}) == []


def test_a_definition_that_cannot_be_copied_is_left(baseline: Baseline) -> None:
    """As it is."""
    raw = {"lock": threading.Lock(), "name": "A lake"}
    assert baseline.model_put_back("lake", raw) == []
    raw["name"] = "Another"
    assert baseline.model_put_back("lake", raw) == []
    assert raw["name"] == "Another"


def defaults_of(baseline: Baseline, told: Any) -> tuple[dict[str, Any], list[str]]:
    """Ask for the defaults of a model, which are these."""
    return baseline.defaults("lake", lambda: told)


def test_defaults_are_copied(baseline: Baseline) -> None:
    """What is done to them changes none of the engine's."""
    held = {"seed": 1, "layers": [9]}
    found, changed = defaults_of(baseline, held)
    found["layers"].append(10)
    assert (held, changed) == ({"seed": 1, "layers": [9]}, [])
    assert defaults_of(baseline, held) == ({"seed": 1, "layers": [9]}, [])


def test_defaults_that_were_changed_in_memory_do_not_count(baseline: Baseline) -> None:
    """Those of before stand, and which were changed is said, each time."""
    held = {"seed": 1, "layers": [9]}
    defaults_of(baseline, held)
    held["seed"] = 7
    for _ in range(2):
        assert defaults_of(baseline, held) == (
            {"seed": 1, "layers": [9]},
            ["defaults of lake: seed (put back)"],
        )


@pytest.mark.parametrize("where", ["settings", "defaults", "finetunes"])
def test_defaults_whose_file_was_changed_count(
    baseline: Baseline, tmp_path: Path, where: str
) -> None:
    """An operator has written to it."""
    defaults_of(baseline, {"seed": 1})
    name = cache_of(tmp_path, "lake").name if where == "settings" else "lake.json"
    (tmp_path / where).mkdir()
    (tmp_path / where / name).write_text("{}")
    assert defaults_of(baseline, {"seed": 7}) == ({"seed": 7}, [])
    assert defaults_of(baseline, {"seed": 7}) == ({"seed": 7}, [])


def test_the_cache_that_the_engine_writes_when_asked_is_no_change(
    baseline: Baseline, tmp_path: Path
) -> None:
    """It was asked for the first time."""
    cache = cache_of(tmp_path, "lake")
    cache.parent.mkdir()

    def ask() -> dict[str, Any]:
        if not cache.exists():
            cache.write_text(json.dumps({"seed": 1}))
        found: dict[str, Any] = json.loads(cache.read_text())
        return found

    baseline.defaults("lake", ask)
    assert baseline.defaults("lake", lambda: {"seed": 7}) == (
        {"seed": 1},
        ["defaults of lake: seed (put back)"],
    )


def test_a_file_that_has_only_been_read_is_no_change(baseline: Baseline, tmp_path: Path) -> None:
    """Its time of access is not looked at."""
    (tmp_path / "defaults").mkdir()
    file = tmp_path / "defaults" / "lake.json"
    file.write_text("{}")
    defaults_of(baseline, {"seed": 1})
    os.utime(file, ns=(0, file.stat().st_mtime_ns))
    assert defaults_of(baseline, {"seed": 7})[0] == {"seed": 1}


@pytest.mark.parametrize("told", [None, [], "text"])
def test_defaults_that_are_none_are_refused(baseline: Baseline, told: Any) -> None:
    """By what they are, and not by what fails of them."""
    with pytest.raises(EngineError, match=r"defaults of model 'lake' are (None|\[\]|'text')"):
        defaults_of(baseline, told)


def test_what_a_call_has_written_to_their_file_does_not_count(
    baseline: Baseline, tmp_path: Path
) -> None:
    """It is said, each time; what an operator writes there afterwards does count."""
    cache = cache_of(tmp_path, "lake")
    cache.parent.mkdir()
    defaults_of(baseline, {"seed": 1})
    cache.write_text("by the call")
    baseline.call_ended("lake")
    for _ in range(2):
        assert defaults_of(baseline, {"seed": 7}) == (
            {"seed": 1},
            ["defaults of lake: seed (put back)"],
        )
    cache.write_text("by the operator, later")
    assert defaults_of(baseline, {"seed": 7}) == ({"seed": 7}, [])


def test_a_call_for_a_model_that_nobody_asked_for_is_no_trouble(baseline: Baseline) -> None:
    """There is nothing to keep."""
    baseline.call_ended("lake")
    assert defaults_of(baseline, {"seed": 7}) == ({"seed": 7}, [])
