"""A video that an engine has encoded itself is taken over bit for bit, or not at all."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.errors import OutputError
from worker.video import ffmpeg
from worker.video.copying import copy_video
from worker.video.files import read_metadata
from worker.video.probing import VideoFacts, probe_video

ASKED = VideoFacts(frames=9, fps=8.0, width=64, height=48)
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that makes the video that is asked for, but for what is changed."""

    def video(*codec: str, name: str = "own.mp4", sound: str = "", frames: int = 9) -> Path:
        path = tmp_path / name
        source = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate=8:duration={frames / 8}"]
        noise = ["-f", "lavfi", "-i", f"sine=duration={frames / 8}", "-c:a", sound] if sound else []
        tag = ["-metadata", "comment=theirs", "-metadata", "title=theirs"]
        ffmpeg.run([*source, *noise, *(codec or H264), *tag, str(path)], doing="making a video")
        return path

    return video


def pictures_of(path: Path) -> str:
    """Return the digest of a video's pictures as they are stored."""
    stored = ["-map", "0:v:0", "-c", "copy", "-f", "data", "-"]
    return hashlib.sha256(ffmpeg.run(["-i", str(path), *stored], doing="reading")).hexdigest()


def sound_of(path: Path) -> str:
    """Say what sound a video has, "" where it has none."""
    shown = subprocess.run([ffmpeg.binary(), "-i", str(path)], capture_output=True, check=False)
    (line, *_) = [line for line in shown.stderr.decode().splitlines() if "Audio:" in line] or [""]
    return line.partition("Audio: ")[2].partition(" ")[0]


def test_its_pictures_are_the_sources_own(make: Make, tmp_path: Path) -> None:
    """Nothing is encoded a second time, and the source stays."""
    source, path = make(), tmp_path / "video.mp4"
    before = source.read_bytes()
    assert copy_video(source, path, asked=ASKED, metadata={}) == ASKED
    assert pictures_of(path) == pictures_of(source)
    assert source.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["own.mp4", "video.mp4"]


def test_it_plays_while_it_loads(make: Make, tmp_path: Path) -> None:
    """Its index stands before its pictures, which the source's need not."""
    source, path = make(), tmp_path / "video.mp4"
    copy_video(source, path, asked=ASKED, metadata={})
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_metadata_is_ours(make: Make, tmp_path: Path) -> None:
    """And nothing of the source's is left."""
    path, metadata = tmp_path / "video.mp4", {"seed": "42", "request": "größer; a=b"}
    copy_video(make(), path, asked=ASKED, metadata=metadata)
    assert read_metadata(path) == metadata
    assert b"theirs" not in path.read_bytes()


@pytest.mark.parametrize("sound", ["", "aac"])
def test_its_sound_comes_along(make: Make, tmp_path: Path, sound: str) -> None:
    """Where it has one."""
    path = tmp_path / "video.mp4"
    copy_video(make(sound=sound), path, asked=ASKED, metadata={})
    assert sound_of(path) == sound
    assert probe_video(path) == ASKED


@pytest.mark.parametrize(
    ("codec", "name", "words"),
    [
        (("-c:v", "libx265", "-pix_fmt", "yuv420p"), "own.mp4", "is hevc, and not H.264"),
        (("-c:v", "mpeg4"), "own.mp4", "is mpeg4, and not H.264"),
        (("-c:v", "libx264", "-pix_fmt", "yuv444p"), "own.mp4", "other pixels than 8 bits"),
        (("-c:v", "libx264", "-pix_fmt", "yuv420p10le"), "own.mp4", "other pixels than 8 bits"),
        (H264, "own.mkv", "is in no MP4 file"),
    ],
)
def test_what_not_every_player_takes_is_refused(
    make: Make, tmp_path: Path, codec: tuple[str, ...], name: str, words: str
) -> None:
    """By name; nothing is written."""
    path = tmp_path / "video.mp4"
    with pytest.raises(OutputError, match=words):
        copy_video(make(*codec, name=name), path, asked=ASKED, metadata={})
    assert not path.exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (VideoFacts(frames=13, fps=8.0, width=64, height=48), "frames: asked 13, found 9"),
        (VideoFacts(frames=9, fps=16.0, width=64, height=48), "fps: asked 16, found 8"),
        (VideoFacts(frames=9, fps=8.0, width=80, height=48), "width: asked 80, found 64"),
    ],
)
def test_another_video_than_asked_is_refused(
    make: Make, tmp_path: Path, asked: VideoFacts, words: str
) -> None:
    """Naming both values; nothing is left."""
    with pytest.raises(OutputError, match=words):
        copy_video(make(), tmp_path / "video.mp4", asked=asked, metadata={})
    assert [file.name for file in tmp_path.iterdir()] == ["own.mp4"]


@pytest.mark.parametrize("content", [b"", b"no video", None])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    """What cannot be read, or is not there."""
    source = tmp_path / "own.mp4"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(OutputError, match=r"own\.mp4"):
        copy_video(source, tmp_path / "video.mp4", asked=ASKED, metadata={})


def test_a_file_that_is_cut_off_is_refused(make: Make, tmp_path: Path) -> None:
    """Whoever wrote it has not come to its end."""
    whole, source = make(), tmp_path / "cut.mp4"
    copy_video(whole, source, asked=ASKED, metadata={})  # its index stands first, and so stays
    source.write_bytes(source.read_bytes()[:-3000])
    with pytest.raises(OutputError):
        copy_video(source, tmp_path / "video.mp4", asked=ASKED, metadata={})


def test_a_folder_that_is_not_there_is_named(make: Make, tmp_path: Path) -> None:
    """As where frames are encoded."""
    with pytest.raises(OutputError, match="cannot be written"):
        copy_video(make(), tmp_path / "none" / "video.mp4", asked=ASKED, metadata={})
