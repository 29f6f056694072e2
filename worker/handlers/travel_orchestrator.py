"""Planning a journey: N + 1 pictures become N segments, and a stitch where they must be joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from telemetry import names
from worker.engines.base import ModelDefinition
from worker.handlers.base import Context
from worker.handlers.payloads.journey import Journey, parse_journey, seed_from, segment_values
from worker.handlers.stages import stage
from worker.handlers.validation import check_journey
from worker.params.frames import round_frames
from worker.params.journey import expand_overlaps, timeline_frames
from worker.task import ORCHESTRATOR, SEGMENT, STITCH, NewTask, Outcome, Spawned, Task

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


class TravelOrchestrator:
    """Does travel_orchestrator: plans, and leaves the work to its children.

    Planned again, it plans the same children under the same ids and idempotency keys, so nothing
    is doubled. It needs no device and no model's weights.
    """

    task_types: tuple[str, ...] = (ORCHESTRATOR,)

    def run(self, context: Context) -> Outcome:
        """Check the whole payload, then plan every child; a bad payload plans none."""
        task = context.claim.task
        with stage(context, "inputs") as span:
            journey = parse_journey(task.params)
            model = context.engine.model_def(journey.model)
            check_journey(journey, inputs=context.inputs)
            span.set_attribute(names.INPUT_PICTURES, len(journey.images))
        with stage(context, "parameters") as span:
            plan = plan_journey(journey, task, model)
            span.set_attribute(names.JOURNEY_SEGMENTS, len(plan.segments))
        return Spawned(children=plan.children, result=plan.summary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a journey comes to.

    Attributes:
        segments: The travel_segment children, in order.
        stitch: The travel_stitch child, if there is one.
        frames: Frames of each segment, rounded as the model rounds them.
        overlaps: Frames shared at each join.
        seed: The seed of every segment.
    """

    segments: tuple[NewTask, ...]
    stitch: NewTask | None
    frames: tuple[int, ...]
    overlaps: tuple[int, ...]
    seed: int

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
        }


def plan_journey(journey: Journey, task: Task, model: ModelDefinition) -> Plan:
    """Plan the children of a checked journey. Pure: the same task gives the same plan."""
    frames = tuple(
        round_frames(asked, stride=model.frame_stride, minimum=model.min_frames)
        for asked in journey.frames
    )
    overlaps = expand_overlaps(
        journey.overlaps, frames, field=journey.path("frame_overlap_expanded")
    )
    seed = seed_from(task.id) if journey.seed is None else journey.seed
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
    )


def _segments(
    journey: Journey, task: Task, overlaps: Sequence[int], seed: int
) -> tuple[NewTask, ...]:
    segments: list[NewTask] = []
    for index in range(len(journey.frames)):
        previous = (segments[-1].id,) if journey.chained and segments else ()
        params = _segment_params(journey, task, index, overlaps) | {"seed_to_use": seed}
        segments.append(_child(task, SEGMENT, f"segment/{index}", params, previous))
    return tuple(segments)


def _segment_params(
    journey: Journey, task: Task, index: int, overlaps: Sequence[int]
) -> dict[str, Any]:
    planned = segment_values(journey.details, index)
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
    journey: Journey, task: Task, segments: Sequence[NewTask], overlaps: Sequence[int]
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


def _run_id(journey: Journey, task: Task) -> str:
    return str(task.id) if journey.run_id is None else journey.run_id


def _child(
    task: Task,
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
