"""The engine's settings: what of a checkout can be said, and how."""

from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.settings.configuration import load


def test_the_engine_may_be_wan2gp_and_nothing_else_that_is_unknown() -> None:
    """Whether its checkout is there is asked where a task process starts."""
    assert load({"engine": "wan2gp"}).settings.engine == "wan2gp"
    with pytest.raises(SettingsError, match="'diffusers' or 'wan2gp'"):
        load({"engine": "wgp"})


def test_a_python_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """A virtual environment's is one, and where it leads is another environment."""
    (tmp_path / "python").symlink_to("/usr/bin/env")
    given = f"{tmp_path}/folder/../python"
    python = load({"wan2gp_python": given}).settings.wan2gp_python
    assert python is not None
    assert python.name == "python"
    assert str(python).startswith(str(tmp_path))


def test_the_paths_may_begin_with_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write them."""
    monkeypatch.setenv("HOME", "/users/someone")
    settings = load({"wan2gp_checkout": "~/Wan2GP", "wan2gp_config": "~/config"}).settings
    assert settings.wan2gp_checkout == Path("/users/someone/Wan2GP")
    assert settings.wan2gp_config == Path("/users/someone/config")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("--attention sdpa --profile 4", ("--attention", "sdpa", "--profile", "4")),
        ("--loras '/a folder' --x=\"b c\"", ("--loras", "/a folder", "--x=b c")),
        ("--note a,b", ("--note", "a,b")),
    ],
)
def test_arguments_are_read_as_by_a_shell(text: str, words: tuple[str, ...]) -> None:
    """Parted by blanks, not by commas."""
    assert load({"wan2gp_args": text}).settings.wan2gp_args == words


def test_the_file_may_hold_arguments_as_a_list(tmp_path: Path) -> None:
    """TOML has lists; nothing in them is split."""
    (tmp_path / "config.toml").write_text('wan2gp_args = ["--loras", "/a folder"]\n')
    assert load({"home": tmp_path}).settings.wan2gp_args == ("--loras", "/a folder")


def test_arguments_are_shown_as_they_can_be_given_again() -> None:
    """What `loop26 settings` shows, a shell reads."""
    configuration = load({"wan2gp_args": "--loras '/a folder' --profile 4"})
    shown = {row.name: row.value for row in configuration.explain()}
    assert shown["wan2gp_args"] == "--loras '/a folder' --profile 4"


def test_a_quote_that_is_left_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that names the variable and what stood there."""
    monkeypatch.setenv("LOOP26_WAN2GP_ARGS", "--loras '/a folder")
    with pytest.raises(SettingsError) as caught:
        load()
    line = str(caught.value)
    assert 'wan2gp_args = "--loras \'/a folder" (environment LOOP26_WAN2GP_ARGS)' in line
    assert "no closing quotation; close every quote" in line
