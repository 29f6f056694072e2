"""Joining frames."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import OutputError
from worker.output.stitch import crossfade, crossfade_weights, stitch
from worker.params.journey import expand_overlaps, timeline_frames


def grey(*values: int, size: tuple[int, int] = (2, 2)) -> Any:
    """Make a segment of one grey a frame."""
    frames = np.array(values, np.uint8)[:, None, None, None]
    return np.broadcast_to(frames, (len(values), *size, 3)).copy()


def joined(*segments: Any, overlaps: list[int], sharpness: float = 0.0) -> list[int]:
    """Join segments and return the grey of each frame."""
    stretches = list(stitch(segments, overlaps, sharpness=sharpness))
    return [int(value) for value in np.concatenate(stretches)[:, 0, 0, 0]]


def test_without_an_overlap_frames_follow_one_another() -> None:
    """Each as it was."""
    assert joined(grey(1, 2, 3), grey(4, 5), overlaps=[0]) == [1, 2, 3, 4, 5]


def test_an_overlap_is_blended_in_equal_steps() -> None:
    """Two frames: a third and two thirds of the way."""
    assert joined(grey(30, 30, 30), grey(90, 90, 90), overlaps=[2]) == [30, 50, 70, 90]


def test_blending_rounds_to_the_nearest() -> None:
    """33.3 is 33, 66.7 is 67: cutting off would darken every overlap."""
    assert joined(grey(0, 0), grey(100, 100), overlaps=[2]) == [33, 67]


def test_an_overlap_may_reach_into_the_blended_frames_of_the_one_before() -> None:
    """Three segments of four frames that overlap by all four are four frames."""
    frames = joined(grey(*[0] * 4), grey(*[50] * 4), grey(*[100] * 4), overlaps=[4, 4])
    assert len(frames) == 4


def test_one_segment_is_itself() -> None:
    """There is no join."""
    assert joined(grey(1, 2), overlaps=[]) == [1, 2]


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=5), st.lists(st.integers(0, 30), max_size=4)
)
def test_the_total_is_all_frames_less_all_overlaps(lengths: list[int], asked: list[int]) -> None:
    """Exactly, with the overlaps as they are capped."""
    overlaps = expand_overlaps(asked, lengths)
    frames = joined(*(grey(*[7] * length) for length in lengths), overlaps=list(overlaps))
    assert len(frames) == timeline_frames(lengths, overlaps)


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
def test_a_blend_stays_between_its_two_frames(low: int, high: int, sharpness: float) -> None:
    """Nothing wraps around, whatever the sharpness."""
    low, high = sorted((low, high))
    blended = crossfade(grey(*[low] * 6), grey(*[high] * 6), sharpness=sharpness)
    assert blended.min() >= low
    assert blended.max() <= high


@given(st.integers(1, 40), st.floats(0, 1))
def test_weights_rise_and_mirror_each_other(overlap: int, sharpness: float) -> None:
    """What one segment loses, the other wins."""
    weights = crossfade_weights(overlap, sharpness=sharpness)
    assert np.all(np.diff(weights) >= 0)
    assert weights + weights[::-1] == pytest.approx(np.ones(overlap), abs=1e-5)


def test_sharpness_one_is_a_hard_cut_in_the_middle() -> None:
    """And 0 is a straight line."""
    assert list(crossfade_weights(4, sharpness=1)) == [0, 0, 1, 1]
    assert list(crossfade_weights(4)) == pytest.approx([0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize(
    ("segments", "overlaps", "words"),
    [
        ([grey(1), grey(1, size=(2, 4))], [0], "4x2.*2x2"),
        ([grey(1, 1), grey(1)], [2], "overlap of 2 frames does not fit segments of 2 and 1"),
        ([grey(1, 1), grey(1)], [], "2 segments cannot be joined over 0 overlaps"),
        ([grey(1, 1), grey(1)], [0, 0], "2 segments cannot be joined over 2 overlaps"),
        ([], [], "0 segments"),
    ],
)
def test_what_does_not_fit_is_refused(segments: list[Any], overlaps: list[int], words: str) -> None:
    """With the figures."""
    with pytest.raises(OutputError, match=words):
        joined(*segments, overlaps=overlaps)
