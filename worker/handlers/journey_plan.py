"""What a journey is split into: its segments, the stitch that joins them, the request of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from worker.engines.base import ModelDefinition
from worker.handlers.payloads.generation import check_unused, parse_segment
from worker.handlers.payloads.journey import Journey, seed_from, segment_layer
from worker.params.frames import round_frames
from worker.params.journey import expand_overlaps, timeline_frames
from worker.params.parameters import DRAWN
from worker.params.payload import UnknownKeys
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve
from worker.task import SEGMENT, STITCH, NewTask, Task

# What a segment's own params carry over of what the plan says of it. The rest of the plan it
# reads where it stands, with its orchestrator.
CARRIED_OVER = (
    "base_prompt",
    "negative_prompt",
    "segment_frames_target",
    "parsed_resolution_wh",
    "phase_config",
    "additional_loras",
    "end_image",
)
_STITCH_SETTINGS = ("crossfade_sharp_amt", "parsed_resolution_wh")
_FPS_NAMES = ("fps_final_video", "fps_helpers", "fps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a journey comes to.

    Attributes:
        segments: The travel_segment children, in order.
        stitch: The travel_stitch child, if there is one.
        frames: Frames of each segment, rounded as the model rounds them.
        overlaps: Frames shared at each join.
        seed: The seed of every segment.
        seed_asked: What the journey says of it, -1 where it was drawn.
    """

    segments: tuple[NewTask, ...]
    stitch: NewTask | None
    frames: tuple[int, ...]
    overlaps: tuple[int, ...]
    seed: int
    seed_asked: int

    @property
    def children(self) -> tuple[NewTask, ...]:
        """Every child, in the order of insertion."""
        return self.segments if self.stitch is None else (*self.segments, self.stitch)

    @property
    def summary(self) -> dict[str, Any]:
        """What the orchestrator's result says of the plan."""
        return {
            "segments": len(self.segments),
            "stitched": self.stitch is not None,
            "segment_frames": list(self.frames),
            "overlaps": list(self.overlaps),
            "frames": timeline_frames(self.frames, self.overlaps),
            "seed": self.seed,
            "seed_asked": self.seed_asked,
        }


def plan_journey(
    journey: Journey, task: Task | NewTask, model: ModelDefinition, *, unknown: UnknownKeys
) -> Plan:
    """Plan the children of a journey. Pure: the same task gives the same plan.

    What a segment would be refused for is refused here, by its path in the orchestrator's payload.
    Raises `InvalidTask`.
    """
    check_unused(journey.pictures, task.task_type, model.kind, model.name)
    frames = tuple(
        round_frames(asked, stride=model.frame_stride, minimum=model.min_frames)
        for asked in journey.frames
    )
    overlaps = expand_overlaps(
        journey.overlaps, frames, field=journey.path("frame_overlap_expanded")
    )
    seed = seed_from(task.id) if journey.seed is None else journey.seed
    _check_segments(journey, model, seed, unknown)
    segments = _segments(journey, task, overlaps, seed)
    stitched = journey.stitch
    if stitched is None:
        stitched = len(segments) > 1 and (journey.chained or any(overlaps))
    return Plan(
        segments=segments,
        stitch=_stitch(journey, task, segments, overlaps) if stitched else None,
        frames=frames,
        overlaps=overlaps,
        seed=seed,
        seed_asked=DRAWN if journey.seed is None else journey.seed,
    )


def requests_of(
    plan: Plan, task: Task | NewTask, model: ModelDefinition
) -> tuple[GenerationRequest, ...]:
    """Resolve each segment of a plan, as it will be when it runs."""
    segments = (parse_segment(child.params, task.params) for child in plan.segments)
    return tuple(
        resolve(model, segment.generation.layers, draw_seed=lambda: plan.seed, recorded=False)
        for segment in segments
    )


def _check_segments(
    journey: Journey, model: ModelDefinition, seed: int, unknown: UnknownKeys
) -> None:
    for index in range(len(journey.frames)):
        layer = segment_layer(journey.details, index, field=journey.field)
        resolve(model, [layer], draw_seed=lambda: seed, unknown=unknown, recorded=False)


def _segments(
    journey: Journey, task: Task | NewTask, overlaps: Sequence[int], seed: int
) -> tuple[NewTask, ...]:
    segments: list[NewTask] = []
    for index in range(len(journey.frames)):
        previous = (segments[-1].id,) if journey.chained and segments else ()
        params = _segment_params(journey, task, index, overlaps) | {"seed_to_use": seed}
        segments.append(_child(task, SEGMENT, f"segment/{index}", params, previous))
    return tuple(segments)


def _segment_params(
    journey: Journey, task: Task | NewTask, index: int, overlaps: Sequence[int]
) -> dict[str, Any]:
    planned = segment_layer(journey.details, index, field=journey.field).values
    last = len(journey.frames) - 1
    params = {
        "orchestrator_task_id_ref": str(task.id),
        "orchestrator_run_id": _run_id(journey, task),
        "segment_index": index,
        "is_first_segment": index == 0,
        "is_last_segment": index == last,
        "model_name": journey.model,
        "frame_overlap_from_previous": overlaps[index - 1] if index > 0 else 0,
        "frame_overlap_with_next": overlaps[index] if index < last else 0,
        **{key: planned[key] for key in CARRIED_OVER if planned.get(key) is not None},
    }
    # A chained segment starts from the one before, and only the first from a picture.
    if index == 0 or not journey.chained:
        params["start_image"] = planned["start_image"]
    return params


def _stitch(
    journey: Journey, task: Task | NewTask, segments: Sequence[NewTask], overlaps: Sequence[int]
) -> NewTask:
    details = journey.details
    fps = next((details[key] for key in _FPS_NAMES if details.get(key) is not None), None)
    params = {
        "orchestrator_task_id_ref": str(task.id),
        "orchestrator_run_id": _run_id(journey, task),
        "num_total_segments_generated": len(segments),
        "frame_overlap_settings_expanded": list(overlaps),
        **{key: details[key] for key in _STITCH_SETTINGS if details.get(key) is not None},
        **({} if fps is None else {"fps_final_video": fps}),
    }
    return _child(task, STITCH, "stitch", params, tuple(segment.id for segment in segments))


def _run_id(journey: Journey, task: Task | NewTask) -> str:
    return str(task.id) if journey.run_id is None else journey.run_id


def _child(
    task: Task | NewTask,
    task_type: str,
    name: str,
    params: dict[str, Any],
    dependant_on: tuple[UUID, ...],
) -> NewTask:
    return NewTask(
        # Made from the parent's, so that the same plan names the same dependencies.
        id=uuid5(task.id, name),
        task_type=task_type,
        params=params,
        dependant_on=dependant_on,
        parent_id=task.id,
        project_id=task.project_id,
        idempotency_key=f"{task.id}/{name}",
    )
