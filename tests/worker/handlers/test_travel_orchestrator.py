"""Planning: N + 1 pictures, N segments, a stitch where they must be joined."""

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from worker.errors import InputError, InvalidTask, UnknownModel
from worker.handlers.registry import handler_for
from worker.task import NewTask, Spawned

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

TASK_ID = UUID("8172a7f6-65d9-4a77-8fa7-54558e356286")
Details = Callable[..., dict[str, Any]]


def plan(bench: "Bench", params: dict[str, Any], task_id: UUID = TASK_ID) -> Spawned:
    """Run the orchestrator's handler."""
    context = bench.context("travel_orchestrator", params, task_id=task_id)
    outcome = handler_for("travel_orchestrator").run(context)
    assert isinstance(outcome, Spawned)
    return outcome


def children(bench: "Bench", details: dict[str, Any]) -> list[NewTask]:
    """Plan a journey and return its children."""
    return list(plan(bench, {"orchestrator_details": details}).children)


def test_four_pictures_become_three_segments_and_a_stitch(bench: "Bench", journey: Details) -> None:
    """Overlapping segments must be joined."""
    types = [child.task_type for child in children(bench, journey())]
    assert types == ["travel_segment"] * 3 + ["travel_stitch"]


def test_a_flat_payload_gives_the_same_plan(bench: "Bench", journey: Details) -> None:
    """Producers write the details under their name, or as the params themselves."""
    assert plan(bench, journey()) == plan(bench, {"orchestrator_details": journey()})


def test_segment_i_goes_from_picture_i_to_the_next(bench: "Bench", journey: Details) -> None:
    """Its own params say so: it needs nothing of its siblings."""
    images = journey()["input_image_paths_resolved"]
    pairs = [
        (child.params["start_image"], child.params["end_image"])
        for child in children(bench, journey())[:3]
    ]
    assert pairs == list(pairwise(images))


def test_a_segment_carries_its_place_in_the_journey(bench: "Bench", journey: Details) -> None:
    """All of what domain.md lists, and not the orchestrator's details."""
    middle = children(bench, journey())[1].params
    images = journey()["input_image_paths_resolved"]
    assert middle == {
        "orchestrator_task_id_ref": str(TASK_ID),
        "orchestrator_run_id": "run",
        "segment_index": 1,
        "is_first_segment": False,
        "is_last_segment": False,
        "base_prompt": "two",
        "negative_prompt": "dull",
        "segment_frames_target": 9,
        "frame_overlap_from_previous": 4,
        "frame_overlap_with_next": 4,
        "parsed_resolution_wh": "64x48",
        "model_name": "fade_i2v",
        "seed_to_use": 77,
        "start_image": images[1],
        "end_image": images[2],
    }


def test_children_belong_to_the_orchestrator_and_its_project(
    bench: "Bench", journey: Details
) -> None:
    """The store finds the family by the parent."""
    owners = {(child.parent_id, child.project_id) for child in children(bench, journey())}
    assert owners == {(TASK_ID, UUID(int=7))}


def test_keys_are_made_of_the_orchestrator_and_the_place(bench: "Bench", journey: Details) -> None:
    """A second planning inserts nothing."""
    keys = [child.idempotency_key for child in children(bench, journey())]
    assert keys == [*(f"{TASK_ID}/segment/{index}" for index in range(3)), f"{TASK_ID}/stitch"]


def test_planning_again_gives_the_very_same_children(bench: "Bench", journey: Details) -> None:
    """Ids too: a child that was inserted before is the one that others depend on."""
    assert children(bench, journey()) == children(bench, journey())


def test_independent_segments_depend_on_nothing(bench: "Bench", journey: Details) -> None:
    """They may all run at the same time."""
    segments = children(bench, journey())[:3]
    assert [child.dependant_on for child in segments] == [(), (), ()]


def test_chained_segments_depend_each_on_the_one_before(bench: "Bench", journey: Details) -> None:
    """A chain."""
    first, second, third, _ = children(bench, journey(chain_segments=True))
    assert [first.dependant_on, second.dependant_on, third.dependant_on] == [
        (),
        (first.id,),
        (second.id,),
    ]


