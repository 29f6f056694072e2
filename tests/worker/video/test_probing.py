"""What a video holds, told from decoding it while it was encoded, or from the file alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worker.errors import OutputError
from worker.video import ffmpeg, files
from worker.video.files import write_video
from worker.video.probing import VideoFacts, decoding_back, probe_encoded, probe_video

ASKED = VideoFacts(frames=9, fps=8.0, width=64, height=48)
Frames = np.ndarray[Any, Any]


@pytest.fixture
def video(frames: Frames, tmp_path: Path) -> Path:
    """Write a video."""
    path = tmp_path / "video.mp4"
    write_video(frames, path, fps=8.0, metadata={})
    return path


@pytest.fixture
def listing(video: Path, tmp_path: Path) -> Path:
    """List what decoding it gives, as the encoder does beside encoding."""
    path = tmp_path / "decoded"
    listed = ["-fps_mode", "passthrough", "-f", "framecrc", "-y", str(path)]
    ffmpeg.run(["-i", str(video), *listed], doing="listing")
    return path


def test_what_is_decoded_beside_is_what_the_file_decodes_to(
    frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frame for frame, by their checksums."""
    seen: list[str] = []

    def probe(path: Path, decoded: Path) -> VideoFacts:
        seen.append(decoded.read_text())
        return probe_encoded(path, decoded)

    monkeypatch.setattr(files, "probe_encoded", probe)
    path = tmp_path / "video.mp4"
    assert write_video(frames, path, fps=8.0, metadata={}) == ASKED
    alone = ffmpeg.run(
        ["-i", str(path), "-fps_mode", "passthrough", "-f", "framecrc", "-"], doing="decoding"
    ).decode()
    rows = [[line for line in text.splitlines() if line[0] != "#"] for text in (seen[0], alone)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 9


def test_both_are_the_facts(video: Path, listing: Path) -> None:
    """The file's own listing and the decoder's agree."""
    assert probe_encoded(video, listing) == ASKED


def test_a_frame_that_was_not_decoded_is_named(video: Path, listing: Path) -> None:
    """What the decoder did not give is not what is stored."""
    kept = listing.read_text().splitlines()[:-1]
    listing.write_text("\n".join(kept))
    with pytest.raises(OutputError, match="frames: asked 9, found 8"):
        probe_encoded(video, listing)


def test_a_file_that_is_cut_off_is_refused(video: Path, listing: Path) -> None:
    """What was decoded beside encoding proves nothing of the file."""
    content = video.read_bytes()
    video.write_bytes(content[: len(content) - 200])
    with pytest.raises(OutputError):
        probe_encoded(video, listing)


def test_without_a_listing_the_file_is_decoded(video: Path, tmp_path: Path) -> None:
    """As by an ffmpeg that cannot decode beside encoding."""
    assert probe_encoded(video, tmp_path / "none") == probe_video(video) == ASKED


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ("ffmpeg version 4.2.2-static https://johnvansickle.com", 4),
        ("ffmpeg version n7.1-152-gabc", 7),
        ("ffmpeg version N-118-g2a57", 0),
        ("no ffmpeg at all", 0),
    ],
)
def test_an_old_ffmpeg_is_not_asked_for_what_it_cannot(
    said: str, major: int, frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its version, also one that names none: the video is then decoded afterwards."""
    program = tmp_path / "ffmpeg"
    real = ffmpeg.binary()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = -version ] && echo "{said}" && exit\nexec "{real}" "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    assert ffmpeg.major_version() == major
    assert bool(decoding_back(tmp_path / "x")) == (major >= 7)
    assert write_video(frames, tmp_path / "old.mp4", fps=8.0, metadata={}) == ASKED
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ffmpeg", "old.mp4"]


def test_this_ffmpeg_decodes_beside_encoding() -> None:
    """The one that is installed with loop26."""
    assert ffmpeg.major_version() >= 7
