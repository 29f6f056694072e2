"""What is compiled for another Python than theirs is installed beside it, once and whole."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.engines.wan2gp.beside import PINS, compiled_for
from worker.engines.wan2gp.interpreter import InterpreterFacts, examine
from worker.errors import SettingsError

from .pythons import real, script, separate

# Is asked as `python -m pip install …`; does what it is told below, then leaves what pip would.
PIP = """
import pathlib, sys
said = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(said) + "\\n")
target = pathlib.Path(said[said.index("--target") + 1])
(target / "msgspec").mkdir(parents=True)
{more}
"""
FAILS = "sys.exit('ERROR: no index is reached')"


def facts_of(python: Path, abi: str = "cpython-399-other") -> InterpreterFacts:
    """Return those of an interpreter that compiled packages of ours do not fit."""
    return dataclasses.replace(examine(Path(sys.executable)), python=python, abi=abi)


class Bench:
    """A folder to fill, an interpreter whose pip is a script, and what is told."""

    def __init__(self, path: Path, more: str = "") -> None:
        self.folder = path / "packages"
        self.log = path / "log"
        self.told: list[str] = []
        self.python = script(path / "python", PIP.format(log=str(self.log), more=more))

    def compiled(self) -> Path | None:
        """Have what is compiled for the interpreter be there. No other installer is on the path."""
        return compiled_for(
            facts_of(self.python),
            self.folder,
            environment={**os.environ, "PATH": os.defpath},
            tell=self.told.append,
        )

    @property
    def asked(self) -> list[str]:
        """What pip was asked for, a line a call."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def test_nothing_is_installed_where_ours_fits(tmp_path: Path) -> None:
    """An interpreter of our own kind takes it from our own environment."""
    facts = examine(separate(tmp_path / "env"))
    told: list[str] = []
    found = compiled_for(facts, tmp_path / "packages", environment=os.environ, tell=told.append)
    assert found is None
    assert told == []
    assert not (tmp_path / "packages").exists()


def test_their_pip_installs_it_into_a_folder_of_ours(tmp_path: Path) -> None:
    """By hash, without dependencies; their own environment stays as it is."""
    bench = Bench(tmp_path)
    ready = bench.compiled()
    assert ready is not None
    assert ready.parent == bench.folder
    assert ready.name.startswith("cpython-399-other-")
    assert [path.name for path in ready.iterdir()] == ["msgspec"]
    [asked] = bench.asked
    assert asked.startswith("-m pip install")
    assert f"--no-deps --require-hashes --only-binary :all: --requirement {PINS}" in asked
    assert len(bench.told) == 1
    assert str(ready) in bench.told[0]


def test_it_is_installed_once(tmp_path: Path) -> None:
    """The next start finds it, and says nothing."""
    bench = Bench(tmp_path)
    assert bench.compiled() == bench.compiled()
    assert (len(bench.asked), len(bench.told)) == (1, 1)


def test_two_workers_that_install_it_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """The first is there when the second has done; either is whole."""
    ready = Bench(tmp_path / "elsewhere").compiled()
    assert ready is not None
    first = f"(target.parents[1] / {ready.name!r} / 'msgspec').mkdir(parents=True)"
    second = Bench(tmp_path, more=first)
    assert second.compiled() == second.folder / ready.name
    assert [path.name for path in second.folder.iterdir()] == [ready.name]


def test_a_failure_holds_the_command_to_run_by_hand(tmp_path: Path) -> None:
    """Into the folder where it is looked for; nothing is left of the attempt."""
    bench = Bench(tmp_path, more=FAILS)
    with pytest.raises(SettingsError) as caught:
        bench.compiled()
    line = str(caught.value)
    assert "no index is reached" in line
    assert f"run: {bench.python} -m pip install --quiet --target {bench.folder}" in line
    assert list(bench.folder.iterdir()) == []


def test_the_command_that_is_named_does_it(tmp_path: Path) -> None:
    """What was run by hand is found by the next start."""
    failing = Bench(tmp_path, more=FAILS)
    with pytest.raises(SettingsError) as caught:
        failing.compiled()
    bench = Bench(tmp_path)  # now an index is reached
    subprocess.run(str(caught.value).partition("run: ")[2], shell=True, check=True)  # noqa: S602 - as people run it
    ready = bench.compiled()
    assert ready is not None
    assert (ready / "msgspec").is_dir()
    assert bench.told == []


def test_the_pins_are_of_what_is_compiled() -> None:
    """With a hash for each file, so that nothing else can be installed."""
    text = PINS.read_text()
    assert text.startswith("msgspec==")
    assert text.count("==") == 1
    assert "--hash=sha256:" in text
    assert "http" not in text


def there(python: Path, folder: Path) -> Path:
    """Have it be there for a real Python; skip where no package index is reached."""
    try:
        ready = compiled_for(examine(python), folder, environment=os.environ, tell=lambda _: None)
    except SettingsError as reason:
        pytest.skip(str(reason))
    assert ready is not None
    return ready


def test_it_loads_in_each_other_python_that_is_here(tmp_path: Path) -> None:
    """Installed as it is by an operator's start."""
    others = {11, 12, 13} - {sys.version_info.minor}
    for python in real(*others):
        ready = there(python, tmp_path)
        code = "import msgspec; print(msgspec.json.encode([1]).decode())"
        done = subprocess.run(
            [python, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ready)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "[1]"
