"""Single generations."""

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from worker.errors import InputError, InvalidTask
from worker.handlers.registry import handler_for
from worker.task import Done
from worker.video.probing import VideoFacts, probe_video

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench


def run(bench: "Bench", task_type: str, params: dict[str, Any]) -> Done:
    """Run the handler of a single generation."""
    outcome = handler_for(task_type).run(bench.context(task_type, params))
    assert isinstance(outcome, Done)
    return outcome


@pytest.mark.parametrize("task_type", ["t2v", "generate_video"])
def test_text_becomes_a_video(bench: "Bench", task_type: str) -> None:
    """Of the model's own size, rate and length where the task says none."""
    done = run(bench, task_type, {"model_name": "fade_t2v", "prompt": "a walk"})
    assert probe_video(done.files[0]) == VideoFacts(frames=9, fps=8, width=64, height=48)


def test_the_video_has_the_quality_that_the_setting_says(bench: "Bench") -> None:
    """x264 writes what it was given into the file."""
    params = {"model_name": "fade_t2v", "prompt": "a walk"}
    context = dataclasses.replace(bench.context("t2v", params), video_crf=31)
    outcome = handler_for("t2v").run(context)
    assert isinstance(outcome, Done)
    assert b" crf=31.0 " in outcome.files[0].read_bytes()


@pytest.mark.parametrize("task_type", ["i2v", "generate_video"])
@pytest.mark.parametrize("name", ["start_image", "image_start", "start_image_url", "image"])
def test_a_picture_becomes_a_video(bench: "Bench", task_type: str, name: str) -> None:
    """Under each of the names that applications use."""
    red = bench.picture("red", (200, 0, 0))
    run(bench, task_type, {"model": "fade_i2v", "prompt": "a walk", name: red})
    assert bench.colour_of("start") == (200, 0, 0)


def test_the_end_picture_is_given_to_the_engine(bench: "Bench") -> None:
    """First-and-last-frame conditioning."""
    red, blue = bench.picture("red", (200, 0, 0)), bench.picture("blue", (0, 0, 200))
    params = {"model": "fade_i2v", "prompt": "", "start_image": red, "end_image": blue}
    run(bench, "i2v", params)
    assert bench.colour_of("end") == (0, 0, 200)


@pytest.mark.parametrize(
    ("task_type", "params", "words"),
    [
        ("i2v", {"model": "fade_i2v"}, "start_image = None: is missing: i2v"),
        (
            "generate_video",
            {"model": "fade_i2v"},
            "start_image = None: is missing: model 'fade_i2v'",
        ),
        ("t2v", {"model": "fade_t2v", "image": "a.png"}, "image = 'a.png': is not used by t2v"),
        ("i2v", {"model": "fade_t2v", "image": "a.png"}, "is not used by model 'fade_t2v'"),
        ("t2v", {"model": 7}, "model = 7"),
        ("i2v", {"model": "fade_i2v", "image": 7}, "image = 7"),
    ],
)
def test_what_does_not_fit_the_type_or_the_model_is_refused(
    bench: "Bench", task_type: str, params: dict[str, Any], words: str
) -> None:
    """Before a picture is fetched."""
    with pytest.raises(InvalidTask, match=words):
        run(bench, task_type, params)


@pytest.mark.parametrize(
    ("task_type", "params", "pictures"),
    [
        ("generate_video", {"prompt": "a walk"}, 0),
        ("t2v", {"prompt": "a walk"}, 0),
        ("generate_video", {"start_image": "red"}, 1),
        ("i2v", {"start_image": "red", "prompt": ""}, 1),
        ("generate_video", {"prompt": "a walk", "end_image": "red"}, 1),
        ("i2v", {"start_image": "red", "end_image": "red"}, 2),
        ("travel_segment", {"prompt": "a walk", "start_image": "red", "end_image": "red"}, 2),
    ],
)
def test_a_model_of_both_kinds_takes_what_there_is(
    bench: "Bench", task_type: str, params: dict[str, Any], pictures: int
) -> None:
    """A text, pictures, or both."""
    red = bench.picture("red", (200, 0, 0))
    given = {key: red if value == "red" else value for key, value in params.items()}
    run(bench, task_type, {"model": "fade_ti2v", **given})
    inputs = bench.engine.inputs[0]
    assert [inputs.start_image, inputs.end_image].count(None) == 2 - pictures


@pytest.mark.parametrize(
    ("task_type", "params", "words"),
    [
        ("i2v", {"prompt": "a walk"}, "start_image = None: is missing: i2v starts from a picture"),
        ("t2v", {"prompt": "a walk", "image": "a.png"}, "image = 'a.png': is not used by t2v"),
        ("generate_video", {}, "prompt = str: is empty, and there is no start_image"),
        ("t2v", {"prompt": ""}, "prompt = str: is empty, and there is no start_image"),
        ("generate_video", {"end_image": "a.png"}, "needs a prompt or a start image"),
        ("travel_segment", {"base_prompt": ""}, "base_prompt = str: is empty"),
    ],
)
def test_a_model_of_both_kinds_needs_a_text_or_a_picture(
    bench: "Bench", task_type: str, params: dict[str, Any], words: str
) -> None:
    """And a task what its type says, whatever its model can do."""
    with pytest.raises(InvalidTask, match=words):
        run(bench, task_type, {"model": "fade_ti2v", **params})


def test_a_picture_that_is_none_fails_with_its_path(bench: "Bench") -> None:
    """A text file under the name of a picture."""
    path = bench.folder / "a.png"
    path.write_text("no picture")
    with pytest.raises(InputError, match=r"a\.png.*is no picture"):
        run(bench, "i2v", {"model": "fade_i2v", "image": str(path)})
