"""Overlaps of a journey and the length of its timeline."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import InvalidParameter
from worker.params.journey import expand_overlaps, timeline_frames


@pytest.mark.parametrize(
    ("overlaps", "frames", "expected"),
    [
        ([10, 10], [81, 81, 81], (10, 10)),
        ([11, 1], [81, 81, 81], (10, 0)),
        ([10], [81, 81, 81], (10, 0)),
        (None, [81, 81], (0,)),
        ([None, 8], [81, 81, 81], (0, 8)),
        ([100, 100], [81, 17, 33], (16, 16)),
        ([10, 10, 10], [81, 81, 81], (10, 10)),
        ([10], [81], ()),
        ([], [], ()),
    ],
)
def test_overlaps_are_one_a_join(
    overlaps: Any, frames: list[int], expected: tuple[int, ...]
) -> None:
    """N - 1 values, even, capped by both neighbours; what is missing is 0."""
    assert expand_overlaps(overlaps, frames) == expected


@pytest.mark.parametrize(
    ("overlaps", "field"),
    [
        (10, "frame_overlap_expanded"),
        ({"0": 10}, "frame_overlap_expanded"),
        (["10"], "frame_overlap_expanded[0]"),
        ([4, -2], "frame_overlap_expanded[1]"),
        ([4.0], "frame_overlap_expanded[0]"),
        ([True], "frame_overlap_expanded[0]"),
    ],
)
def test_bad_overlaps_are_refused_by_name(overlaps: Any, field: str) -> None:
    """The refusal names the entry."""
    with pytest.raises(InvalidParameter) as caught:
        expand_overlaps(overlaps, [81, 81, 81])
    assert caught.value.field == field


def test_the_timeline_is_all_frames_less_the_overlaps() -> None:
    """Three segments of 81 with two overlaps of 10."""
    assert timeline_frames([81, 81, 81], [10, 10]) == 223


def test_a_timeline_needs_an_overlap_a_join() -> None:
    """Too few overlaps are refused rather than guessed."""
    with pytest.raises(InvalidParameter, match="1 overlaps for 3 segments"):
        timeline_frames([81, 81, 81], [10])


@given(
    overlaps=st.lists(st.integers(0, 200), max_size=12),
    frames=st.lists(st.integers(5, 200), min_size=1, max_size=10),
)
def test_overlaps_are_even_and_fit_both_neighbours(overlaps: list[int], frames: list[int]) -> None:
    """Whatever is asked, each overlap fits and expanding again changes nothing."""
    expanded = expand_overlaps(overlaps, frames)
    neighbours = itertools.pairwise(frames)
    assert all(
        value % 2 == 0 and value <= min(pair)
        for value, pair in zip(expanded, neighbours, strict=True)
    )
    assert expand_overlaps(expanded, frames) == expanded
