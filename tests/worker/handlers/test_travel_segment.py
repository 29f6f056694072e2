"""One segment: from its pictures to a verified video."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest

from worker.errors import InputError, InvalidTask, OutputError, TaskCancelled, UnknownModel
from worker.handlers.registry import handler_for
from worker.task import Dependency, Done
from worker.video.files import read_frames, read_metadata, write_video
from worker.video.probing import VideoFacts, probe_video

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 200, 0)


def run(bench: "Bench", params: dict[str, Any], **context: Any) -> Done:
    """Run the segment's handler."""
    task_type = context.pop("task_type", "travel_segment")
    outcome = handler_for(task_type).run(bench.context(task_type, params, **context))
    assert isinstance(outcome, Done)
    return outcome


def segment(bench: "Bench", **changes: Any) -> dict[str, Any]:
    """Make the params of a whole segment, with changes."""
    return {
        "model_name": "fade_i2v",
        "segment_index": 1,
        "base_prompt": "a walk",
        "segment_frames_target": 9,
        "parsed_resolution_wh": "64x48",
        "seed_to_use": 5,
        "start_image": bench.picture("red", RED),
        "end_image": bench.picture("blue", BLUE),
    } | changes


def video_before(bench: "Bench", frames: int = 9) -> Dependency:
    """Write the video of the segment before: frame i is of the grey i * 20."""
    path = bench.folder / "before.mp4"
    greys = np.arange(frames, dtype=np.uint8) * 20
    pictures = np.broadcast_to(greys[:, None, None, None], (frames, 48, 64, 3))
    write_video(pictures, path, fps=8, metadata={}, crf=0)
    return Dependency(id=uuid4(), task_type="travel_segment", params={}, output_location=str(path))


def grey_of(picture: Any) -> float:
    """Return the mean brightness of a picture."""
    return float(np.asarray(picture, np.float32).mean())


def test_the_video_has_exactly_what_was_asked(bench: "Bench") -> None:
    """Frames, rate and size, by decoding the file."""
    done = run(bench, segment(bench))
    assert probe_video(done.files[0]) == VideoFacts(frames=9, fps=8, width=64, height=48)


def test_it_goes_from_the_start_picture_to_the_end_picture(bench: "Bench") -> None:
    """The first frame is red, the last blue."""
    frames = read_frames(run(bench, segment(bench)).files[0])
    assert frames[0].mean(axis=(0, 1)) == pytest.approx(RED, abs=12)
    assert frames[-1].mean(axis=(0, 1)) == pytest.approx(BLUE, abs=12)


def test_the_files_are_the_video_its_thumbnail_and_the_request(bench: "Bench") -> None:
    """The video first: it is the task's output."""
    done = run(bench, segment(bench))
    assert [file.name for file in done.files] == ["video.mp4", "thumbnail.jpg", "request.json"]
    assert all(file.stat().st_size for file in done.files)


def test_the_request_is_kept_with_the_origin_of_every_value(bench: "Bench") -> None:
    """What was asked, what is used, and the layer that said it."""
    done = run(bench, segment(bench, segment_frames_target=60))
    request = json.loads(done.files[2].read_text())
    assert request["params"]["video_length"] == {
        "name": "video_length",
        "value": 57,
        "asked": 60,
        "source": "segment",
        "change": "rounded",
    }


def test_request_and_seed_are_in_the_videos_metadata(bench: "Bench") -> None:
    """A video tells how it was made, wherever it has gone."""
    metadata = read_metadata(run(bench, segment(bench)).files[0])
    assert metadata["seed"] == "5"
    assert json.loads(metadata["request"])["prompt"] == "a walk"


def test_the_result_says_what_was_made(bench: "Bench") -> None:
    """In numbers."""
    result = run(bench, segment(bench)).result
    expected = {"frames": 9, "fps": 8.0, "width": 64, "height": 48, "seed": 5, "duration_s": 1.125}
    assert {key: result[key] for key in expected} == expected
    assert result["model"] == "fade_i2v"


