"""Where a text stands in a folder's sources: one line, or none is named."""

from pathlib import Path

import pytest

from worker.engines.wan2gp.spoken import spoken_at


def written(folder: Path, name: str, *lines: str) -> Path:
    """Write a file of lines."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('return "The size is not supported"', "The size is not supported"),
        ("problem = 'The size is not supported'", "Not started: The size is not supported"),
        ('raise E(f"The size of {name} is not supported")', "The size of a lake is not supported"),
        ('raise E("The size of %s is too large" % name)', "The size of a lake is too large"),
    ],
)
def test_its_line_is_named(tmp_path: Path, line: str, text: str) -> None:
    """Whatever was put into it, and whatever it was made a part of."""
    file = written(tmp_path, "wgp.py", "import sys", line)
    assert spoken_at(tmp_path, text) == f"{file}:2"


def test_the_longest_part_counts(tmp_path: Path) -> None:
    """A beginning that is common to many texts is none of its own."""
    written(tmp_path, "wgp.py", 'print(f"Not started yet: {problem}")')
    file = written(tmp_path, "shared/sizes.py", 'return "The number of frames is not supported"')
    text = "Not started yet: The number of frames is not supported"
    assert spoken_at(tmp_path, text) == f"{file}:1"


def test_what_stands_twice_is_not_named(tmp_path: Path) -> None:
    """Either may have said it."""
    written(tmp_path, "wgp.py", 'say("Something went wrong")', 'tell("Something went wrong")')
    assert spoken_at(tmp_path, "Something went wrong") == ""


@pytest.mark.parametrize("text", ["", "no", "Nobody has ever written this"])
def test_what_stands_nowhere_is_not_named(tmp_path: Path, text: str) -> None:
    """Nor what is too short to be anybody's in particular."""
    written(tmp_path, "wgp.py", 'say("no")', "# Nobody has ever written this")
    assert spoken_at(tmp_path, text) == ""


def test_an_environment_in_it_is_not_its_own(tmp_path: Path) -> None:
    """Nor is what begins with a dot."""
    line = 'raise ValueError("The size is not supported")'
    for name in (".venv/lib/a.py", "env/lib/a.py", "lib/site-packages/a.py"):
        written(tmp_path, name, line)
    written(tmp_path, "env/pyvenv.cfg", "home = /usr/bin")
    assert spoken_at(tmp_path, "The size is not supported") == ""
    file = written(tmp_path, "shared/a.py", line)
    assert spoken_at(tmp_path, "The size is not supported") == f"{file}:1"


def test_a_folder_that_is_gone_has_nothing(tmp_path: Path) -> None:
    """And what cannot be read is passed over."""
    assert spoken_at(tmp_path / "gone", "The size is not supported") == ""
    (tmp_path / "wgp.py").write_bytes(b"\xff\xfe 'The size is not supported'")
    assert spoken_at(tmp_path, "The size is not supported") == f"{tmp_path / 'wgp.py'}:1"
