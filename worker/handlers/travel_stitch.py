"""The stitch of a journey: its segments' videos become one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemetry import names
from worker.errors import InputError, InvalidTask, OutputError
from worker.handlers.base import Context
from worker.handlers.encoding import THUMBNAIL, VIDEO
from worker.handlers.generation import files_of
from worker.handlers.outputs import fetch_output
from worker.handlers.payloads.stitch import Stitch, parse_stitch
from worker.handlers.stages import each, stage
from worker.handlers.travel_segment import SEGMENT_TYPES
from worker.inputs.sources import input_error
from worker.params.journey import expand_overlaps, timeline_frames
from worker.task import STITCH, Dependency, Done, Outcome

if TYPE_CHECKING:
    from worker.video.files import Frame
    from worker.video.probing import VideoFacts

STITCH_OVERLAPS = "frame_overlap_settings_expanded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A segment's video on this machine, decoded once to know it."""

    path: Path
    facts: "VideoFacts"


class TravelStitch:
    """Does travel_stitch: joins the videos of the segments that it depends on, in their order.

    The video has exactly Σ frames - Σ overlaps frames.
    """

    task_types: tuple[str, ...] = (STITCH,)

    def run(self, context: Context) -> Outcome:
        """Join the segments' videos."""
        with stage(context, "inputs") as span:
            asked = parse_stitch(context.claim.task.params)
            segments = segments_in_order(context.claim.dependencies, asked)
            parts = [_part(context, segment) for segment in segments]
            span.set_attribute(names.INPUT_VIDEOS, len(parts))
            span.set_attribute(names.INPUT_BYTES, sum(part.path.stat().st_size for part in parts))
        with stage(context, "parameters"):
            _check_alike(parts)
            counts = [part.facts.frames for part in parts]
            overlaps = expand_overlaps(asked.overlaps, counts, field=STITCH_OVERLAPS)
            fps = parts[0].facts.fps if asked.fps is None else asked.fps
        written = _write(context, parts, overlaps, asked, fps)
        with stage(context, "output"):
            files = files_of(context.work_dir, VIDEO, THUMBNAIL)
        return Done(files=files, result=_result(written, overlaps, files))


def segments_in_order(dependencies: Sequence[Dependency], asked: Stitch) -> list[Dependency]:
    """Return the segments among the dependencies by their index; all must be there, once.

    Raises:
        InvalidTask: None is there, another number than asked, or two have one index.
    """
    segments = [item for item in dependencies if item.task_type in SEGMENT_TYPES]
    if not segments:
        raise InvalidTask("dependant_on", [], "must name the segments to be joined")
    if asked.segments not in {None, len(segments)}:
        problem = f"disagrees with the {len(segments)} segments that the task depends on"
        raise InvalidTask("num_total_segments_generated", asked.segments, problem)
    indexes = [_index(segment, place) for place, segment in enumerate(segments)]
    if len(set(indexes)) != len(indexes):
        raise InvalidTask("dependant_on", indexes, "names two segments of one segment_index")
    return [segment for _, segment in sorted(zip(indexes, segments, strict=True), key=_first)]


def _first(pair: tuple[int, Dependency]) -> int:
    return pair[0]


def _index(segment: Dependency, place: int) -> int:
    index = segment.params.get("segment_index")
    return index if isinstance(index, int) else place


def _part(context: Context, segment: Dependency) -> Part:
    from worker.video.probing import probe_video

    output = fetch_output(context, segment)
    try:
        return Part(path=output.path, facts=probe_video(output.path))
    except OutputError as error:
        raise input_error(output.location, f"is no video that can be joined: {error}") from error


def _check_alike(parts: Sequence[Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        ours, theirs = _look(part), _look(first)
        if ours != theirs:
            problem = f"is {ours}, and the first segment is {theirs}: they cannot be one video"
            raise InputError(str(part.path), problem)


def _look(part: Part) -> str:
    return f"{part.facts.width}x{part.facts.height} at {part.facts.fps:.3f} frames per second"


def _write(
    context: Context, parts: Sequence[Part], overlaps: Sequence[int], asked: Stitch, fps: float
) -> "VideoFacts":
    from worker.video.files import write_video

    total = timeline_frames([part.facts.frames for part in parts], overlaps)
    with stage(context, "encode") as span:
        span.set_attribute(names.OUTPUT_CRF, context.video_crf)
        video = context.work_dir / VIDEO
        frames = _frames(context, parts, overlaps, asked.sharpness)
        metadata = {"segments": str(len(parts)), "overlaps": ",".join(map(str, overlaps))}
        written = write_video(
            frames,
            video,
            fps=fps,
            metadata=metadata,
            crf=context.video_crf,
            preset=context.video_preset,
        )
        if written.frames != total:
            raise OutputError(f"the joined video has {written.frames} frames instead of {total}")
        span.set_attribute(names.OUTPUT_FRAMES, written.frames)
        span.set_attribute(names.OUTPUT_BYTES, video.stat().st_size)
    return written


def _frames(
    context: Context, parts: Sequence[Part], overlaps: Sequence[int], sharpness: float
) -> "Iterator[Frame]":
    """Yield the joined frames; the first is the thumbnail. Two segments are held at a time."""
    from worker.output.stitch import stitch
    from worker.video.files import read_frames, write_thumbnail

    segments = (read_frames(part.path) for part in parts)
    thumbnail = context.work_dir / THUMBNAIL
    for stretch in stitch(segments, overlaps, sharpness=sharpness):
        if len(stretch) and not thumbnail.exists():
            write_thumbnail(stretch[0], thumbnail)
        yield from each(context, stretch)


def _result(
    written: "VideoFacts", overlaps: Sequence[int], files: Sequence[Path]
) -> dict[str, Any]:
    return {
        "frames": written.frames,
        "fps": written.fps,
        "width": written.width,
        "height": written.height,
        "duration_s": written.frames / written.fps,
        "segments": len(overlaps) + 1,
        "overlaps": list(overlaps),
        "files": [file.name for file in files],
    }