def test_only_the_first_of_a_chain_starts_from_a_picture(bench: "Bench", journey: Details) -> None:
    """The others start from the end of the one before."""
    segments = children(bench, journey(chain_segments=True))[:3]
    assert ["start_image" in child.params for child in segments] == [True, False, False]


def test_the_stitch_depends_on_every_segment(bench: "Bench", journey: Details) -> None:
    """In their order."""
    *segments, stitch = children(bench, journey())
    assert stitch.dependant_on == tuple(segment.id for segment in segments)


def test_the_stitch_is_told_what_to_join(bench: "Bench", journey: Details) -> None:
    """The overlaps as they were capped, and the journey's settings."""
    stitch = children(bench, journey(fps_helpers=16, crossfade_sharp_amt=0.3))[-1]
    assert stitch.params == {
        "orchestrator_task_id_ref": str(TASK_ID),
        "orchestrator_run_id": "run",
        "num_total_segments_generated": 3,
        "frame_overlap_settings_expanded": [4, 4],
        "crossfade_sharp_amt": 0.3,
        "parsed_resolution_wh": "64x48",
        "fps_final_video": 16,
    }


@pytest.mark.parametrize(
    ("changes", "stitched"),
    [
        ({"frame_overlap_expanded": [0, 0]}, False),
        ({"frame_overlap_expanded": [1, 1]}, False),
        ({"frame_overlap_expanded": None}, False),
        ({"frame_overlap_expanded": [0, 2]}, True),
        ({"frame_overlap_expanded": None, "chain_segments": True}, True),
        ({"frame_overlap_expanded": None, "stitch": True}, True),
        ({"stitch": False}, False),
    ],
)
def test_a_stitch_is_planned_where_segments_are_chained_or_overlap_or_it_is_asked(
    bench: "Bench", journey: Details, changes: dict[str, Any], *, stitched: bool
) -> None:
    """An overlap of 1 is floored to 0, which is none."""
    found = any(child.task_type == "travel_stitch" for child in children(bench, journey(**changes)))
    assert found is stitched


def test_overlaps_are_floored_to_even_and_capped_by_both_neighbours(
    bench: "Bench", journey: Details
) -> None:
    """60 frames become 57, 5 stay; an overlap of 7 becomes 4 beside them."""
    outcome = plan(
        bench, journey(segment_frames_expanded=[60, 60, 5], frame_overlap_expanded=[7, 7])
    )
    assert outcome.result["overlaps"] == [6, 4]
    assert outcome.result["frames"] == 57 + 57 + 5 - 6 - 4


def test_a_missing_prompt_falls_back_to_the_base_prompt(bench: "Bench", journey: Details) -> None:
    """So does an empty one."""
    details = journey(base_prompts_expanded=["one", None, ""], base_prompt="all")
    prompts = [child.params["base_prompt"] for child in children(bench, details)[:3]]
    assert prompts == ["one", "all", "all"]


def test_texts_before_and_after_are_joined_to_every_prompt(
    bench: "Bench", journey: Details
) -> None:
    """With one blank between."""
    details = journey(text_before_prompts="film:", text_after_prompts=" grainy")
    assert children(bench, details)[0].params["base_prompt"] == "film: one grainy"


def test_an_enhanced_prompt_takes_the_place_of_the_segments_own(
    bench: "Bench", journey: Details
) -> None:
    """Where there is one."""
    details = journey(enhanced_prompts_expanded=["better", "", None])
    prompts = [child.params["base_prompt"] for child in children(bench, details)[:3]]
    assert prompts == ["better", "two", "three"]


def test_each_segment_gets_its_own_phase_config_and_loras(
    bench: "Bench", journey: Details, write_lora: Callable[[str], str]
) -> None:
    """Where the lists have an entry; else the journey's."""
    lora, other = write_lora("a.safetensors"), write_lora("b.safetensors")
    details = journey(
        additional_loras={lora: 1.0},
        loras_per_segment_expanded=[None, {other: 0.5}, [{"url": other, "multiplier": 0.7}]],
    )
    loras = [child.params["additional_loras"] for child in children(bench, details)[:3]]
    assert loras == [{lora: 1.0}, {other: 0.5}, [{"url": other, "multiplier": 0.7}]]


