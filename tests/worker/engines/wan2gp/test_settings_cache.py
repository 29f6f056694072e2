"""A checkout's cache of a model's defaults: whether it is what the checkout would write today."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worker.engines.wan2gp.settings_cache import cache_of, staleness, stamp_of

NOW_NS = 1_770_000_000_000_000_000


@pytest.fixture
def cache(tmp_path: Path) -> Callable[..., Path]:
    """Give what writes a cache."""

    def write(content: Any) -> Path:
        file = cache_of(tmp_path, "lake")
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        os.utime(file, ns=(NOW_NS, NOW_NS))
        return file

    return write


def source(root: Path, folder: str, at_ns: int) -> Path:
    """Write a file that a model's defaults come from, of an age."""
    (root / folder).mkdir(exist_ok=True)
    file = root / folder / "lake.json"
    file.write_text("{}")
    os.utime(file, ns=(at_ns, at_ns))
    return file


def factory(**settings: Any) -> SimpleNamespace:
    """Make a module that tells a model's factory settings."""
    return SimpleNamespace(get_factory_settings=lambda _: settings, settings_version=2.0)


def test_a_cache_that_is_not_there_is_not_stale(tmp_path: Path) -> None:
    """It will be made anew."""
    assert staleness(factory(seed=1), tmp_path, "lake") == ""


@pytest.mark.parametrize("content", ["{", "[]", "null", "\0"])
def test_a_cache_that_is_none_is_not_stale(
    tmp_path: Path, cache: Callable[..., Path], content: str
) -> None:
    """What the checkout makes of it is its own affair."""
    cache(content)
    assert staleness(factory(seed=1), tmp_path, "lake") == ""


def test_a_cache_of_bytes_is_not_stale(tmp_path: Path, cache: Callable[..., Path]) -> None:
    """It is no text at all."""
    cache("").write_bytes(b"\xff\xfe")
    assert staleness(factory(seed=1), tmp_path, "lake") == ""


def test_what_differs_from_the_factory_settings_is_named(
    tmp_path: Path, cache: Callable[..., Path]
) -> None:
    """Sorted; also what is missing in the cache, whatever its age and version."""
    file = cache({"seed": 1, "guidance_scale": 3.0, "settings_version": 9.0})
    found = staleness(factory(seed=1, guidance_scale=5.0, flow_shift=7.0), tmp_path, "lake")
    assert found == f"{file} differs from the factory settings in flow_shift, guidance_scale"


def test_factory_settings_that_cannot_be_had_fail_nothing(
    tmp_path: Path, cache: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """That is said, and the stamp in the file must do."""
    file = cache({"seed": 1, "settings_version": 1.0})

    def ask(model: str) -> Any:
        raise KeyError(model)

    found = staleness(
        SimpleNamespace(get_factory_settings=ask, settings_version=2.0), tmp_path, "lake"
    )
    assert found == f"{file} was written by version 1 of the settings; it is 2 now"
    assert "the factory settings of lake cannot be had: KeyError('lake')" in caplog.text


def test_a_cache_like_the_factory_settings_is_fresh(
    tmp_path: Path, cache: Callable[..., Path]
) -> None:
    """However old: it may have more."""
    cache({"seed": 1, "more": 2, "settings_version": 1.0})
    source(tmp_path, "defaults", NOW_NS + 1)
    assert staleness(factory(seed=1), tmp_path, "lake") == ""


@pytest.mark.parametrize("kept", [2.3, 2, "2.3"])
def test_a_cache_of_an_older_version_is_stale(
    tmp_path: Path, cache: Callable[..., Path], kept: Any
) -> None:
    """A version that is no number says nothing."""
    file = cache({"settings_version": kept})
    expected = f"{file} was written by version {kept} of the settings; it is 2.35 now"
    found = staleness(SimpleNamespace(settings_version=2.35), tmp_path, "lake")
    assert found == ("" if kept == "2.3" else expected)


@pytest.mark.parametrize("now", [2.35, 2.0, None, True])
def test_a_cache_of_this_version_is_fresh(
    tmp_path: Path, cache: Callable[..., Path], now: Any
) -> None:
    """Or of a newer one, or where there is none."""
    cache({"settings_version": 2.35})
    assert staleness(SimpleNamespace(settings_version=now), tmp_path, "lake") == ""


@pytest.mark.parametrize("folder", ["defaults", "finetunes"])
def test_a_cache_older_than_its_source_is_stale(
    tmp_path: Path, cache: Callable[..., Path], folder: str
) -> None:
    """Both are named."""
    file = cache({})
    made_from = source(tmp_path, folder, NOW_NS + 1)
    expected = f"{file} is older than {made_from}, which it was made from"
    assert staleness(SimpleNamespace(), tmp_path, "lake") == expected


def test_a_cache_newer_than_its_source_is_fresh(tmp_path: Path, cache: Callable[..., Path]) -> None:
    """Also one of the same age."""
    cache({})
    source(tmp_path, "defaults", NOW_NS)
    assert staleness(SimpleNamespace(), tmp_path, "lake") == ""


def test_factory_settings_that_are_none_say_nothing(
    tmp_path: Path, cache: Callable[..., Path]
) -> None:
    """Then its version must do."""
    cache({"settings_version": 1.0})
    module = SimpleNamespace(get_factory_settings=lambda _: None, settings_version=2.0)
    assert "version 1 of the settings; it is 2 now" in staleness(module, tmp_path, "lake")


def test_a_stamp_is_another_once_a_file_was_written_to(
    tmp_path: Path, cache: Callable[..., Path]
) -> None:
    """By its time, or by its size."""
    stamps = [stamp_of(tmp_path, "lake")]
    cache({})
    stamps.append(stamp_of(tmp_path, "lake"))
    cache({"seed": 1})
    stamps.append(stamp_of(tmp_path, "lake"))
    source(tmp_path, "defaults", NOW_NS)
    stamps.append(stamp_of(tmp_path, "lake"))
    source(tmp_path, "defaults", NOW_NS + 1)
    stamps.append(stamp_of(tmp_path, "lake"))
    assert len(set(stamps)) == 5
    assert stamp_of(tmp_path, "lake") == stamps[-1]
