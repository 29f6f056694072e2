"""Videos of earlier tasks: whole, and from where they may be."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from worker.errors import InputError
from worker.inputs import videos
from worker.inputs.policy import InputPolicy
from worker.inputs.videos import fetch_video
from worker.video.files import write_video

if TYPE_CHECKING:
    from tests.worker.inputs.conftest import Site


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a video as this worker writes it."""
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    write_video(np.zeros((5, 32, 32, 3), np.uint8), path, fps=8.0, metadata={})
    return path.read_bytes()


def test_a_video_is_fetched_by_url(site: "Site", policy: InputPolicy, video: bytes) -> None:
    """As another worker published it."""
    assert fetch_video(site.serve("/a.mp4", video), policy).read_bytes() == video


@pytest.mark.parametrize("outputs", ["outputs", "elsewhere"])
def test_a_local_video_lies_under_a_root_or_among_the_outputs(
    tmp_path: Path, policy: InputPolicy, video: bytes, outputs: str
) -> None:
    """Where no local path may be named, this worker's own outputs still can be gone on from."""
    path = tmp_path / "outputs" / "task" / "video.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(video)
    closed = dataclasses.replace(policy, local_roots=(), outputs_dir=tmp_path / outputs)
    if outputs == "outputs":
        assert fetch_video(str(path), closed) == path
    else:
        with pytest.raises(InputError, match="outside the folders"):
            fetch_video(str(path), closed)


def test_a_link_out_of_the_outputs_is_refused(
    tmp_path: Path, policy: InputPolicy, video: bytes
) -> None:
    """What counts is where it leads."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "a.mp4").write_bytes(video)
    (tmp_path / "outputs" / "a.mp4").symlink_to(tmp_path / "a.mp4")
    closed = dataclasses.replace(policy, local_roots=(), outputs_dir=tmp_path / "outputs")
    with pytest.raises(InputError, match="outside the folders"):
        fetch_video(str(tmp_path / "outputs" / "a.mp4"), closed)


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html>gone</html>",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\0",
    ],
)
def test_what_is_no_video_is_refused_and_not_kept(
    site: "Site", policy: InputPolicy, body: bytes
) -> None:
    """A playlist would have its reader open other files."""
    with pytest.raises(InputError, match=r"/a\.mp4.*no video that can be joined: it begins with"):
        fetch_video(site.serve("/a.mp4", body), policy)
    assert list(policy.cache_dir.iterdir()) == []


@pytest.mark.parametrize("less", [1, 100, 1000])
def test_a_video_that_is_cut_off_is_refused(
    site: "Site", policy: InputPolicy, video: bytes, less: int
) -> None:
    """Although the server calls it whole."""
    with pytest.raises(InputError, match="is cut off"):
        fetch_video(site.serve("/a.mp4", video[:-less]), policy)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 2**31])
def test_boxes_of_any_length_end(
    site: "Site", policy: InputPolicy, length: int, video: bytes
) -> None:
    """Whatever the lengths say; 0 is the rest of the file."""
    body = video[:32] + length.to_bytes(4) + b"free" + bytes(100)
    with pytest.raises(InputError, match="is cut off"):
        fetch_video(site.serve("/a.mp4", body), policy)


def test_a_webm_video_passes(site: "Site", policy: InputPolicy) -> None:
    """By its first bytes; decoding shows the rest."""
    body = b"\x1a\x45\xdf\xa3" + bytes(100)
    assert fetch_video(site.serve("/a.webm", body), policy).read_bytes() == body


def test_a_video_over_the_limit_is_refused(
    site: "Site", policy: InputPolicy, video: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By bytes, and before the first where they are announced."""
    monkeypatch.setattr(videos, "MAX_VIDEO_BYTES", 100)
    with pytest.raises(InputError, match="larger than the limit of 100 bytes"):
        fetch_video(site.serve("/a.mp4", video), policy)


def test_a_kept_video_that_was_cut_off_is_downloaded_again(
    site: "Site", policy: InputPolicy, video: bytes
) -> None:
    """The disk was full, or the file has rotted."""
    url = site.serve("/a.mp4", video)
    fetch_video(url, policy).write_bytes(video[:-1])
    assert fetch_video(url, policy).read_bytes() == video