@pytest.mark.parametrize("absent", [{"seed_base": None}, {"seed_base": -1}])
def test_a_seed_that_is_not_given_is_drawn_once_for_the_journey(
    bench: "Bench", journey: Details, absent: dict[str, Any]
) -> None:
    """From the task's id: the same at every planning, another for another journey."""
    seeds = {child.params["seed_to_use"] for child in children(bench, journey(**absent))[:3]}
    other = plan(bench, journey(**absent), UUID(int=1)).result["seed"]
    assert len(seeds) == 1
    assert other not in seeds


def test_planning_needs_no_weights(bench: "Bench", journey: Details) -> None:
    """An orchestrator never loads a model."""
    children(bench, journey())
    assert bench.engine.load_count == 0


def test_an_unknown_model_is_named_with_the_nearest(bench: "Bench", journey: Details) -> None:
    """Before anything is planned."""
    with pytest.raises(UnknownModel, match=r"fade_i2b.*fade_i2v"):
        children(bench, journey(model_name="fade_i2b"))


def test_a_journey_without_a_model_is_an_unknown_model(bench: "Bench", journey: Details) -> None:
    """The incident's cause: the name had been stripped."""
    with pytest.raises(UnknownModel, match="''"):
        children(bench, journey(model_name=None))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segment_frames_expanded": [9, 9]}, r"segment_frames_expanded.*2 entries for 3 segm"),
        ({"base_prompts_expanded": ["a"] * 4}, r"base_prompts_expanded.*4 entries for 3 segm"),
        ({"num_new_segments_to_generate": 4}, r"needs 5 pictures.* has 4"),
        ({"num_new_segments_to_generate": 0}, r"num_new_segments_to_generate = 0"),
        ({"segment_frames_expanded": None}, r"segment_frames_expanded = None"),
        ({"segment_frames_expanded": [9, "9", 9]}, r"segment_frames_expanded\[1\] = '9'"),
        ({"input_image_paths_resolved": ["a"]}, r"input_image_paths_resolved.*at least 2"),
        ({"base_prompts_expanded": "one"}, r"base_prompts_expanded = a text of 3"),
        ({"base_prompts_expanded": ["a", 1, "c"]}, r"base_prompts_expanded\[1\] = int"),
        ({"parsed_resolution_wh": "64"}, r"parsed_resolution_wh = '64'"),
        ({"seed_base": 2**32}, r"seed_base = 4294967296"),
        ({"chain_segments": "yes"}, r"chain_segments = 'yes'"),
        ({"chain_segments": True, "independent_segments": True}, r"chain_segments = True.*contr"),
        ({"frame_overlap_expanded": [-1, 0]}, r"frame_overlap_expanded\[0\] = -1"),
        ({"phase_config": {"num_phases": 2}}, r"phase_config\.steps_per_phase"),
        ({"num_inference_steps": 0}, r"num_inference_steps = 0"),
    ],
)
def test_a_bad_payload_plans_nothing_and_names_the_field(
    bench: "Bench", journey: Details, changes: dict[str, Any], words: str
) -> None:
    """By its dotted path, from the top of the params."""
    with pytest.raises(InvalidTask, match=words) as caught:
        children(bench, journey(**changes))
    assert caught.value.field.startswith("orchestrator_details.")


def test_a_picture_that_is_not_there_plans_nothing(bench: "Bench", journey: Details) -> None:
    """Better now than in the third segment."""
    images = [*journey()["input_image_paths_resolved"][:3], "/nowhere/p.png"]
    with pytest.raises(InputError, match=r"nowhere/p\.png"):
        children(bench, journey(input_image_paths_resolved=images))


def test_a_lora_that_is_not_there_plans_nothing(bench: "Bench", journey: Details) -> None:
    """A missing LoRA fails the task, not just the picture's look."""
    with pytest.raises(InputError, match=r"nowhere/l\.safetensors"):
        children(bench, journey(additional_loras={"/nowhere/l.safetensors": 1}))
