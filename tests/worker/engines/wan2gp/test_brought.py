"""The one list of what a task process needs there: it holds all that is imported, and no more."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers.cache import Unavailable
from tests.standins.interpreter import standin_python
from worker.engines.wan2gp import start
from worker.engines.wan2gp.brought import PACKAGES, order

from .pythons import THEIRS, separate

# Imports all that a task process can come to, and says what was loaded and from where.
IMPORTS = """
import importlib, json, pkgutil, sys
import httpcore, httpx, imageio_ffmpeg, PIL.Image, numpy
supervisors = ("bucket", "s3", "supabase", "public", "http_answers")
names = ["worker.process", "worker.replay.process", "worker.engines.registry", "telemetry.stacks"]
for name in ("worker.handlers", "worker.inputs", "worker.output", "worker.video",
             "worker.params", "worker.engines.wan2gp", "telemetry.recorder", "telemetry.journal"):
    folder = importlib.import_module(name).__path__
    names += [found.name for found in pkgutil.walk_packages(folder, name + ".")]
for name in names:
    if not any(part.startswith(supervisors) for part in name.split(".")[2:]):
        importlib.import_module(name)
loaded = {
    name: str(getattr(module, "__file__", None) or "")
    for name, module in list(sys.modules.items())
    if name.partition(".")[0] not in sys.stdlib_module_names
}
print(json.dumps(loaded))
"""
OF_THE_SUPERVISOR = {
    *("boto3", "google", "psycopg", "pydantic", "pydantic_settings", "rich", "sentry_sdk"),
    *("storage3", "supabase", "typer", "urllib3"),
}


def loaded(python: Path, folder: Path) -> dict[str, str]:
    """Import everything there; return each module that was loaded and its file."""
    (folder / "imports.py").write_text(IMPORTS)
    done = subprocess.run(
        [python, start.__file__, json.dumps(order()), "imports"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_nothing_is_loaded_that_is_not_on_the_list(tmp_path: Path) -> None:
    """In an environment that has nothing but what a checkout's must have."""
    found = loaded(separate(tmp_path / "env", *THEIRS), tmp_path)
    names = {name.partition(".")[0] for name in found} - {"__main__"}
    assert names - {package.name for package in PACKAGES} == set()
    assert not any(name.startswith("opentelemetry.sdk") for name in found)


@pytest.fixture(scope="module")
def conflicting() -> Path:
    """Give the interpreter of the stand-in checkouts; skip where it cannot be made."""
    try:
        return standin_python()
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_in_an_environment_that_conflicts_theirs_wins(conflicting: Path, tmp_path: Path) -> None:
    """It has older packages of the same names; ours are found only where it has none."""
    found = loaded(conflicting, tmp_path)
    theirs = conflicting.parents[1]
    for name in ("numpy", "PIL", "imageio_ffmpeg", "opentelemetry.trace", "typing_extensions"):
        assert Path(found[name]).is_relative_to(theirs), name
    of_ours = {
        name.partition(".")[0]
        for name, file in found.items()
        if name != "__main__" and not Path(file or theirs).is_relative_to(theirs)
    }
    assert of_ours - {package.name for package in PACKAGES} - {"imports"} == set()
    assert OF_THE_SUPERVISOR & {name.partition(".")[0] for name in found} == set()


def entry(name: str, beside: Path | None = None) -> dict[str, Any]:
    """Return what `start.py` is told of a package."""
    [found] = [told for told in order(beside) if told["name"] == name]
    return found


@pytest.mark.parametrize("package", [package.name for package in PACKAGES if package.brought])
def test_each_that_is_brought_is_found_here(package: str) -> None:
    """In its folder, which has its metadata or says where they are."""
    told = entry(package)
    place = Path(told["place"], package)
    assert place.is_dir() or place.with_suffix(".py").is_file()
    metadata = told["distribution"].replace("-", "_")
    assert list(Path(told["metadata"]).glob(f"{metadata}-*.dist-info"))


def test_what_fits_our_python_alone_is_taken_from_beside_it(tmp_path: Path) -> None:
    """And nothing else is."""
    assert entry("msgspec", tmp_path)["place"] == str(tmp_path)
    assert entry("httpx", tmp_path) == entry("httpx")


def test_of_opentelemetry_only_the_api_is_brought() -> None:
    """Our own environment has its SDK and exporters in the same folder."""
    parts = entry("opentelemetry")["parts"]
    assert "opentelemetry.trace" in parts
    assert "opentelemetry.sdk" not in parts
