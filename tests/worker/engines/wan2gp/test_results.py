"""A generation is judged by its file; the folder that it is written into is one process's own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from worker.engines.wan2gp.api import Said
from worker.engines.wan2gp.errors import CheckoutUnusable, EngineReported, NoOutput
from worker.engines.wan2gp.listener import Listener, Reported
from worker.engines.wan2gp.results import OutputFolder, generated, named_files, raise_what_failed
from worker.engines.wan2gp.steps import StepSpans
from worker.engines.wan2gp.writers import Writers
from worker.errors import EngineError, FrameCountMismatch, OutputError, TaskCancelled
from worker.video.files import write_video

from .conftest import REQUEST
from .test_listener import Watching

DEADLINE_S = 60
HERE = Path(__file__).parent
HOLDING = """
import sys
from pathlib import Path
from worker.engines.wan2gp.results import OutputFolder
folder = OutputFolder(Path(sys.argv[1]), Path("/checkout"))
(folder.path / "video.mp4").write_text("of the other")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    """Make a folder for videos."""
    return OutputFolder(tmp_path / "wan2gp", tmp_path)


@pytest.fixture(scope="module")
def writers() -> Writers:
    """Know who writes: nobody here. What looks for them stays as long as the process."""
    return Writers(HERE, HERE)


