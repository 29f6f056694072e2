"""What can be measured of a video of one shape before a sky."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.demo.scenes import COLOURS, Scene

Array = np.ndarray[Any, Any]

# A pixel belongs to the shape when it is this much of the way from the sky's colour to the shape's.
_SHAPE, _GHOST = 0.5, 0.25
# What has less than this of the shape's area is a flaw of its edge and no second shape.
_SPECK = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Of one video against the two scenes it is to lead from and to.

    Attributes:
        ends: Mean distance of the first and the last frame to the pictures, 0 … 1.
        blobs: The most separate shapes in a frame.
        astray: How far the shape's centre is from the straight, eased way, at worst, in heights
            of the frame.
        jerk: The greatest second difference of the centre's place, in heights of the frame.
        forth: Whether the shape is always there and never turns back by more than a pixel.
        area: The shape's area against the pictures', at worst, as a quotient below 1.
        colour: Mean distance of the shape's colour to the pictures', at worst, 0 … 1.
        height: How far the centre is above the straight way, at most, in heights of the frame.
    """

    ends: float
    blobs: int
    astray: float
    jerk: float
    forth: bool
    area: float
    colour: float
    height: float


def measure(frames: Array, truth: Array, first: Scene) -> Measures:
    """Measure a video; `truth` is the way as it was drawn, straight; both 0 … 1."""
    shares, true_shares = (_shares(video, first) for video in (frames, truth))
    masks, true_masks = shares > _SHAPE, true_shares > _SHAPE
    size = frames.shape[1]
    centres, true_centres = (_centres(video) / size for video in (masks, true_masks))
    least = _SPECK * true_masks[0, ::2, ::2].sum()
    areas = masks.sum((1, 2)) / true_masks.sum((1, 2))
    way = true_centres[-1] - true_centres[0]
    forward = np.diff(centres @ way / np.linalg.norm(way))
    return Measures(
        ends=float(np.abs(frames[[0, -1]] - truth[[0, -1]]).mean()),
        blobs=max(_count_blobs(share > _GHOST, least) for share in shares[:, ::2, ::2]),
        astray=float(np.linalg.norm(centres - true_centres, axis=1).max()),
        jerk=float(np.linalg.norm(np.diff(centres, n=2, axis=0), axis=1).max()),
        forth=bool(masks.any((1, 2)).all() and (forward > -1 / size).all()),
        area=float(np.minimum(areas, 1 / np.maximum(areas, 1e-6)).min()),
        colour=max(
            _colour_distance(*one) for one in zip(frames, masks, truth, true_masks, strict=True)
        ),
        height=float((true_centres - centres)[:, 0].max()),
    )


def _shares(video: Array, scene: Scene) -> Array:
    """Say of each pixel how far it is from the sky's colour to the shape's."""
    sky = np.median(video, axis=2, keepdims=True)
    towards = np.array(COLOURS[scene.colour]) - sky
    shares: Array = ((video - sky) * towards).sum(3) / (towards**2).sum(3)
    return shares


def _centres(masks: Array) -> Array:
    """Return where each frame's shape is, down and across, in pixels; nowhere is the corner."""
    rows, columns = np.mgrid[: masks.shape[1], : masks.shape[2]]
    count = np.maximum(masks.sum((1, 2)), 1)
    return np.stack([(masks * axis).sum((1, 2)) / count for axis in (rows, columns)], axis=1)


def _colour_distance(frame: Array, mask: Array, truth: Array, true_mask: Array) -> float:
    if not mask.any():
        return 1.0
    return float(np.abs(frame[mask].mean(0) - truth[true_mask].mean(0)).mean())


def _count_blobs(mask: Array, least: float) -> int:
    """Count the shapes that hang together, specks apart."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    count = 0
    while left:
        reached, size = [left.pop()], 0
        while reached:
            row, column = reached.pop()
            size += 1
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                beside = (row + down, column + right)
                if beside in left:
                    left.remove(beside)
                    reached.append(beside)
        count += int(size >= least)
    return count
