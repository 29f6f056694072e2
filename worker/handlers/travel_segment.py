"""Segments of a journey: one video from picture i to picture i + 1."""

import dataclasses
from typing import TYPE_CHECKING

from telemetry import names
from worker.handlers.base import Context
from worker.handlers.generate import fetch_pictures
from worker.handlers.generation import generate_video
from worker.handlers.outputs import fetch_output
from worker.handlers.payloads.generation import check_pictures, parse_segment
from worker.handlers.stages import stage
from worker.inputs.sources import input_error
from worker.task import INDIVIDUAL_SEGMENT, SEGMENT, Dependency, Outcome

if TYPE_CHECKING:
    from PIL.Image import Image

SEGMENT_TYPES = (SEGMENT, INDIVIDUAL_SEGMENT)


class TravelSegment:
    """Does travel_segment, and individual_travel_segment: a segment made again alone.

    A segment that depends on another goes on from it: its start image is the frame of that video
    at which their overlap begins, or the last one where they do not overlap. A picture that the
    segment names itself comes first; its journey's picture comes last.
    """

    task_types: tuple[str, ...] = SEGMENT_TYPES

    def run(self, context: Context) -> Outcome:
        """Generate the segment's video."""
        claim = context.claim
        with stage(context, "inputs") as span:
            segment = parse_segment(claim.task.params, claim.parent_params)
            model = context.engine.model_def(segment.generation.model)
            previous = previous_segment(context)
            chained = previous is not None
            generation = segment.started(chained=chained)
            check_pictures(generation, claim.task.task_type, model.kind, chained=chained)
            pictures = fetch_pictures(context, generation)
            if pictures.start is None and previous is not None:
                start = _last_frame(context, previous, segment.overlap_from_previous)
                pictures = dataclasses.replace(pictures, start=start)
            span.set_attribute(names.INPUT_PICTURES, pictures.count)
        return generate_video(context, generation, model, pictures)


def previous_segment(context: Context) -> Dependency | None:
    """Return the segment that this one goes on from: the one that it depends on, if any."""
    return next(
        (item for item in context.claim.dependencies if item.task_type in SEGMENT_TYPES), None
    )


def _last_frame(context: Context, previous: Dependency, overlap: int) -> "Image":
    from PIL import Image

    from worker.video.files import read_frames

    output = fetch_output(context, previous)
    frames = read_frames(output.path)
    if overlap > len(frames):
        problem = f"has {len(frames)} frames, fewer than the overlap of {overlap}"
        raise input_error(output.location, problem)
    return Image.fromarray(frames[len(frames) - max(overlap, 1)])
