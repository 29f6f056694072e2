"""A video that grows while its pictures are made: finished, abandoned, or failed."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.home import wait_for
from worker.errors import OutputError, TaskCancelled
from worker.video import ffmpeg
from worker.video.files import read_frames, write_video
from worker.video.growing import GrowingVideo
from worker.video.probing import VideoFacts

Frames = np.ndarray[Any, Any]


@pytest.fixture
def growing(tmp_path: Path) -> GrowingVideo:
    """Return a video that is written as every other."""

    def write(frames: Iterator[Frames]) -> VideoFacts:
        return write_video(frames, tmp_path / "video.mp4", fps=8.0, metadata={})

    return GrowingVideo(write)


def go_on() -> None:
    """Never cancelled."""


def encoders() -> list[str]:
    """Return the threads that encode."""
    return [one.name for one in threading.enumerate() if one.name == "encoder"]


def test_file_is_that_of_the_pictures(
    growing: GrowingVideo, frames: Frames, tmp_path: Path
) -> None:
    """Bit for bit what is written when all pictures are there, in whatever pieces they came."""
    for piece in np.split(frames, [1, 5]):
        growing.feed(piece)
    assert growing.finish(go_on) == VideoFacts(frames=9, fps=8.0, width=64, height=48)
    write_video(frames, tmp_path / "at-once.mp4", fps=8.0, metadata={})
    assert growing.taken == 9
    found = read_frames(tmp_path / "video.mp4")
    assert (found == read_frames(tmp_path / "at-once.mp4")).all()
    assert not encoders()


def test_it_knows_whether_it_has_all_of_a_video(growing: GrowingVideo, frames: Frames) -> None:
    """So many pictures, all of this size, and none that were given up."""
    growing.feed(frames)
    assert growing.holds((9, 48, 64, 3))
    assert not growing.holds((5, 48, 64, 3))
    assert not growing.holds((9, 64, 48, 3))
    growing.abandon()
    assert not growing.holds((9, 48, 64, 3))


def test_an_abandoned_video_leaves_nothing(
    growing: GrowingVideo, frames: Frames, tmp_path: Path
) -> None:
    """No file, no thread."""
    growing.feed(frames)
    growing.abandon()
    assert list(tmp_path.iterdir()) == []
    assert not encoders()


def test_one_that_was_never_fed_can_be_abandoned(growing: GrowingVideo, tmp_path: Path) -> None:
    """An engine that has all pictures at once feeds none."""
    growing.abandon()
    assert list(tmp_path.iterdir()) == []


def test_finished_is_not_undone(growing: GrowingVideo, frames: Frames, tmp_path: Path) -> None:
    """Who cleans up afterwards does no harm."""
    growing.feed(frames)
    growing.finish(go_on)
    growing.abandon()
    assert [file.name for file in tmp_path.iterdir()] == ["video.mp4"]


def test_what_goes_wrong_is_raised_by_finish(frames: Frames, tmp_path: Path) -> None:
    """With the line where it was; whoever fed it was never disturbed."""

    def write(pictures: Iterator[Frames]) -> VideoFacts:
        return write_video(pictures, tmp_path / "none" / "video.mp4", fps=8.0, metadata={})

    growing = GrowingVideo(write)
    growing.feed(frames)
    growing.feed(frames)
    with pytest.raises(OutputError, match="cannot be written: No such file") as caught:
        growing.finish(go_on)
    assert "place_video" in [entry.name for entry in caught.traceback]


def test_what_went_wrong_is_told_once(frames: Frames) -> None:
    """And nothing holds its frames afterwards, which hold the pictures."""

    def write(pictures: Iterator[Frames]) -> VideoFacts:
        next(pictures)
        raise LookupError("in the encoder")

    growing = GrowingVideo(write)
    growing.feed(frames)
    with pytest.raises(LookupError):
        growing.finish(go_on)
    assert growing.trouble() is None


def test_too_much_that_waits_is_given_up(
    growing: GrowingVideo, frames: Frames, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine holds all of it, too: the video is encoded afterwards."""
    monkeypatch.setattr("worker.video.growing._MOST_WAITING_BYTES", frames.nbytes - 1)
    growing.feed(frames)
    assert not growing.holds(frames.shape)
    growing.abandon()
    assert list(tmp_path.iterdir()) == []


def test_who_is_cancelled_waits_no_longer(frames: Frames, tmp_path: Path) -> None:
    """And what was begun goes when it is abandoned."""
    held = threading.Event()

    def write(pictures: Iterator[Frames]) -> VideoFacts:
        next(pictures)
        held.wait(60)
        return write_video(pictures, tmp_path / "video.mp4", fps=8.0, metadata={})

    def cancelled() -> None:
        raise TaskCancelled("by its user")

    growing = GrowingVideo(write)
    growing.feed(frames)
    with pytest.raises(TaskCancelled):
        growing.finish(cancelled)
    held.set()
    growing.abandon()
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_hangs_is_not_said_to_be_at_work(frames: Frames, tmp_path: Path) -> None:
    """It is asked for no more pictures than it takes, and killed when it is abandoned."""
    stopped: list[int] = []

    def write(pictures: Iterator[Frames]) -> VideoFacts:
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-i", "pipe:0"]
        with ffmpeg.fed([*raw, str(tmp_path / "video.mp4")], doing="writing") as stdin:
            (child,) = ffmpeg._running
            child.send_signal(signal.SIGSTOP)
            stopped.append(child.pid)
            for picture in pictures:
                stdin.write(picture.data)
        raise AssertionError("the encoder went on")

    growing = GrowingVideo(write)
    growing.feed(frames)
    checks: list[int] = []

    def check() -> None:
        checks.append(growing.taken)

    waiting = threading.Thread(target=_quietly, args=(growing, check), daemon=True)
    waiting.start()
    wait_for(lambda: stopped and growing.taken > 3, "pictures that are taken", 60)
    growing.abandon()
    waiting.join(60)
    assert not waiting.is_alive()
    assert len(checks) == len(set(checks))
    assert not ffmpeg._running


def _quietly(growing: GrowingVideo, check: Callable[[], None]) -> None:
    with contextlib.suppress(Exception):
        growing.finish(check)