def test_the_stages_come_in_order_and_billing_starts_with_the_model(bench: "Bench") -> None:
    """The observer hears each stage as it is entered."""
    run(bench, segment(bench))
    assert bench.notes.stages == [
        *("inputs", "parameters", "loras", "model", "started", "generate", "encode", "output")
    ]


@pytest.mark.parametrize("model", ["", "fade_i2", None])
def test_an_unknown_or_empty_model_comes_before_anything_else(
    bench: "Bench", model: str | None
) -> None:
    """Also before a picture that is not there."""
    with pytest.raises(UnknownModel, match="fade_i2v"):
        run(bench, segment(bench, model_name=model, start_image="/nowhere/a.png"))


def test_a_segment_without_a_start_picture_is_refused(bench: "Bench") -> None:
    """An engine would start from black and say nothing."""
    with pytest.raises(InvalidTask, match=r"start_image = None: is missing"):
        run(bench, segment(bench, start_image=None))


def test_a_text_model_refuses_pictures_it_would_not_use(bench: "Bench") -> None:
    """By the picture's field."""
    with pytest.raises(InvalidTask, match=r"start_image.*goes by the text alone"):
        run(bench, segment(bench, model_name="fade_t2v"))


@pytest.mark.parametrize(("overlap", "grey"), [(4, 100), (2, 140), (0, 160)])
def test_a_chained_segment_starts_where_the_overlap_begins(
    bench: "Bench", overlap: int, grey: int
) -> None:
    """At frame len - overlap of the one before; at its last frame without an overlap."""
    params = segment(bench, start_image=None, frame_overlap_from_previous=overlap)
    run(bench, params, dependencies=(video_before(bench),))
    assert grey_of(bench.engine.inputs[0].start_image) == pytest.approx(grey, abs=3)


def test_a_picture_that_a_chained_segment_names_itself_comes_first(bench: "Bench") -> None:
    """Somebody chose it."""
    run(bench, segment(bench), dependencies=(video_before(bench),))
    assert bench.colour_of("start") == RED


def test_an_overlap_longer_than_the_segment_before_is_refused(bench: "Bench") -> None:
    """There is no such frame."""
    params = segment(bench, start_image=None, frame_overlap_from_previous=10)
    with pytest.raises(InputError, match="9 frames, fewer than the overlap of 10"):
        run(bench, params, dependencies=(video_before(bench),))


def test_a_segment_before_without_an_output_is_refused(bench: "Bench") -> None:
    """It says which task."""
    before = Dependency(id=uuid4(), task_type="travel_segment", params={}, output_location=None)
    with pytest.raises(InputError, match=str(before.id)):
        run(bench, segment(bench, start_image=None), dependencies=(before,))


@pytest.mark.parametrize("flat", [True, False])
def test_what_the_segment_does_not_say_its_orchestrator_says(
    bench: "Bench", journey: Callable[..., dict[str, Any]], *, flat: bool
) -> None:
    """Model, pictures, prompt, frames: those of its place in the journey."""
    parent = journey() if flat else {"orchestrator_details": journey()}
    run(bench, {"segment_index": 2}, parent_params=parent)
    request = bench.engine.requests[0]
    assert (request.prompt, request.negative_prompt, request.seed) == ("three", "grey", 77)


def test_a_full_copy_of_the_orchestrators_details_serves_as_well(
    bench: "Bench", journey: Callable[..., dict[str, Any]]
) -> None:
    """The existing system copies them into each child; the parent's are not needed then."""
    run(bench, {"segment_index": 0, "orchestrator_details": journey()})
    assert bench.engine.requests[0].prompt == "one"


def test_texts_before_and_after_are_joined_once(
    bench: "Bench", journey: Callable[..., dict[str, Any]]
) -> None:
    """The orchestrator has joined them; its details, which still hold them, join them no more."""
    parent = journey(text_before_prompts="film:")
    params = segment(bench, base_prompt="film: two")
    run(bench, params, parent_params={"orchestrator_details": parent})
    assert bench.engine.requests[0].prompt == "film: two"


