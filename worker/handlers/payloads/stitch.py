"""What a travel_stitch asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.params import checks
from worker.params.journey import MAX_SEGMENTS, parse_overlaps

MAX_FPS = 240
SHARPNESS = "crossfade_sharp_amt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stitch:
    """Segments to be joined.

    Attributes:
        segments: How many there must be; None where the task does not say.
        overlaps: As asked, one a join; None for no overlaps. Capped by the segments' real lengths
            once these are known.
        sharpness: `crossfade_sharp_amt`, 0 (linear) to 1 (a hard cut); see
            `worker.output.stitch.crossfade_weights`.
        fps: None for that of the segments.
    """

    segments: int | None
    overlaps: tuple[int, ...] | None
    sharpness: float
    fps: float | None


def parse_stitch(params: Mapping[str, Any]) -> Stitch:
    """Read the params of a travel_stitch. Raises `InvalidTask` with the field's dotted path."""
    given = {
        key: value for key, value in checks.mapping("params", params).items() if value is not None
    }
    segments = given.get("num_total_segments_generated")
    overlaps = "frame_overlap_settings_expanded"
    fps = given.get("fps_final_video")
    return Stitch(
        segments=None
        if segments is None
        else checks.integer("num_total_segments_generated", segments, low=1, high=MAX_SEGMENTS),
        overlaps=parse_overlaps(given.get(overlaps), overlaps),
        sharpness=parse_sharpness(SHARPNESS, given.get(SHARPNESS, 0)),
        fps=None if fps is None else checks.number("fps_final_video", fps, low=1, high=MAX_FPS),
    )


def parse_sharpness(field: str, value: Any) -> float:
    """Return how sharp the cross-fades are, 0 (linear) to 1 (a hard cut)."""
    return checks.number(field, value, low=0, high=1)
