"""What `loop26 enqueue` refuses before anything is queued."""

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from worker.errors import InputError, InvalidTask, UnknownModel, UnknownTaskType
from worker.handlers.registry import HANDLERS, handler_for, validate
from worker.task import TASK_TYPES, NewTask

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

Details = Callable[..., dict[str, Any]]


def check(bench: "Bench", task_type: str, params: Any, **known: Any) -> None:
    """Validate a task as enqueueing does."""
    task = NewTask(task_type=task_type, params=params)
    validate(task, bench.known(**known), inputs=bench.policy)


@pytest.mark.parametrize("task_type", TASK_TYPES)
def test_every_type_has_a_handler(task_type: str) -> None:
    """Exactly one."""
    assert [handler for handler in HANDLERS if task_type in handler.task_types] == [
        handler_for(task_type)
    ]


def test_an_unknown_type_is_refused_with_those_known(bench: "Bench") -> None:
    """By the registry and by the validation."""
    with pytest.raises(UnknownTaskType, match="travel_stitch"):
        handler_for("travel_sttich")
    with pytest.raises(UnknownTaskType, match="travel_stitch"):
        check(bench, "travel_sttich", {})


def test_good_tasks_pass(bench: "Bench", journey: Details) -> None:
    """One of each type."""
    picture = bench.picture("a", (1, 2, 3))
    segment = {"model_name": "fade_i2v", "start_image": picture, "end_image": picture}
    check(bench, "travel_orchestrator", {"orchestrator_details": journey()})
    check(bench, "travel_segment", segment)
    check(bench, "individual_travel_segment", segment)
    check(bench, "travel_stitch", {})
    check(bench, "t2v", {"model": "fade_t2v", "prompt": "a"})
    check(bench, "i2v", {"model": "fade_i2v", "image": picture})
    check(bench, "generate_video", {"model": "fade_t2v", "prompt": "a"})


@pytest.mark.parametrize("params", [None, [], "{}", 3])
def test_params_that_are_no_object_are_refused(bench: "Bench", params: Any) -> None:
    """For every type."""
    for task_type in TASK_TYPES:
        with pytest.raises(InvalidTask, match="must be an object"):
            check(bench, task_type, params)


@pytest.mark.parametrize("task_type", ["t2v", "travel_segment", "individual_travel_segment"])
def test_an_unknown_model_is_refused_with_the_nearest(bench: "Bench", task_type: str) -> None:
    """No weights are looked for."""
    with pytest.raises(UnknownModel, match="did you mean 'fade_t2v'"):
        check(bench, task_type, {"model_name": "fade_t2w"})


def test_a_task_without_a_model_is_refused(bench: "Bench") -> None:
    """As the unknown model ''."""
    with pytest.raises(UnknownModel, match="''"):
        check(bench, "t2v", {"prompt": "a"})


def test_a_segment_may_leave_its_model_to_its_orchestrator(
    bench: "Bench", journey: Details
) -> None:
    """That of its name, if it is here; and what that says is checked with it."""
    segment = {"orchestrator_task_id_ref": str(UUID(int=8)), "segment_index": 1}
    with pytest.raises(InvalidTask, match="is no task here") as caught:
        check(bench, "travel_segment", segment)
    assert caught.value.field == "orchestrator_task_id_ref"
    parents = {UUID(int=8): {"orchestrator_details": journey()}}
    check(bench, "travel_segment", segment, parent=parents.get)
    parents = {UUID(int=8): {"orchestrator_details": journey(fps_helpers=0)}}
    with pytest.raises(InvalidTask) as caught:
        check(bench, "travel_segment", segment, parent=parents.get)
    assert caught.value.field == "orchestrator_details.fps_helpers"


@pytest.mark.parametrize(
    ("task_type", "params", "words"),
    [
        ("i2v", {"model": "fade_i2v", "image": "/nowhere/a.png"}, r"nowhere/a\.png"),
        ("i2v", {"model": "fade_i2v", "image": "ftp://host/a.png"}, "ftp:// is refused"),
        (
            "travel_segment",
            {"model": "fade_i2v", "image": "http://host/a.png", "end_image": "/nowhere/e.png"},
            r"e\.png",
        ),
        ("t2v", {"model": "fade_t2v", "additional_loras": {"/a.pt": 1}}, r"no \.safetensors"),
        ("t2v", {"model": "fade_t2v", "additional_loras": {"/l.safetensors": 1}}, "no file"),
    ],
)
def test_local_inputs_must_be_there(
    bench: "Bench", task_type: str, params: dict[str, Any], words: str
) -> None:
    """Pictures and LoRAs."""
    with pytest.raises(InputError, match=words):
        check(bench, task_type, {"prompt": "a", **params})


def test_urls_are_not_asked(bench: "Bench") -> None:
    """Port 1 has no listener: whoever asked would fail."""
    loras = {"http://127.0.0.1:1/l.safetensors": 1}
    params = {"model": "fade_i2v", "image": "http://127.0.0.1:1/a.png", "additional_loras": loras}
    check(bench, "i2v", params)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"resolution": "big"}, "resolution"),
        ({"seed": -2}, "seed"),
        ({"phase_config": {"num_phases": 4}}, "phase_config.num_phases"),
        ({"additional_loras": [1]}, "additional_loras[0]"),
        ({"additional_loras": 1}, "additional_loras"),
        ({"prompt": 3}, "prompt"),
    ],
)
def test_a_bad_parameter_is_named(bench: "Bench", params: dict[str, Any], field: str) -> None:
    """By its dotted path."""
    with pytest.raises(InvalidTask) as caught:
        check(bench, "t2v", {"model": "fade_t2v", **params})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("task_type", "params", "words"),
    [
        ("i2v", {"prompt": "a"}, "start_image = None: is missing"),
        ("t2v", {"prompt": "a", "image": "/a.png"}, "is not used by t2v"),
        ("generate_video", {}, "needs a prompt or a start image"),
        ("travel_segment", {}, "needs a prompt or a start image"),
    ],
)
def test_a_model_of_both_kinds_goes_by_the_tasks_type(
    bench: "Bench", task_type: str, params: dict[str, Any], words: str
) -> None:
    """Before it is enqueued; a segment that goes on from another has its picture from there."""
    with pytest.raises(InvalidTask, match=words):
        check(bench, task_type, {"model": "fade_ti2v", **params})
    for accepted in ("t2v", "generate_video", "travel_segment"):
        check(bench, accepted, {"model": "fade_ti2v", "prompt": "a"})


def test_a_journey_of_a_model_of_both_kinds_is_planned(bench: "Bench", journey: Details) -> None:
    """With its pictures, and without a text."""
    details = journey(model_name="fade_ti2v", base_prompts_expanded=["", "", ""])
    check(bench, "travel_orchestrator", {"orchestrator_details": details})


def test_a_full_copy_of_the_details_is_checked_too(bench: "Bench", journey: Details) -> None:
    """A segment of another producer carries it."""
    details = journey(input_image_paths_resolved=["/nowhere/a.png", "/nowhere/b.png"])
    with pytest.raises(InputError, match=r"nowhere/b\.png") as caught:
        check(bench, "travel_segment", {"segment_index": 1, "orchestrator_details": details})
    assert caught.value.field == "orchestrator_details.input_image_paths_resolved[1]"


def test_validation_loads_no_heavy_library() -> None:
    """Enqueueing must work on a machine without torch, and at once."""
    program = (
        "import sys, worker.handlers.registry\n"
        "print([name for name in ('torch', 'numpy', 'PIL', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
