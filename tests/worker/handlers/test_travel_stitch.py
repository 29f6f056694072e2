"""Joining a journey's segments."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest

from worker.errors import InputError, InvalidTask
from worker.handlers.registry import handler_for
from worker.task import Dependency, Done
from worker.video.files import read_frames, write_video
from worker.video.probing import VideoFacts, probe_video

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench


def run(bench: "Bench", segments: list[Dependency], **params: Any) -> Done:
    """Run the stitch's handler."""
    context = bench.context("travel_stitch", params, dependencies=tuple(segments))
    outcome = handler_for("travel_stitch").run(context)
    assert isinstance(outcome, Done)
    return outcome


def segment(
    bench: "Bench", index: int, grey: int, *, frames: int = 9, fps: float = 8, width: int = 64
) -> Dependency:
    """Write a segment of one grey."""
    path = bench.folder / f"{index}.mp4"
    pictures = np.full((frames, 48, width, 3), grey, np.uint8)
    write_video(pictures, path, fps=fps, metadata={}, crf=0)
    return Dependency(
        id=uuid4(),
        task_type="travel_segment",
        params={"segment_index": index},
        output_location=str(path),
    )


def greys(video: Path) -> list[int]:
    """Return the brightness of each frame."""
    return [round(float(frame.mean())) for frame in read_frames(video)]


def test_without_overlaps_the_segments_follow_one_another(bench: "Bench") -> None:
    """Every frame of each."""
    done = run(bench, [segment(bench, 0, 60), segment(bench, 1, 160)])
    assert greys(done.files[0]) == pytest.approx([60] * 9 + [160] * 9, abs=2)


def test_an_overlap_is_cross_faded_linearly(bench: "Bench") -> None:
    """Over 4 frames: a fifth of the way each."""
    segments = [segment(bench, 0, 60), segment(bench, 1, 160)]
    done = run(bench, segments, frame_overlap_settings_expanded=[4])
    expected = [60] * 5 + [80, 100, 120, 140] + [160] * 5
    assert greys(done.files[0]) == pytest.approx(expected, abs=2)


def test_the_total_is_all_frames_less_all_overlaps(bench: "Bench") -> None:
    """Exactly, and at the segments' rate."""
    segments = [segment(bench, index, 60 * index, frames=9 + 4 * index) for index in range(3)]
    done = run(bench, segments, frame_overlap_settings_expanded=[4, 6])
    assert probe_video(done.files[0]) == VideoFacts(
        frames=9 + 13 + 17 - 10, fps=8, width=64, height=48
    )
    assert done.result["frames"] == 29


def test_segments_are_joined_by_their_index(bench: "Bench") -> None:
    """Whatever the order of the dependencies."""
    segments = [segment(bench, 2, 200), segment(bench, 0, 20), segment(bench, 1, 100)]
    done = run(bench, segments, num_total_segments_generated=3)
    assert greys(done.files[0])[::9] == pytest.approx([20, 100, 200], abs=2)


def test_the_joined_video_has_the_quality_that_the_setting_says(bench: "Bench") -> None:
    """x264 writes what it was given into the file."""
    segments = (segment(bench, 0, 60), segment(bench, 1, 160))
    context = bench.context("travel_stitch", {}, dependencies=segments)
    outcome = handler_for("travel_stitch").run(dataclasses.replace(context, video_crf=31))
    assert isinstance(outcome, Done)
    assert b" crf=31.0 " in outcome.files[0].read_bytes()


def test_the_rate_asked_for_is_the_videos(bench: "Bench") -> None:
    """Else it is that of the segments."""
    done = run(bench, [segment(bench, 0, 60)], fps_final_video=16)
    assert probe_video(done.files[0]) == VideoFacts(frames=9, fps=16, width=64, height=48)


def test_the_thumbnail_lies_beside_the_video(bench: "Bench") -> None:
    """A jpg of the first frame."""
    done = run(bench, [segment(bench, 0, 60), segment(bench, 1, 160)])
    assert [file.name for file in done.files] == ["video.mp4", "thumbnail.jpg"]
    assert done.files[1].read_bytes()[:2] == b"\xff\xd8"


def test_other_dependencies_are_left_out(bench: "Bench") -> None:
    """Only segments are joined."""
    other = Dependency(id=uuid4(), task_type="t2v", params={}, output_location=None)
    assert run(bench, [segment(bench, 0, 60), other]).result["segments"] == 1


def test_a_stitch_of_nothing_is_refused(bench: "Bench") -> None:
    """It has nothing to join."""
    with pytest.raises(InvalidTask, match="dependant_on"):
        run(bench, [])


def test_a_segment_too_few_is_refused(bench: "Bench") -> None:
    """Both numbers are named."""
    with pytest.raises(InvalidTask, match=r"num_total_segments_generated = 2.*the 1 segments"):
        run(bench, [segment(bench, 0, 60)], num_total_segments_generated=2)


def test_two_segments_of_one_index_are_refused(bench: "Bench") -> None:
    """There is no order between them."""
    with pytest.raises(InvalidTask, match="two segments of one segment_index"):
        run(bench, [segment(bench, 0, 60), segment(bench, 0, 60)])


@pytest.mark.parametrize(
    ("other", "words"),
    [({"width": 80}, "80x48.*64x48"), ({"fps": 16}, "at 16.000.*at 8.000")],
)
def test_segments_that_differ_are_refused(
    bench: "Bench", other: dict[str, Any], words: str
) -> None:
    """Both looks are named."""
    with pytest.raises(InputError, match=words):
        run(bench, [segment(bench, 0, 60), segment(bench, 1, 60, **other)])


def test_a_segment_that_is_no_video_is_named(bench: "Bench") -> None:
    """By its location."""
    broken = segment(bench, 0, 60)
    assert broken.output_location is not None
    Path(broken.output_location).write_bytes(b"no video")
    with pytest.raises(InputError, match=r"0\.mp4.*no video that can be joined"):
        run(bench, [broken])


def test_a_sharpness_outside_0_to_1_is_refused(bench: "Bench") -> None:
    """By its name."""
    with pytest.raises(InvalidTask, match="crossfade_sharp_amt = 2"):
        run(bench, [segment(bench, 0, 60)], crossfade_sharp_amt=2)