def video(path: Path, frames: int = 9, width: int = 64, height: int = 48, shade: int = 90) -> str:
    """Make a video; return its name as an engine says it."""
    picture = np.full((frames, height, width, 3), shade, dtype=np.uint8)
    picture[:, : height // 2] = 200
    write_video(picture, path, fps=16.0, metadata={})
    return str(path)


def said(*files: str, listener: Listener | None = None) -> Said:
    """Say what an engine says."""
    return Said(files=files, listener=listener, escaped=None)


def listening() -> Listener:
    """Make a listener that has heard nothing."""
    return Listener(Watching(), StepSpans(REQUEST), lambda: None, root=Path(__file__).parent)


def shade(frames: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> int:
    """Return about how bright the lower half is."""
    return round(float(frames[0, -4:].mean()), -1).__int__()


def test_the_frames_are_read(folder: OutputFolder, writers: Writers) -> None:
    """And the file stays the engine's, to be kept as it is."""
    named = video(folder.path / "a.mp4")
    found = generated(said(named), folder, REQUEST, seconds=6.0, writers=writers)
    assert found.frames.shape == (9, 48, 64, 3)
    assert found.video == Path(named)
    assert found.seconds_per_step == 2.0


def test_the_last_that_is_named_counts(
    folder: OutputFolder, writers: Writers, tmp_path: Path
) -> None:
    """Wherever it lies; what is no video, or is not there, does not count."""
    video(folder.path / "newer.mp4", shade=10)
    names = (
        video(tmp_path / "first.mp4", shade=30),
        video(tmp_path / "last.MP4".lower(), shade=120),
        str(tmp_path / "gone.mp4"),
        str(tmp_path / "last.json"),
        "None",
        "",
    )
    found = generated(said(*names), folder, REQUEST, seconds=0, writers=writers)
    assert found.video == tmp_path / "last.mp4"
    assert shade(found.frames) == 120


def test_a_name_that_is_relative_is_so_to_the_checkout(
    folder: OutputFolder, writers: Writers, tmp_path: Path
) -> None:
    """It works in its folder, and this process in another."""
    (tmp_path / "outputs").mkdir()
    video(tmp_path / "outputs" / "a.mp4")
    found = generated(said("outputs/a.mp4"), folder, REQUEST, seconds=0, writers=writers)
    assert found.video == tmp_path / "outputs" / "a.mp4"


def test_a_folder_has_the_name_that_its_files_get(tmp_path: Path) -> None:
    """Where a link leads to it, that of what the link leads to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert OutputFolder(tmp_path / "link", tmp_path).path.parent == (tmp_path / "real").resolve()


def test_where_none_is_named_the_newest_in_its_folder_counts(
    folder: OutputFolder, writers: Writers
) -> None:
    """Also one in a folder there."""
    (folder.path / "inner").mkdir()
    video(folder.path / "inner" / "b.mp4", shade=120)
    video(folder.path / "a.mp4", shade=30)
    os.utime(folder.path / "a.mp4", ns=(0, 0))
    (folder.path / "c.mp4").mkdir()
    found = generated(said(), folder, REQUEST, seconds=0, writers=writers)
    assert found.video == folder.path / "inner" / "b.mp4"


def test_no_video_is_a_failure(folder: OutputFolder, writers: Writers, tmp_path: Path) -> None:
    """Whatever is said: what it names, and what it told last, are named."""
    listener = listening()
    listener.hear("status", "Saving", sys._getframe())
    (folder.path / "last_call.json").write_text("{}")
    told = said(str(tmp_path / "gone.mp4"), listener=listener)
    with pytest.raises(NoOutput) as caught:
        generated(told, folder, REQUEST, seconds=0, writers=writers)
    for part in ("made gone.mp4", f"'status' at {__file__}:"):
        assert part in str(caught.value)
    assert caught.value.folder == folder.path


def test_no_video_and_not_a_word_is_a_failure(folder: OutputFolder, writers: Writers) -> None:
    """Its entry was never called, perhaps."""
    with pytest.raises(NoOutput, match=r"says nothing of a failure.* told was nothing at all"):
        generated(said(), folder, REQUEST, seconds=0, writers=writers)


def test_no_video_names_what_was_printed_last(writers: Writers, tmp_path: Path) -> None:
    """With the line that printed it, and that in which its text stands, where it is another."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "wgp.py").write_text('problem = "The size is not supported"\n')
    listener = listening()
    listener.hear_printed("Not started: The size is not supported", sys._getframe())
    with pytest.raises(NoOutput) as caught:
        generated(
            said(listener=listener),
            OutputFolder(tmp_path / "videos", root),
            REQUEST,
            seconds=0,
            writers=writers,
        )
    stands = f"'Not started: The size is not supported', which stands at {root / 'wgp.py'}:1, at "
    assert f"{stands}{__file__}:" in str(caught.value)


@pytest.mark.parametrize("frames", [5, 13])
def test_another_number_of_frames_is_a_failure(
    folder: OutputFolder, writers: Writers, frames: int
) -> None:
    """Both numbers are named."""
    named = video(folder.path / "a.mp4", frames=frames)
    with pytest.raises(FrameCountMismatch) as caught:
        generated(said(named), folder, REQUEST, seconds=0, writers=writers)
    assert (caught.value.asked, caught.value.returned) == (9, frames)


def test_another_size_is_a_failure(folder: OutputFolder, writers: Writers) -> None:
    """Both sizes are named."""
    named = video(folder.path / "a.mp4", height=32)
    with pytest.raises(EngineError, match="returned 64x32 where 64x48 was asked"):
        generated(said(named), folder, REQUEST, seconds=0, writers=writers)


def test_a_damaged_video_is_a_failure(folder: OutputFolder, writers: Writers) -> None:
    """It is named."""
    (folder.path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(OutputError, match=r"a\.mp4"):
        generated(said(), folder, REQUEST, seconds=0, writers=writers)


def test_base_names_are_shown() -> None:
    """Of files."""
    assert named_files(["/a/b.mp4", "c.mp4", ""]) == ["b.mp4", "c.mp4", ""]


def test_a_folder_is_emptied(folder: OutputFolder, tmp_path: Path) -> None:
    """Of all that an earlier call has left, and of nothing that it only points to."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    (folder.path / "inner").mkdir()
    (folder.path / "inner" / "a.mp4").touch()
    (folder.path / "b.mp4").touch()
    (folder.path / "link").symlink_to(other)
    folder.empty()
    assert [file.name for file in folder.path.iterdir()] == ["lock"]
    assert (other / "kept").exists()


def test_each_folder_is_another(tmp_path: Path) -> None:
    """Also in one process; neither removes the other's."""
    one, other = (OutputFolder(tmp_path, tmp_path) for _ in range(2))
    assert one.path != other.path
    assert one.path.is_dir()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """With why."""
    (tmp_path / "file").touch()
    with pytest.raises(CheckoutUnusable, match=r"nowhere to write its videos.*Not a directory"):
        OutputFolder(tmp_path / "file" / "wan2gp", tmp_path)


def test_a_process_that_lives_keeps_its_folder(tmp_path: Path) -> None:
    """Once it is gone, however it went, the next one that makes a folder removes it."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        ours = OutputFolder(tmp_path, tmp_path)
        assert (theirs / "video.mp4").read_text() == "of the other"
        other.kill()
        other.wait(DEADLINE_S)
    assert theirs.is_dir()
    again = OutputFolder(tmp_path, tmp_path)
    assert not theirs.exists()
    assert (ours.path.is_dir(), again.path.is_dir()) == (True, True)


def test_other_folders_are_left(tmp_path: Path) -> None:
    """And what has no lock yet is somebody's that is just being made."""
    for name in ("run-without", "other"):
        (tmp_path / name).mkdir()
    OutputFolder(tmp_path, tmp_path)
    assert (tmp_path / "run-without").is_dir()
    assert (tmp_path / "other").is_dir()


def reported(*reports: Reported, cancelled: TaskCancelled | None = None) -> Listener:
    """Make a listener that has heard these."""
    listener = listening()
    listener.reported.extend(reports)
    listener.cancelled = cancelled
    return listener


IN_HAND = KeyError("in hand")
ESCAPED = OSError("escaped")
CANCELLED = TaskCancelled("by the test")
WITH = Reported(text="a text", exception=IN_HAND)
WITHOUT = Reported(text="a text", exception=None)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: reported(WITH), IN_HAND),
        (lambda: reported(WITH, WITHOUT), IN_HAND),
        (lambda: reported(WITH, cancelled=CANCELLED), CANCELLED),
    ],
)
def test_the_exception_itself_is_raised(
    make: Callable[[], Listener], expected: BaseException
) -> None:
    """Whatever text was made of it; a task that was cancelled has been."""
    with pytest.raises(type(expected)) as caught:
        raise_what_failed(said("a.mp4", listener=make()), HERE)
    assert caught.value is expected


def test_what_escaped_is_raised_before_what_was_reported() -> None:
    """It came last, and ended it."""
    told = Said(files=(), listener=reported(WITH), escaped=ESCAPED, failed="escaped")
    with pytest.raises(OSError, match="escaped"):
        raise_what_failed(told, HERE)


def test_a_text_is_raised_where_there_is_nothing_else() -> None:
    """With the stage that a session gives it."""
    with pytest.raises(EngineReported, match="the engine reports: a text"):
        raise_what_failed(said(listener=reported(WITHOUT)), HERE)
    told = Said(files=(), listener=None, escaped=None, failed="Invalid", stage="validation")
    with pytest.raises(EngineReported, match="in its stage 'validation': Invalid"):
        raise_what_failed(told, HERE)


def test_nothing_is_raised_where_nothing_failed() -> None:
    """Its file is looked at then."""
    raise_what_failed(said(), HERE)
    raise_what_failed(said(listener=reported()), HERE)
