"""Splitting a journey: how much neighbouring segments overlap, and how long the whole is."""

from collections.abc import Sequence
from typing import Any

from worker.errors import InvalidParameter
from worker.params import checks
from worker.params.frames import MAX_FRAMES

MAX_SEGMENTS = 1000


def parse_overlaps(value: Any, field: str) -> tuple[int, ...] | None:
    """Return a payload's list of overlaps, a null in it as 0; None where there is no list."""
    if value is None:
        return None
    return tuple(
        0 if item is None else checks.integer(f"{field}[{index}]", item, low=0, high=MAX_FRAMES)
        for index, item in enumerate(checks.sequence(field, value))
    )


def expand_overlaps(
    overlaps: Any, frames: Sequence[int], *, field: str = "frame_overlap_expanded"
) -> tuple[int, ...]:
    """Return the overlap in frames of each of the N - 1 joins of N segments.

    Each is floored to an even number and capped by the length of both its neighbours. What is
    missing (a null too) is 0; what is there beyond N - 1 belongs to no join and is left out.

    Args:
        overlaps: The payload's list, or None.
        frames: Length of each segment.
        field: Where the list stands, for refusals.
    """
    asked = list(parse_overlaps(overlaps, field) or ())
    joins = max(len(frames) - 1, 0)
    asked = asked[:joins] + [0] * (joins - len(asked))
    capped = (
        min(value, left, right)
        for value, left, right in zip(asked, frames[:-1], frames[1:], strict=True)
    )
    return tuple(value - value % 2 for value in capped)


def timeline_frames(frames: Sequence[int], overlaps: Sequence[int]) -> int:
    """Return the length of the joined video: all frames, less what is shown twice."""
    if len(overlaps) != max(len(frames) - 1, 0):
        problem = f"has {len(overlaps)} overlaps for {len(frames)} segments"
        raise InvalidParameter("frame_overlap_expanded", list(overlaps), problem)
    return sum(frames) - sum(overlaps)
