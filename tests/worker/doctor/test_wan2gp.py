"""A checkout of Wan2GP under examination."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.doctor.engine import examine_engine
from worker.doctor.finding import Finding, Verdict
from worker.engines.wan2gp.licence import DISCLOSURE, NOTICE
from worker.settings import Settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = 'WanGP_version = "9.1"\nsettings_version = 2.4\ndef generate_video(task, send_cmd): ...\n'
Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A sound one."""
    folder = tmp_path / "checkout"
    (folder / "defaults").mkdir(parents=True)
    (folder / "settings").mkdir()
    (folder / "wgp.py").write_text(SOURCE)
    (folder / "wgp_config.json").write_text('{"save_path": "outputs"}')
    (folder / "defaults" / "lake.json").write_text('{"model": {"name": "A lake"}}')
    return folder


@pytest.fixture
def examine(tmp_path: Path, checkout: Path) -> Examine:
    """Examine it; return the findings by their names."""

    def examine(**said: object) -> dict[str, Finding]:
        given: dict[str, object] = {"engine": "wan2gp", "wan2gp_checkout": checkout}
        settings = Settings.model_validate({"home": tmp_path / "home", **given, **said})
        return {found.name: found for found in examine_engine(settings)}

    return examine


def test_another_engine_is_named_and_that_is_all(examine: Examine) -> None:
    """With the packages that it needs."""
    found = examine(engine="diffusers")
    assert list(found) == ["engine"]
    assert found["engine"].found.startswith("diffusers ")


def test_a_sound_checkout_is_well(examine: Examine, checkout: Path) -> None:
    """Folder, configuration, API, version and models, and the licence."""
    found = examine()
    assert found["checkout"].found == f"{checkout}, writable"
    assert found["configuration"].found == f"{checkout / 'wgp_config.json'}, 1 setting"
    assert found["API"].found == "generate_video with 2 parameters"
    assert found["version"].found == "version 9.1"
    assert found["models"].found == "1 model"
    assert found["settings cache"].found == "0 files, none of them stale"
    assert found["licence"].found == f"{DISCLOSURE}. {NOTICE}"
    of_checkout = set(found) - {"interpreter"}
    assert {found[name].verdict for name in of_checkout} == {Verdict.OK}


def test_a_checkout_that_is_not_set_is_an_error(examine: Examine) -> None:
    """With the setting's name."""
    found = examine(wan2gp_checkout=None)["checkout"]
    assert (found.verdict, found.found) == (Verdict.ERROR, "none is set")
    assert "LOOP26_WAN2GP_CHECKOUT" in found.advice


def test_a_checkout_that_is_not_there_is_an_error(examine: Examine, tmp_path: Path) -> None:
    """The rest is looked at all the same: the interpreter may be there."""
    found = examine(wan2gp_checkout=tmp_path / "none")
    assert found["checkout"].found == f"{tmp_path / 'none'} is not there"
    assert "API" not in found
    assert "licence" in found


def test_a_folder_without_the_module_is_no_checkout(examine: Examine, checkout: Path) -> None:
    """A folder above it, perhaps."""
    (checkout / "wgp.py").unlink()
    assert examine()["checkout"].found == f"{checkout} has no wgp.py"


def test_a_file_where_a_folder_is_written_is_an_error(examine: Examine, checkout: Path) -> None:
    """Nothing can be written into it, by root either."""
    (checkout / "loras").touch()
    found = examine()["checkout"]
    assert found.verdict is Verdict.ERROR
    assert str(checkout / "loras") in found.found


def test_a_configuration_of_its_own_may_be_missing(examine: Examine, checkout: Path) -> None:
    """A warning: the engine then chooses for itself."""
    (checkout / "wgp_config.json").unlink()
    assert examine()["configuration"].verdict is Verdict.WARNING


