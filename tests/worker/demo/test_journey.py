"""What the demo enqueues."""

import json
from pathlib import Path

import pytest

from worker.demo import journey as demo
from worker.demo.journey import EFFECTS, Laid, check_libraries, frames_of_video, journey, lay_out
from worker.demo.story import NAMES, PROMPTS
from worker.errors import ModelUnavailable


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """Lay out the demo's files."""
    return lay_out(tmp_path / "inputs")


def test_pictures_and_loras_come_out_of_the_package(laid: Laid) -> None:
    """Four pictures in the story's order, and one LoRA a segment, that people can look at."""
    assert [path.stem for path in laid.pictures] == list(NAMES)
    assert [path.stem for path in laid.loras] == [effect.lora for effect in EFFECTS]
    assert all(path.stat().st_size > 0 for path in (*laid.pictures, *laid.loras))


def test_laying_out_again_changes_nothing(laid: Laid) -> None:
    """The demo may run twice in one home."""
    before = {path: path.read_bytes() for path in (*laid.pictures, *laid.loras)}
    lay_out(laid.pictures[0].parent)
    assert {path: path.read_bytes() for path in before} == before


def test_multipliers_are_the_incidents(laid: Laid) -> None:
    """Between them, the segments have each of '1.2;0', '1.05;1.05' and '0;1.0'."""
    asked = {";".join(strength or "0" for strength in effect.strengths) for effect in EFFECTS}
    assert asked == {"1.2;0", "1.05;1.05", "0;1.0"}
    details = journey(laid).params["orchestrator_details"]
    listed = [
        [[lora["multiplier"] for lora in phase["loras"]] for phase in config["phases"]]
        for config in details["phase_configs_expanded"]
    ]
    assert listed == [[["1.2"], []], [[], ["1.0"]], [["1.05"], ["1.05"]]]


def test_each_segment_goes_from_a_picture_to_the_next(laid: Laid) -> None:
    """One text for each two pictures."""
    details = journey(laid).params["orchestrator_details"]
    assert details["base_prompts_expanded"] == list(PROMPTS)
    assert len(details["input_image_paths_resolved"]) == len(EFFECTS) + 1


def test_video_is_a_few_seconds_long() -> None:
    """3 segments of 17 frames that overlap twice by 2: 47, at 12 a second."""
    assert frames_of_video() == 47


def test_effect_is_said_in_words() -> None:
    """By phase, 0 where the phase does not list the LoRA."""
    assert [effect.in_words() for effect in EFFECTS] == [
        "LoRA leap: 1.2 in phase 1, 0 in phase 2",
        "LoRA warm: 0 in phase 1, 1.0 in phase 2",
        "LoRA glow: 1.05 in phase 1, 1.05 in phase 2",
    ]


def test_task_is_json(laid: Laid) -> None:
    """It goes through a queue."""
    params = journey(laid).params
    assert json.loads(json.dumps(params)) == params


def test_absent_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; nothing has been laid out by then."""
    monkeypatch.setattr(demo, "_LIBRARIES", ("numpy", "no_such_library"))
    with pytest.raises(ModelUnavailable, match=r" no_such_library .*install loop26\[diffusers\]"):
        check_libraries()
