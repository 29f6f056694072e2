"""Outputs are kept by attempt and published by rename."""

import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from worker.errors import OutputError
from worker.output.storage import LocalStorage

TASK, TOKEN, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """Make an empty storage."""
    return LocalStorage(tmp_path / "outputs")


def attempt(storage: LocalStorage, token: UUID = TOKEN, text: str = "new") -> list[Path]:
    """Write an attempt's two files."""
    folder = storage.attempt_dir(TASK, token)
    for name in ("video.mp4", "thumbnail.jpg"):
        (folder / name).write_text(f"{text} {name}")
    return [folder / "video.mp4", folder / "thumbnail.jpg"]


def test_an_attempts_folder_is_empty(storage: LocalStorage) -> None:
    """Also when the same attempt had begun before."""
    attempt(storage)
    assert list(storage.attempt_dir(TASK, TOKEN).iterdir()) == []


def test_two_attempts_have_two_folders(storage: LocalStorage) -> None:
    """A superseded worker writes beside its successor."""
    assert storage.attempt_dir(TASK, TOKEN) != storage.attempt_dir(TASK, OTHER)


def test_published_files_lie_under_the_task(storage: LocalStorage) -> None:
    """At `<task id>/<file>`, in the order given."""
    home = storage.outputs_dir / str(TASK)
    locations = storage.publish(TASK, TOKEN, attempt(storage))
    assert locations == (str(home / "video.mp4"), str(home / "thumbnail.jpg"))
    assert (home / "video.mp4").read_text() == "new video.mp4"


def test_publishing_replaces_what_an_earlier_attempt_published(storage: LocalStorage) -> None:
    """Whole files, by rename."""
    storage.publish(TASK, OTHER, attempt(storage, OTHER, "old"))
    locations = storage.publish(TASK, TOKEN, attempt(storage))
    assert [Path(path).read_text() for path in locations] == ["new video.mp4", "new thumbnail.jpg"]


def test_publishing_may_be_repeated(storage: LocalStorage) -> None:
    """The queue may be away between publishing and settling."""
    files = attempt(storage)
    assert storage.publish(TASK, TOKEN, files) == storage.publish(TASK, TOKEN, files)


def test_publishing_goes_on_where_it_was_interrupted(storage: LocalStorage) -> None:
    """The thumbnail had been moved when the supervisor died."""
    files = attempt(storage)
    files[1].replace(storage.outputs_dir / str(TASK) / "thumbnail.jpg")
    assert all(Path(path).exists() for path in storage.publish(TASK, TOKEN, files))


def test_the_tasks_output_is_published_last(storage: LocalStorage) -> None:
    """Where it is, the others are: a missing thumbnail leaves the video unpublished."""
    files = attempt(storage)
    files[1].unlink()
    with pytest.raises(OutputError, match=r"thumbnail.jpg' is not there"):
        storage.publish(TASK, TOKEN, files)
    assert not (storage.outputs_dir / str(TASK) / "video.mp4").exists()


def test_a_file_of_another_folder_is_not_published(storage: LocalStorage, tmp_path: Path) -> None:
    """It could be anything on this machine."""
    (tmp_path / "secret").write_text("s")
    with pytest.raises(OutputError, match="no file of the attempt's folder"):
        storage.publish(TASK, TOKEN, [tmp_path / "secret"])


def test_a_discarded_attempt_leaves_nothing(storage: LocalStorage) -> None:
    """Not even the task's folder when nothing was published; and again is no error."""
    attempt(storage)
    storage.discard(TASK, TOKEN)
    storage.discard(TASK, TOKEN)
    assert list(storage.outputs_dir.iterdir()) == []


def test_discarding_leaves_what_was_published(storage: LocalStorage) -> None:
    """And what another attempt is writing."""
    (location, _) = storage.publish(TASK, TOKEN, attempt(storage))
    others = attempt(storage, OTHER)
    storage.discard(TASK, TOKEN)
    assert Path(location).exists()
    assert others[0].exists()


def aged(storage: LocalStorage, token: UUID, changed: float) -> Path:
    """Write an attempt that was last changed at a time."""
    files = attempt(storage, token)
    for path in (*files, files[0].parent):
        os.utime(path, (changed, changed))
    return files[0].parent


def test_only_old_attempts_that_nobody_holds_are_swept(storage: LocalStorage) -> None:
    """Held, young, and published ones stay."""
    held, stale, young = (
        aged(storage, token, changed) for token, changed in ((TOKEN, 0), (OTHER, 0), (uuid4(), 990))
    )
    published = storage.outputs_dir / str(TASK) / "video.mp4"
    published.write_text("v")
    assert storage.sweep_stale(live=[TOKEN], older_than_s=100, now=1000) == [stale]
    assert (held.exists(), young.exists(), published.exists()) == (True, True, True)


def test_folders_that_are_no_attempts_are_not_swept(storage: LocalStorage) -> None:
    """An operator may keep what they like beside the outputs."""
    mine = storage.outputs_dir / str(TASK) / ".mine"
    mine.mkdir(parents=True)
    os.utime(mine, (0, 0))
    assert storage.sweep_stale(older_than_s=100, now=1000) == []


def test_a_folder_that_cannot_be_made_says_so_and_the_way_out(tmp_path: Path) -> None:
    """A file stands where outputs should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"outputs cannot be kept.*choose another home"):
        LocalStorage(tmp_path / "file").attempt_dir(TASK, TOKEN)


def test_a_check_leaves_nothing(storage: LocalStorage) -> None:
    """It has written a file and removed it."""
    assert storage.check() == []
    assert list(storage.outputs_dir.iterdir()) == []


def test_a_check_finds_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """At the start, and not after the first video."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="outputs cannot be kept"):
        LocalStorage(tmp_path / "file" / "outputs").check()