def test_a_configuration_that_is_asked_for_must_be_there(examine: Examine, tmp_path: Path) -> None:
    """An error."""
    found = examine(wan2gp_config=tmp_path)["configuration"]
    assert found.verdict is Verdict.ERROR
    assert str(tmp_path / "wgp_config.json") in found.found


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_configuration_is_an_error(
    examine: Examine, checkout: Path, content: str
) -> None:
    """Named, with what is wrong."""
    (checkout / "wgp_config.json").write_text(content)
    found = examine()["configuration"]
    assert found.verdict is Verdict.ERROR
    assert found.found.startswith(f"{checkout / 'wgp_config.json'}: ")


def test_an_official_session_is_found_by_looking(examine: Examine, checkout: Path) -> None:
    """Over the function that it calls."""
    (checkout / "shared").mkdir()
    (checkout / "shared" / "api.py").write_text("def init(): ...\nclass WanGPSession: ...\n")
    (checkout / "wgp.py").write_text("def generate_media(task, send_cmd, state): ...\n")
    assert (
        examine()["API"].found
        == "official session (shared/api.py), over generate_media with 3 parameters"
    )


def test_a_checkout_without_either_function_is_an_error(examine: Examine, checkout: Path) -> None:
    """Which an import alone would not tell."""
    (checkout / "wgp.py").write_text("def generate_everything(): ...\n")
    found = examine()["API"]
    assert found.verdict is Verdict.ERROR
    assert "neither generate_media nor generate_video" in found.found


def test_a_source_that_is_no_python_names_its_line(examine: Examine, checkout: Path) -> None:
    """As a merge that was left half-way."""
    (checkout / "wgp.py").write_text("a = 1\n<<<<<<< HEAD\n")
    found = examine()["API"]
    assert found.verdict is Verdict.ERROR
    assert found.found.startswith(f"{checkout / 'wgp.py'} line 2: ")


def test_the_commit_is_read_without_git(examine: Examine, checkout: Path) -> None:
    """The image has none."""
    (checkout / ".git" / "refs" / "heads").mkdir(parents=True)
    (checkout / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (checkout / ".git" / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    assert examine()["version"].found == "version 9.1, commit 0123456789ab"


def test_neither_version_nor_commit_is_a_warning(examine: Examine, checkout: Path) -> None:
    """Nothing depends on them but reports."""
    (checkout / "wgp.py").write_text("def generate_video(): ...\n")
    assert examine()["version"].verdict is Verdict.WARNING


def test_a_damaged_model_file_is_an_error(examine: Examine, checkout: Path) -> None:
    """Named; the engine reads them all."""
    (checkout / "defaults" / "sea.json").write_text("{")
    found = examine()["models"]
    assert found.verdict is Verdict.ERROR
    assert "sea.json" in found.found


def test_a_checkout_without_models_is_an_error(examine: Examine, checkout: Path) -> None:
    """No task could name any."""
    (checkout / "defaults" / "lake.json").unlink()
    assert examine()["models"].verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("version", "age_s", "said"),
    [
        (2.4, 100, "is older than"),
        (2.3, -100, "was written by version 2.3"),
        (2.4, -100, ""),
    ],
)
def test_a_stale_cache_is_a_warning(
    examine: Examine, checkout: Path, version: float, age_s: float, said: str
) -> None:
    """The engine reads it for ever: by its stamp, or by the age of what it was made from."""
    cache = checkout / "settings" / "lake_settings.json"
    cache.write_text(json.dumps({"settings_version": version}))
    written_s = (checkout / "defaults" / "lake.json").stat().st_mtime - age_s
    os.utime(cache, (written_s, written_s))
    found = examine()["settings cache"]
    assert found.verdict is (Verdict.WARNING if said else Verdict.OK)
    assert said in found.found
    assert (str(cache) in found.found) is bool(said)


def test_a_damaged_cache_is_named(examine: Examine, checkout: Path) -> None:
    """It would end the first task of its model."""
    (checkout / "settings" / "lake_settings.json").write_text("{")
    found = examine()["settings cache"]
    assert found.verdict is Verdict.WARNING
    assert "lake_settings.json cannot be read" in found.found
