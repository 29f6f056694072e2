"""Video files: exactly what was asked, or an error that names both."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from worker.errors import OutputError
from worker.video import ffmpeg
from worker.video.files import (
    iterate_frames,
    read_frames,
    read_metadata,
    write_thumbnail,
    write_video,
)
from worker.video.probing import VideoFacts, probe_video, verify_video

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT = 64, 48
COLOURS = [(200, 40, 40), (40, 180, 60), (30, 60, 200), (220, 220, 40), (128, 128, 128)]


def _video(count: int) -> "NDArray[np.uint8]":
    """Return frames of one colour each."""
    frames = np.empty((count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for index in range(count):
        frames[index] = COLOURS[index % len(COLOURS)]
    return frames


def _left(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("fps", [16.0, 24.0, 23.976, 12.5, 60.0])
@pytest.mark.parametrize("count", [1, 5, 81])
def test_has_exactly_the_frames_and_rate_asked(tmp_path: Path, count: int, fps: float) -> None:
    """The decoded file has the count, rate and size that were asked."""
    path = tmp_path / "out.mp4"
    write_video(_video(count), path, fps=fps, metadata={})
    facts = probe_video(path)
    assert (facts.frames, facts.width, facts.height) == (count, WIDTH, HEIGHT)
    assert facts.fps == pytest.approx(fps, abs=0.001)


def test_is_h264_that_plays_while_it_loads(tmp_path: Path) -> None:
    """The file is H.264, yuv420p, BT.709, and its index stands before its pictures."""
    path = tmp_path / "out.mp4"
    write_video(_video(5), path, fps=16, metadata={})
    shown = subprocess.run([ffmpeg.binary(), "-i", str(path)], capture_output=True, check=False)
    assert b"Video: h264" in shown.stderr
    assert b"yuv420p(tv, bt709" in shown.stderr
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_colours_and_order_come_back(tmp_path: Path) -> None:
    """Reading gives the frames in order, in their colours."""
    frames, path = _video(10), tmp_path / "out.mp4"
    write_video(frames, path, fps=16, metadata={})
    back = read_frames(path)
    assert back.shape == frames.shape
    assert np.abs(back.astype(int) - frames.astype(int)).max() <= 6


def test_frames_may_come_one_by_one(tmp_path: Path) -> None:
    """A generator of frames is written without holding them, and read back the same way."""
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    write_video(_video(9), first, fps=16, metadata={})
    facts = write_video(iterate_frames(first), second, fps=16, metadata={})
    assert facts == VideoFacts(frames=9, fps=16.0, width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize(
    "text", ["", "a=b;c#d\\e", "line\nline\r\n\ttab", "größer 球 🎈", "'\"quoted\"'", "x" * 300_000]
)
def test_metadata_comes_back(tmp_path: Path, text: str) -> None:
    """Request and seed are kept in the file, whatever their text."""
    path, metadata = tmp_path / "out.mp4", {"seed": "42", "prompt": text}
    write_video(_video(1), path, fps=16, metadata=metadata)
    assert read_metadata(path) == metadata


def test_a_file_of_another_origin_has_no_metadata(tmp_path: Path) -> None:
    """A comment that is not ours is no error."""
    path = tmp_path / "other.mp4"
    ffmpeg.run(
        ["-f", "lavfi", "-i", "color=red:s=32x32:d=0.2", "-metadata", "comment=hello", str(path)],
        doing="making a video",
    )
    assert read_metadata(path) == {}


def test_a_finished_file_is_replaced_and_nothing_is_left(tmp_path: Path) -> None:
    """Writing twice leaves the second video alone in the folder."""
    path = tmp_path / "out.mp4"
    for count in (3, 5):
        write_video(_video(count), path, fps=16, metadata={})
    assert probe_video(path).frames == 5
    assert _left(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"frames": 6}, "frames: asked 6, found 5"),
        ({"fps": 24.0}, "fps: asked 24, found 16"),
        ({"width": 66}, "width: asked 66, found 64"),
        ({"height": 46}, "height: asked 46, found 48"),
    ],
)
def test_another_video_than_asked_is_refused(
    tmp_path: Path, asked: dict[str, float], said: str
) -> None:
    """Verifying names what was asked and what was found."""
    path = tmp_path / "out.mp4"
    write_video(_video(5), path, fps=16, metadata={})
    right = {"frames": 5, "fps": 16.0, "width": WIDTH, "height": HEIGHT}
    with pytest.raises(OutputError, match=said):
        verify_video(path, **(right | asked))  # type: ignore[arg-type]  # ints and floats by name


def test_a_right_video_is_verified(tmp_path: Path) -> None:
    """Verifying what is right returns what was found."""
    path = tmp_path / "out.mp4"
    written = write_video(_video(5), path, fps=16, metadata={})
    assert verify_video(path, frames=5, fps=16.0, width=WIDTH, height=HEIGHT) == written


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", None])
def test_a_file_that_is_no_video_is_named(tmp_path: Path, content: bytes | None) -> None:
    """What cannot be decoded, or is not there, is refused by name."""
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutputError, match=r"broken\.mp4"):
        read_frames(path)


def test_a_cut_off_video_is_not_what_was_asked(tmp_path: Path) -> None:
    """A file whose end is missing does not pass."""
    path = tmp_path / "out.mp4"
    noise = np.random.default_rng(1).integers(0, 256, (17, HEIGHT, WIDTH, 3), dtype=np.uint8)
    write_video(noise, path, fps=16, metadata={})
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(OutputError, match=r"out\.mp4"):
        verify_video(path, frames=17, fps=16.0, width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((0, HEIGHT, WIDTH, 3), dtype=np.uint8),
        np.zeros((2, HEIGHT, WIDTH, 3), dtype=np.float32),
        np.zeros((2, HEIGHT, WIDTH, 4), dtype=np.uint8),
        np.zeros((2, HEIGHT + 1, WIDTH, 3), dtype=np.uint8),
        [np.zeros((48, 64, 3), dtype=np.uint8), np.zeros((48, 32, 3), dtype=np.uint8)],
    ],
    ids=["none", "floats", "alpha", "odd", "two sizes"],
)
def test_frames_that_cannot_be_written_are_refused(
    tmp_path: Path, frames: "NDArray[np.uint8]"
) -> None:
    """Wrong frames are refused by what is wrong with them, and leave no file."""
    with pytest.raises(OutputError, match=r"out\.mp4"):
        write_video(frames, tmp_path / "out.mp4", fps=16, metadata={})
    assert _left(tmp_path) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Without space ffmpeg's own words are passed on with the way out; an old file stays."""
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the former video")
    (tmp_path / ".out.mp4.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"free space.*No space left on device"):
        write_video(_video(5), path, fps=16, metadata={})
    assert path.read_bytes() == b"the former video"
    assert _left(tmp_path) == ["out.mp4"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Writing into no folder is an error with the path."""
    with pytest.raises(OutputError, match=r"gone/out\.mp4.*No such file"):
        write_video(_video(1), tmp_path / "gone" / "out.mp4", fps=16, metadata={})


def test_a_missing_ffmpeg_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ffmpeg that is not there is named with the way out."""
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    with pytest.raises(OutputError, match=r"no-ffmpeg.*install imageio-ffmpeg"):
        write_video(_video(1), tmp_path / "out.mp4", fps=16, metadata={})


def test_an_error_of_the_frames_ends_ffmpeg(tmp_path: Path) -> None:
    """An error of whoever gives the frames arrives as it is, and no child or file is left."""

    def failing() -> "list[NDArray[np.uint8]]":
        raise ZeroDivisionError

    def frames() -> "object":
        yield from _video(3)
        yield from failing()

    with pytest.raises(ZeroDivisionError):
        write_video(frames(), tmp_path / "out.mp4", fps=16, metadata={})  # type: ignore[arg-type]  # a generator that fails
    assert _left(tmp_path) == []
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in children if "ffmpeg" in Path(f"/proc/{pid}/comm").read_text()]


def test_thumbnail_is_the_picture_as_jpg(tmp_path: Path) -> None:
    """The thumbnail is a JPEG of the frame's size and colour."""
    path = tmp_path / "thumb.jpg"
    write_thumbnail(_video(1)[0], path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (WIDTH, HEIGHT))
        assert np.abs(np.asarray(picture).astype(int) - COLOURS[0]).max() <= 4
    assert _left(tmp_path) == ["thumb.jpg"]


def test_a_thumbnail_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A full disk under a thumbnail is an output error too."""
    (tmp_path / ".thumb.jpg.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"thumb\.jpg.*No space left on device"):
        write_thumbnail(_video(1)[0], tmp_path / "thumb.jpg")


def test_needs_no_torch() -> None:
    """A stitch needs no torch: writing video imports none."""
    code = "import sys, worker.video.files; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