def test_a_planned_child_runs_as_it_was_planned(
    bench: "Bench", journey: Callable[..., dict[str, Any]]
) -> None:
    """From the orchestrator's outcome straight into the segment's handler."""
    parent = {"orchestrator_details": journey(text_before_prompts="film:")}
    planner = handler_for("travel_orchestrator")
    spawned: Any = planner.run(bench.context("travel_orchestrator", parent))
    run(bench, spawned.children[1].params, parent_params=parent)
    request = bench.engine.requests[0]
    assert (request.prompt, request.seed, request.frames) == ("film: two", 77, 9)


def test_a_segment_made_again_alone_follows_its_own_parameters(
    bench: "Bench", journey: Callable[..., dict[str, Any]]
) -> None:
    """individual_segment_params over the segment over the orchestrator."""
    green = bench.picture("green", GREEN)
    own = {"prompt": "again", "num_frames": 13, "start_image": green, "seed": 9}
    params = segment(bench, base_prompt="before", individual_segment_params=own)
    del params["start_image"], params["segment_frames_target"], params["seed_to_use"]
    parent = {"orchestrator_details": journey()}
    run(bench, params, parent_params=parent, task_type="individual_travel_segment")
    request = bench.engine.requests[0]
    assert (request.prompt, request.frames, request.seed) == ("again", 13, 9)
    assert bench.colour_of("start") == GREEN


def test_the_engine_gets_the_lora_files_in_order(
    bench: "Bench", write_lora: Callable[[str], str]
) -> None:
    """Verified, on this machine, with their strengths."""
    first, second = write_lora("b.safetensors"), write_lora("a.safetensors")
    run(bench, segment(bench, additional_loras={first: 1.0, second: 0.5}))
    loras = bench.engine.inputs[0].loras
    assert [(str(lora.path), lora.use.per_step) for lora in loras] == [
        (first, (1.0,) * 4),
        (second, (0.5,) * 4),
    ]


def test_a_lora_that_is_cut_off_fails_the_task(
    bench: "Bench", write_lora: Callable[[str], str]
) -> None:
    """It is never rendered without."""
    lora = Path(write_lora("a.safetensors"))
    lora.write_bytes(lora.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"a\.safetensors.*no whole safetensors file"):
        run(bench, segment(bench, additional_loras={str(lora): 1.0}))


@pytest.mark.parametrize("at", ["inputs", "parameters", "loras", "model", "encode"])
def test_a_cancelled_task_goes_no_further_than_the_next_stage(bench: "Bench", at: str) -> None:
    """Whatever the stage."""
    bench.notes.cancel_at = at
    with pytest.raises(TaskCancelled):
        run(bench, segment(bench))
    assert "output" not in bench.notes.said


def test_a_task_that_is_cancelled_while_it_generates_stops_within_a_step(bench: "Bench") -> None:
    """The engine asks at every step."""
    bench.notes.cancel_at = "2/4"
    with pytest.raises(TaskCancelled):
        run(bench, segment(bench))
    assert bench.notes.said[-1] == "2/4"


def test_a_seed_that_is_drawn_is_the_same_at_the_next_attempt(bench: "Bench") -> None:
    """It is drawn from the task's id."""
    task_id = uuid4()
    seeds = {
        run(bench, segment(bench, seed_to_use=-1), task_id=task_id).result["seed"] for _ in range(2)
    }
    assert len(seeds) == 1


def test_a_work_folder_that_cannot_be_written_is_an_output_error(bench: "Bench") -> None:
    """One sentence with the way out, not an error of the operating system."""
    context = bench.context("travel_segment", segment(bench))
    (context.work_dir / "request.json").mkdir()
    with pytest.raises(OutputError, match=r"request\.json' cannot be written"):
        handler_for("travel_segment").run(context)
