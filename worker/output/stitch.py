"""Join segments into one video: end to end, or cross-faded where they overlap."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def crossfade_weights(overlap: int, *, sharpness: float = 0.0) -> "NDArray[np.float32]":
    """Return how much of the later segment each frame of an overlap shows, from near 0 to near 1.

    Frame j of n (from 0) shows w = (j + 1) / (n + 1): no frame of the overlap is of one segment
    alone, so the fade begins and ends without a doubled frame. `sharpness` s of 0 to 1 bends this
    line into an S: w' = w^p / (w^p + (1 - w)^p) with p = 1 / (1 - s). 0 leaves it straight; 1 is
    a hard cut in the middle.
    """
    line = np.arange(1, overlap + 1, dtype=np.float32) / np.float32(overlap + 1)
    if sharpness <= 0:
        weights = line
    elif sharpness >= 1:
        weights = np.heaviside(line - np.float32(0.5), np.float32(0.5))
    else:
        power = np.float32(1 / (1 - sharpness))
        # The same as a hyperbolic tangent: the powers themselves overflow for a great p.
        weights = (1 + np.tanh(power / 2 * np.log(line / (1 - line)))) / 2
    return weights.astype(np.float32)


def crossfade(
    earlier: "NDArray[np.uint8]", later: "NDArray[np.uint8]", *, sharpness: float = 0.0
) -> "NDArray[np.uint8]":
    """Blend two stretches of equal shape (frames, height, width, 3), linearly, in float32."""
    blended = np.empty_like(earlier)
    # Frame by frame: in float32 a whole overlap would take four times its memory, thrice.
    for index, weight in enumerate(crossfade_weights(len(earlier), sharpness=sharpness)):
        before = earlier[index].astype(np.float32)
        blended[index] = np.rint(before + weight * (later[index].astype(np.float32) - before))
    return blended


def stitch(
    segments: "Iterable[NDArray[np.uint8]]", overlaps: Sequence[int], *, sharpness: float = 0.0
) -> "Iterator[NDArray[np.uint8]]":
    """Yield the joined video in stretches of frames: Σ frames - Σ overlaps in all.

    Holds one segment and the next at a time. The last `overlaps[i]` frames of segment i are the
    first of segment i + 1, blended; with 0 they follow one another.

    Args:
        segments: Each (frames, height, width, 3), uint8, in order.
        overlaps: One fewer than there are segments.
        sharpness: See `crossfade_weights`.

    Raises:
        OutputError: Sizes differ, an overlap is longer than a neighbour, or the numbers of
            segments and overlaps do not fit.
    """
    held: NDArray[np.uint8] | None = None
    count = 0
    for count, segment in enumerate(segments, start=1):
        if held is None:
            held = segment
            continue
        overlap = _overlap(overlaps, count, held, segment)
        yield held[: len(held) - overlap]
        blended = crossfade(held[len(held) - overlap :], segment[:overlap], sharpness=sharpness)
        # The blended frames stay held: the next overlap may reach back into them.
        held = np.concatenate([blended, segment[overlap:]]) if overlap else segment
    if held is None or len(overlaps) != count - 1:
        raise OutputError(f"{count} segments cannot be joined over {len(overlaps)} overlaps")
    yield held


def _overlap(
    overlaps: Sequence[int],
    index: int,
    earlier: "NDArray[np.uint8]",
    later: "NDArray[np.uint8]",
) -> int:
    """Return the overlap at the join before segment `index` (from 1), once it is known to fit."""
    if earlier.shape[1:] != later.shape[1:]:
        raise OutputError(
            f"segment {index - 1} is {_size(later)}, the one before is {_size(earlier)}: "
            "all segments of a video must have one size"
        )
    overlap = overlaps[index - 2] if index - 2 < len(overlaps) else 0
    if not 0 <= overlap <= min(len(earlier), len(later)):
        raise OutputError(
            f"an overlap of {overlap} frames does not fit segments of "
            f"{len(earlier)} and {len(later)} frames"
        )
    return overlap


def _size(frames: "NDArray[np.uint8]") -> str:
    return f"{frames.shape[2]}x{frames.shape[1]}"
