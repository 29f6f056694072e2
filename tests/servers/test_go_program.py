"""What is built of Go modules: when, and what is said where it cannot be."""

from pathlib import Path

import pytest

from tests.servers.cache import Unavailable
from tests.servers.go_program import GoProgram


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoProgram:
    """Give one that nobody has built, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "go.mod").write_text("module example\n\ngo 1.24\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    return GoProgram(name="example", folder=folder)


def test_without_go_the_way_out_is_said(
    program: GoProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever test wants it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="run: make servers"):
        program.built()


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "main.go"])
def test_what_is_made_of_something_else_is_built_again(program: GoProgram, changed: str) -> None:
    """Under a name of its own, so that another checkout keeps what it has."""
    before = program.path
    with (program.folder / changed).open("a") as file:
        file.write("\n")
    assert program.path != before


def test_what_is_there_is_not_built(program: GoProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no Go."""
    monkeypatch.setenv("PATH", "")
    program.path.write_text("built before")
    assert program.built() == program.path
