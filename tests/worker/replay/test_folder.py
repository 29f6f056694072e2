"""The replay's own folder is there while it runs, and then it is gone."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.errors import HomeError
from worker.replay.folder import kept, own_folder
from worker.replay.remembered import FOLDER

HOLD = """
import sys
from pathlib import Path
from worker.replay.folder import own_folder
with own_folder(Path(sys.argv[1]), keep=False) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


LOOP = """
import sys
from pathlib import Path
from worker.replay.folder import own_folder
for _ in range(300):
    with own_folder(Path(sys.argv[1]), keep=False) as folder:
        (folder / "order.json").write_text("it is there")
"""


def left(home: Path) -> list[str]:
    """Return what is in the folder of replays."""
    return sorted(path.name for path in (home / FOLDER).iterdir())


def test_it_is_gone_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Folders in it, too."""
    with own_folder(tmp_path, keep=False) as folder:
        (folder / "spool").mkdir()
        (folder / "spool" / "000001.journal").write_text("records")
    assert left(tmp_path) == []


def test_it_is_gone_when_the_replay_fails(tmp_path: Path) -> None:
    """Whatever is raised."""
    with pytest.raises(KeyboardInterrupt), own_folder(tmp_path, keep=False):
        raise KeyboardInterrupt
    assert left(tmp_path) == []


def test_it_can_be_kept(tmp_path: Path) -> None:
    """Under a name that says so, which the next replay leaves alone."""
    with own_folder(tmp_path, keep=True) as folder:
        (folder / "output.txt").write_text("words")
    with own_folder(tmp_path, keep=False):
        pass
    assert (kept(folder) / "output.txt").read_text() == "words"


def test_only_the_owner_looks_into_it(tmp_path: Path) -> None:
    """It holds parameters as they are."""
    with own_folder(tmp_path, keep=False) as folder:
        assert folder.stat().st_mode & 0o077 == 0


def test_what_a_killed_replay_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """And the folder of one that lives is not."""
    replays = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        folders = [Path(each.stdout.readline().strip()) for each in replays if each.stdout]
        replays[0].send_signal(signal.SIGKILL)
        replays[0].wait(timeout=60)
        with own_folder(tmp_path, keep=False):
            assert [folder.exists() for folder in folders] == [False, True]
    finally:
        for each in replays:
            each.kill()
            each.communicate(timeout=60)


def test_two_that_begin_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    """Neither takes the other's new folder for one that a killed replay left."""
    replays = [
        subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path)], stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        said = [each.communicate(timeout=60)[1] for each in replays]
    finally:
        for each in replays:
            each.kill()
    assert said == ["", "", ""]
    assert left(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """By the home's name."""
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(HomeError, match="no folder can be made for a replay"):
        own_folder(tmp_path, keep=False).__enter__()
