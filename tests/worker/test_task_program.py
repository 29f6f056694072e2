"""How a task process is started: in our interpreter, or in the operator's after it was checked."""

import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.engines.wan2gp.pythons import THEIRS, script, separate
from worker.composition import configure
from worker.errors import EXIT_CONFIGURATION, SettingsError
from worker.settings import Settings
from worker.supervisor.child import Child, ChildEvent, Exited
from worker.task_program import engine_options, own_code, task_program

OLD = """
import json
print("loop26:" + json.dumps(dict(version="3.10.13", executable="/x/python", prefix="/x",
    base_prefix="/x", cache_tag="cpython-310", abi="cpython-310-x", platform="linux-x86_64")))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a folder that looks like a checkout from outside."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "wgp.py").touch()
    return folder


def settings(tmp_path: Path, **given: object) -> Settings:
    """Return the settings of a worker that drives a checkout."""
    return Settings(home=tmp_path / "home", engine="wan2gp", **given)


def refusal(settings: Settings) -> str:
    """Return the line with which no task process can be started."""
    with pytest.raises(SettingsError) as caught:
        task_program(settings, "wan2gp", tell=lambda _: None)
    assert caught.value.exit_code == EXIT_CONFIGURATION
    return str(caught.value)


@pytest.mark.parametrize("engine", ["diffusers", "drill"])
def test_our_engines_run_in_our_interpreter(engine: str, tmp_path: Path) -> None:
    """Also where a checkout is set: a drill needs none."""
    program = task_program(settings(tmp_path), engine, tell=lambda _: None)
    assert list(program.argv) == [sys.executable, "-m"]


def test_a_checkout_that_is_not_set_is_asked_for(tmp_path: Path) -> None:
    """By the names of the setting and its variable, with what to give."""
    line = refusal(settings(tmp_path))
    assert line.startswith("engine = 'wan2gp' needs wan2gp_checkout: give the folder of your")
    assert "LOOP26_WAN2GP_CHECKOUT" in line


def test_a_python_that_is_not_set_is_asked_for(tmp_path: Path, checkout: Path) -> None:
    """By the names of the setting and its variable, with what to give."""
    line = refusal(settings(tmp_path, wan2gp_checkout=checkout))
    assert line.startswith("engine = 'wan2gp' needs wan2gp_python: give the Python of the")
    assert "LOOP26_WAN2GP_PYTHON" in line


def test_a_checkout_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A volume that is not mounted."""
    line = refusal(settings(tmp_path, wan2gp_checkout=tmp_path / "gone"))
    assert line.startswith(f"wan2gp_checkout = {str(tmp_path / 'gone')!r}: is no folder; give")


def test_a_folder_without_wgp_is_named(tmp_path: Path) -> None:
    """It is another folder than was meant."""
    line = refusal(settings(tmp_path, wan2gp_checkout=tmp_path))
    assert line.startswith(f"wan2gp_checkout = {str(tmp_path)!r}: holds no wgp.py; give")


def test_a_configuration_that_is_no_folder_is_named(tmp_path: Path, checkout: Path) -> None:
    """The file itself is a likely mistake."""
    file = checkout / "wgp_config.json"
    file.touch()
    line = refusal(settings(tmp_path, wan2gp_checkout=checkout, wan2gp_config=file))
    assert line.startswith(f"wan2gp_config = {str(file)!r}: is no folder; give the one that")


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path, checkout: Path) -> None:
    """Before anything is claimed."""
    python = script(tmp_path / "python", OLD)
    line = refusal(settings(tmp_path, wan2gp_checkout=checkout, wan2gp_python=python))
    assert line.startswith(f"wan2gp_python = {str(python)!r}: is Python 3.10.13, and loop26 needs")


def test_their_environment_is_theirs(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What leads a Python to our packages is left out; their programs are found first."""
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"):
        monkeypatch.setenv(name, "/ours")
    monkeypatch.setenv("SENTRY_DSN", "https://s3cret@host/1")
    python = separate(tmp_path / "env")
    given = settings(tmp_path, wan2gp_checkout=checkout, wan2gp_python=python)
    environment = task_program(given, "wan2gp", tell=lambda _: None).environment
    assert not {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SENTRY_DSN"} & set(environment)
    assert "__PYVENV_LAUNCHER__" not in environment
    assert environment["PATH"] == f"{tmp_path / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"


def test_a_module_of_ours_runs_in_their_interpreter(tmp_path: Path, checkout: Path) -> None:
    """The whole of it: the task process is imported there, and asks for its socket."""
    python = separate(tmp_path / "env", *THEIRS)
    given = settings(tmp_path, wan2gp_checkout=checkout, wan2gp_python=python)
    program = task_program(given, "wan2gp", tell=lambda _: None)
    done = subprocess.run(
        [*program.argv, "worker.process", "no descriptor"],
        capture_output=True,
        text=True,
        check=False,
        env=program.environment,
    )
    assert done.stderr.splitlines()[-1].startswith("ValueError: invalid literal for int()")


def test_a_child_whose_interpreter_will_not_do_is_told_apart(
    tmp_path: Path, checkout: Path
) -> None:
    """Its last words say what is missing."""
    python = separate(tmp_path / "env")  # without numpy and pillow
    given = settings(tmp_path, wan2gp_checkout=checkout, wan2gp_python=python)
    inbox: queue.SimpleQueue[ChildEvent] = queue.SimpleQueue()
    child = Child(
        configure(given, "worker"), inbox, task_program(given, "wan2gp", tell=lambda _: None)
    )
    assert child.wait(60)
    while not isinstance(inbox.get(timeout=60), Exited):
        pass
    assert "numpy is missing" in child.refusal


def test_wan2gp_is_made_with_what_it_takes(tmp_path: Path, checkout: Path) -> None:
    """As plain texts: they go over the control channel."""
    given = settings(tmp_path, wan2gp_checkout=checkout, wan2gp_args="--profile 4", device="cuda:1")
    options = engine_options(given, "wan2gp")
    assert options == {
        "checkout": str(checkout),
        "config": "",
        "args": ["--profile", "4"],
        "outputs": str(tmp_path / "home" / "wan2gp"),
        "device": "cuda:1",
        "unknown_params": "pass",
        "watch": False,
    }
    assert json.loads(json.dumps(options)) == options


def test_the_checkouts_code_counts_as_ours_where_it_runs(tmp_path: Path, checkout: Path) -> None:
    """And nowhere else."""
    given = settings(tmp_path, wan2gp_checkout=checkout)
    assert own_code(given, "wan2gp") == [str(checkout)]
    assert own_code(given, "drill") == []
    assert configure(given, "worker").own_code == [str(checkout)]
    assert configure(given, "worker", "drill").own_code == []


def test_a_drill_gets_what_our_engines_take(tmp_path: Path, checkout: Path) -> None:
    """Whatever engine the settings name."""
    given = settings(tmp_path, wan2gp_checkout=checkout)
    assert configure(given, "worker", "drill").engine_options == engine_options(
        Settings(home=tmp_path), "diffusers"
    )
