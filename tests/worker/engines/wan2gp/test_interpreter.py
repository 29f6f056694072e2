"""An interpreter is asked what it is before anything is run in it."""

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from worker.engines.wan2gp.interpreter import examine, packages_in
from worker.errors import SettingsError

from .pythons import installed, real, script, separate

# Answers as a Python of that version would.
PRETENDS = """
import json
print("loop26:" + json.dumps(dict(version="{version}", executable="/x/python", prefix="/x",
    base_prefix="/x", cache_tag="cpython-310", abi="cpython-310-x", platform="linux-x86_64")))
"""


def refusal(python: Path) -> str:
    """Return the one line with which an interpreter is refused."""
    with pytest.raises(SettingsError) as caught:
        examine(python)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_says_what_it_is(tmp_path: Path) -> None:
    """Of its environment, whose python is a link that is never followed."""
    python = separate(tmp_path / "env")
    facts = examine(python)
    assert python.is_symlink()
    assert (facts.python, Path(facts.executable)) == (python, python)
    assert (facts.prefix, facts.base_prefix) == (str(tmp_path / "env"), sys.base_prefix)
    assert facts.version == ".".join(map(str, sys.version_info[:3]))
    assert (facts.cache_tag, facts.abi) == (
        sys.implementation.cache_tag,
        sysconfig.get_config_var("SOABI"),
    )
    assert facts.too_old == ""


def test_what_others_print_at_its_start_is_no_answer(tmp_path: Path) -> None:
    """As a `.pth` file of theirs may."""
    python = separate(tmp_path / "env")
    [site] = (tmp_path / "env").glob("lib/python3*/site-packages")
    (site / "loud.pth").write_text("import sys; print('hello')\n")
    assert examine(python).too_old == ""


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.10.13"])
def test_one_that_is_too_old_is_named_with_its_version(version: str, tmp_path: Path) -> None:
    """And with the version that will do."""
    python = script(tmp_path / "python", PRETENDS.format(version=version))
    assert f"Python {version}" in examine(python).too_old
    assert "3.11 or later" in examine(python).too_old


@pytest.mark.parametrize("version", ["3.11.0", "3.14.1", "4.0.0"])
def test_one_that_is_new_enough_is_not_refused(version: str, tmp_path: Path) -> None:
    """By numbers, not by letters."""
    python = script(tmp_path / "python", PRETENDS.format(version=version))
    assert examine(python).too_old == ""


def test_real_old_pythons_can_answer() -> None:
    """Each that this machine has."""
    for python in real(6, 7, 8, 9, 10):
        assert "loop26 needs 3.11 or later" in examine(python).too_old


def test_a_path_with_nothing_there_is_refused(tmp_path: Path) -> None:
    """With what to give."""
    line = refusal(tmp_path / "python")
    assert line.startswith(f"wan2gp_python = {str(tmp_path / 'python')!r}: is no file; give the")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """The environment's own is a likely mistake."""
    assert "is no file" in refusal(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_file_that_may_not_be_executed_is_refused(tmp_path: Path) -> None:
    """It is none of the kind."""
    (tmp_path / "python").write_text("")
    assert "may not be executed" in refusal(tmp_path / "python")


def test_a_program_that_is_no_python_is_refused_with_what_it_says(tmp_path: Path) -> None:
    """Whatever it is."""
    python = script(tmp_path / "python", "import sys; sys.exit('what do you want?')")
    assert "exit 1: what do you want?" in refusal(python)


def test_a_file_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    """As a program of another machine."""
    (tmp_path / "python").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "python").chmod(0o755)
    assert "cannot be run" in refusal(tmp_path / "python")


def test_an_answer_that_says_something_else_is_refused(tmp_path: Path) -> None:
    """It is no Python that we know of."""
    python = script(tmp_path / "python", "print('loop26:{}')")
    assert "says of itself {}" in refusal(python)


def test_packages_are_told_without_their_being_imported(tmp_path: Path) -> None:
    """With version and place; what is not there is None."""
    python = separate(tmp_path / "env")
    installed(python, "loud-one", "1.2.3", "raise SystemExit('it was imported')")
    found = packages_in(python, ["loud_one", "not_there", "not_there.either"])
    assert found["not_there"] is None
    assert found["not_there.either"] is None
    loud = found["loud_one"]
    assert loud is not None
    assert loud.version == "1.2.3"
    assert Path(loud.place).is_relative_to(tmp_path)


def test_a_part_of_a_namespace_has_the_version_of_what_brings_it() -> None:
    """Our own environment has OpenTelemetry's API and its SDK, of one name."""
    python = Path(sys.executable)
    found = packages_in(python, ["opentelemetry.trace", "opentelemetry.semconv", "PIL"])
    versions = {name: has.version for name, has in found.items() if has}
    from importlib.metadata import version

    assert versions == {
        "opentelemetry.trace": version("opentelemetry-api"),
        "opentelemetry.semconv": version("opentelemetry-semantic-conventions"),
        "PIL": version("pillow"),
    }
