"""What a checkout's source says of it, read and never run."""

from pathlib import Path

import pytest

from worker.doctor.checkout_source import read_source

SESSION = "def init(**options): ...\nclass WanGPSession: ...\n"


def checkout(folder: Path, source: str, session: str | None = None) -> Path:
    """Make a checkout of this source."""
    (folder / "wgp.py").write_text(source)
    if session is not None:
        (folder / "shared").mkdir()
        (folder / "shared" / "api.py").write_text(session)
    return folder


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    """It would end the process."""
    read = read_source(checkout(tmp_path, "raise SystemExit(1)\ndef generate_video(a): ..."))
    assert read.entry == "generate_video"


@pytest.mark.parametrize(
    ("source", "entry", "parameters"),
    [
        ("def generate_video(task, send_cmd, *, seed): ...", "generate_video", 3),
        ("def generate_video(a): ...\ndef generate_media(a, b=None): ...", "generate_media", 2),
        ("try:\n    import torch\nfinally:\n    def generate_media(a): ...", "generate_media", 1),
        ("class A:\n    def generate_media(self): ...", "", 0),
        ("def f():\n    def generate_media(a): ...", "", 0),
        ("generate_media = None", "", 0),
    ],
)
def test_the_entry_is_the_newest_function_at_the_top(
    tmp_path: Path, source: str, entry: str, parameters: int
) -> None:
    """With the number of its parameters; a method or an inner function is none."""
    read = read_source(checkout(tmp_path, source))
    assert (read.entry, read.parameters, read.session) == (entry, parameters, False)


@pytest.mark.parametrize(
    ("session", "there"),
    [(SESSION, True), ("def init(): ...", False), ("class WanGPSession: ...", False), ("", False)],
)
def test_a_session_has_its_two_names(tmp_path: Path, session: str, *, there: bool) -> None:
    """A file of that name alone is none."""
    assert read_source(checkout(tmp_path, "", session)).session is there


def test_version_and_stamp_are_what_it_says(tmp_path: Path) -> None:
    """As constants at the top."""
    read = read_source(checkout(tmp_path, 'WanGP_version = "9.1"\nsettings_version = 2.41\n'))
    assert (read.version, read.stamp) == ("9.1", 2.41)


def test_neither_needs_to_be_there(tmp_path: Path) -> None:
    """Or to be a constant."""
    read = read_source(checkout(tmp_path, "settings_version = float('2')\n"))
    assert (read.version, read.stamp) == ("", None)


@pytest.mark.parametrize("source", ["a = 1\n<<<<<<< HEAD\n", "\0"])
def test_what_is_no_python_names_the_file(tmp_path: Path, source: str) -> None:
    """And the line, where there is one."""
    with pytest.raises(SyntaxError) as caught:
        read_source(checkout(tmp_path, source))
    assert caught.value.filename == str(tmp_path / "wgp.py")
