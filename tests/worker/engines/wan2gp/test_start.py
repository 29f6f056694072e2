"""`start.py` in a real interpreter of another environment: what is theirs wins, ours is behind."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from worker.engines.wan2gp import start
from worker.engines.wan2gp.brought import order
from worker.errors import EXIT_CONFIGURATION

from .pythons import THEIRS, installed, real, separate

START = Path(start.__file__)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an interpreter that has what a checkout has, and nothing of ours."""
    return separate(tmp_path_factory.mktemp("theirs") / "env", *THEIRS)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Give one that the test may put things into."""
    return separate(tmp_path / "env", *THEIRS)


def started(
    python: Path, folder: Path, code: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a module of this code by `start.py`."""
    (folder / "what_runs.py").write_text(code)
    return subprocess.run(
        [python, START, json.dumps(order()), "what_runs", "an argument"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **(environment or {})},
    )


def said(python: Path, folder: Path, expression: str) -> Any:
    """Return the value of an expression there."""
    done = started(python, folder, f"import json, sys\nprint(json.dumps({expression}))")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(python: Path, folder: Path) -> str:
    """Have it refuse to run anything; return the one line that it says."""
    done = started(python, folder, "raise SystemExit('has run')")
    assert (done.returncode, done.stdout) == (EXIT_CONFIGURATION, "")
    [line] = done.stderr.splitlines()
    return line


def test_the_module_runs_as_if_it_had_been_named(python: Path, tmp_path: Path) -> None:
    """With the arguments that follow it."""
    assert said(python, tmp_path, "[__name__, sys.argv]") == [
        "__main__",
        ["what_runs", "an argument"],
    ]


def test_nothing_of_ours_is_on_the_path(python: Path, tmp_path: Path) -> None:
    """Neither our packages, before theirs, nor the folder of `start.py`, whose modules shadow."""
    path = [Path(place).resolve() for place in said(python, tmp_path, "sys.path")]
    ours = {Path(place).resolve() for place in sys.path if place.endswith("site-packages")}
    assert START.parent not in path
    assert START.parents[3] not in path
    assert not ours & set(path)


def test_what_is_brought_is_found(python: Path, tmp_path: Path) -> None:
    """With its version, and OpenTelemetry's entry points."""
    code = """
import importlib.metadata as metadata
import httpx, imageio_ffmpeg, msgspec, opentelemetry.trace, telemetry, worker
print(metadata.version("msgspec"), metadata.version("opentelemetry_api"))
print(*metadata.entry_points(group="opentelemetry_context").names)
"""
    done = started(python, tmp_path, code, {"OTEL_PYTHON_CONTEXT": "contextvars_context"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "contextvars_context"


def test_nothing_else_of_ours_is_found(python: Path, tmp_path: Path) -> None:
    """What is not on the list is not there, nor are the other parts of OpenTelemetry."""
    code = """
import importlib.util
for name in ("pydantic", "rich", "sentry_sdk", "torch", "opentelemetry.sdk", "opentelemetry.proto"):
    print(importlib.util.find_spec(name))
"""
    done = started(python, tmp_path, code)
    assert (done.stdout.split(), done.stderr) == (["None"] * 6, "")


def test_theirs_wins(fresh: Path, tmp_path: Path) -> None:
    """Even where ours is newer."""
    installed(fresh, "certifi", "2020.1.1", "theirs = True")
    assert said(fresh, tmp_path, "__import__('certifi').theirs")


def test_a_part_of_opentelemetry_of_theirs_is_found_beside_ours(
    fresh: Path, tmp_path: Path
) -> None:
    """It is a namespace: they may have an instrumentation and no API."""
    [site] = fresh.parents[1].glob("lib/python3*/site-packages")
    (site / "opentelemetry").mkdir()
    (site / "opentelemetry" / "their_part.py").touch()
    code = "import json, opentelemetry.their_part, opentelemetry.trace as t; print(t.__file__)"
    done = started(fresh, tmp_path, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(site) not in done.stdout


def test_what_is_too_old_is_refused_by_name(fresh: Path, tmp_path: Path) -> None:
    """With its version, its place, and the version that will do."""
    installed(fresh, "msgspec", "0.11.0")
    line = refusal(fresh, tmp_path)
    [site] = fresh.parents[1].glob("lib/python3*/site-packages")
    assert f"msgspec 0.11.0 at {site / 'msgspec'}" in line
    assert "loop26 needs 0.19 or later" in line


def test_what_is_broken_is_named_with_what_it_raised(fresh: Path, tmp_path: Path) -> None:
    """Before any task is given to it."""
    installed(fresh, "imageio-ffmpeg", "0.5.1", "import pkg_resources_that_is_gone")
    line = refusal(fresh, tmp_path)
    assert "imageio-ffmpeg 0.5.1" in line
    assert "ModuleNotFoundError: No module named 'pkg_resources_that_is_gone'" in line


def test_what_only_they_can_have_is_named_where_it_is_missing(tmp_path: Path) -> None:
    """All of it at once."""
    line = refusal(separate(tmp_path / "env"), tmp_path)
    assert "numpy is missing" in line
    assert "pillow is missing" in line


def test_another_package_of_our_name_is_refused(fresh: Path, tmp_path: Path) -> None:
    """It would be imported in place of ours."""
    installed(fresh, "worker", "1.0")
    assert "has the name 'worker', which is loop26's own" in refusal(fresh, tmp_path)


def test_a_process_that_multiprocessing_spawns_needs_nothing_of_ours(
    python: Path, tmp_path: Path
) -> None:
    """It imports `__main__` again, in an interpreter without our finder."""
    (tmp_path / "work.py").write_text("def double(number):\n    return 2 * number\n")
    code = """
import multiprocessing, worker.errors, work
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(work.double, (21,)))
"""
    done = started(python, tmp_path, code)
    assert (done.returncode, done.stdout.strip()) == (0, "42"), done.stderr


def test_python_3_6_can_read_it() -> None:
    """Else one that is too old would end with a syntax error instead of a sentence."""
    ast.parse(START.read_text(), feature_version=(3, 6))


def test_a_python_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is ours that is."""
    monkeypatch.setattr(start, "OLDEST", (9, 1))
    with pytest.raises(start.Unusable) as caught:
        start.refuse_old()
    assert f"at {sys.executable} is too old: loop26 needs 9.1 or later" in str(caught.value)


def test_real_old_pythons_refuse(tmp_path: Path) -> None:
    """Each that this machine has says which it is."""
    for python in real(6, 7, 8, 9, 10):
        line = refusal(python, tmp_path)
        assert line.startswith("Python 3.")
        assert f"at {python} is too old: loop26 needs 3.11 or later in wan2gp_python" in line
