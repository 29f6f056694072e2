"""The incident's own journey in a checkout: with its defect, its line is named; without, a video.

The incident's phase config, its LoRAs and their multipliers, on a model with two experts.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.home import assert_whole
from tests.acceptance.wan2gp_home import Driven, driven, ended
from tests.standins.checkouts import Kind
from worker.task import Task, TaskStatus
from worker.video.files import read_frames

pytestmark = pytest.mark.timeout(900)

DATA = Path(__file__).parents[1] / "data"
SEGMENTS, FRAMES, OVERLAP = 3, 9, 2
DEFECT = "none-at-frames"


@dataclass(frozen=True, slots=True, kw_only=True)
class Travelled:
    """A home in which one journey failed and the next went well.

    Attributes:
        arrived: What the last call of the one that went well was given.
    """

    driving: Driven
    failed: UUID
    well: UUID
    arrived: dict[str, Any]

    @property
    def root(self) -> Task:
        """Return the segment whose failure is the journey's."""
        [found] = [
            task
            for task in self.driving.home.children(self.failed)
            if not (task.error or {}).get("root_cause")
        ]
        return found


@pytest.fixture(scope="module", params=["functions", "session"])
def travelled(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    standin_python: Path,
) -> Iterator[Travelled]:
    """Have one worker do a journey with the defect, and one without."""
    kind: Kind = request.param
    with driven(kind, tmp_path_factory.mktemp(kind), standin_python) as driving:
        worker = driving.worker()
        driving.checkout.break_with(DEFECT)
        (failed,) = driving.home.enqueue(journey(driving))
        worker.wait_for("settled", outcome="Failed")
        driving.checkout.mend()
        (well,) = driving.home.enqueue(journey(driving))
        stitch = worker.wait_for("claimed", task_type="travel_stitch")
        worker.wait_for("settled", task_id=stitch["task_id"])
        arrived = driving.last_call()
        ended(worker)
        yield Travelled(driving=driving, failed=failed, well=well, arrived=arrived)


def journey(driving: Driven) -> dict[str, Any]:
    """Make the payload of a journey with the incident's phase config, and LoRAs that are there."""
    incident = json.loads((DATA / "incident_task.json").read_text(encoding="utf-8"))
    config = incident["params"]["orchestrator_details"]["phase_config"]
    for lora in [lora for phase in config["phases"] for lora in phase["loras"]]:
        lora["url"] = str(a_lora(driving.home.path / lora["url"].rpartition("/")[2]))
    return driving.home.journey(
        SEGMENTS,
        model_name="two_expert_standin",
        parsed_resolution_wh="64x48",
        segment_frames_expanded=[FRAMES] * SEGMENTS,
        num_inference_steps=6,
        phase_config=config,
    )


def a_lora(path: Path) -> Path:
    """Write a whole safetensors file, of one tensor."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    return path


def test_the_defect_is_named_by_its_line(travelled: Travelled) -> None:
    """On the row of the segment that failed, whose parameter loop had come to its end."""
    error = travelled.root.error or {}
    file, line = travelled.driving.checkout.line_of(DEFECT)
    assert (error["file"], error["line"]) == (str(file), line)
    assert (error["type"], error["expression"]) == ("AttributeError", "model_def")
    assert error["loop_index"] == error["loop_count"] > 0
    assert f"wgp.py:{line}" in (travelled.root.error_message or "")


def test_its_relatives_lead_to_it(travelled: Travelled) -> None:
    """The orchestrator and the segments fail with it, and an investigation of each names it."""
    driving, root = travelled.driving, travelled.root
    relatives = [driving.home.task(travelled.failed), *driving.home.children(travelled.failed)]
    assert {task.status for task in relatives} == {TaskStatus.FAILED}
    assert len(relatives) > 2
    file, line = driving.checkout.line_of(DEFECT)
    for relative in (relatives[0], relatives[-1]):
        assert (relative.error or {})["root_cause"]["type"] == "AttributeError"
        found = driving.investigated(relative.id)
        assert found["task"]["id"] == str(root.id)
        assert found["failure"]["location"]["file"] == str(file)
        assert found["failure"]["location"]["line"] == line
        assert found["loop"]["completed"] == found["loop"]["total"]


def test_an_investigation_shows_the_model_name_that_was_stripped(travelled: Travelled) -> None:
    """Among the locals of the frame that asked under it, and to people."""
    found = travelled.driving.investigated(travelled.root.id)
    innermost = found["failure"]["frames"][-1]
    assert innermost["locals"]["model_type"] == ""
    assert innermost["locals"]["model_def"] is None
    file, line = travelled.driving.checkout.line_of(DEFECT)
    assert f"{file}:{line}" in travelled.driving.told(travelled.root.id)


def test_without_it_a_journey_becomes_one_video(travelled: Travelled) -> None:
    """Of exactly the segments' frames less the overlaps."""
    home = travelled.driving.home
    assert_whole(home, [travelled.well], SEGMENTS)
    frames = read_frames(Path(home.task(travelled.well).output_location or ""))
    assert frames.shape == (SEGMENTS * FRAMES - (SEGMENTS - 1) * OVERLAP, 48, 64, 3)


def test_its_phases_arrive_in_the_engines_own_terms(travelled: Travelled) -> None:
    """The incident's very threshold, and what was worked out of the phase config."""
    names = ("switch_threshold", "guidance_phases", "model_switch_phase", "image_prompt_type")
    arrived = [travelled.arrived[name] for name in names]
    assert arrived == [826.0999755859375, 2, 1, "SE"]
    experts = [(step["phase"], step["expert"]) for step in travelled.arrived["plan"]]
    assert experts == [(1, "high")] * 3 + [(2, "low")] * 3


def test_its_loras_arrive_with_their_multipliers(travelled: Travelled) -> None:
    """By names under which the checkout finds them, each step with what it is worth there."""
    assert travelled.arrived["loras_multipliers"] == "1.2;0 1.05;1.05 0;1.0"
    found = [name.removesuffix(".safetensors") for name in travelled.arrived["activated_loras"]]
    for name, end in zip(found, ("high_noise", "motion", "low_noise"), strict=True):
        assert name.endswith(end)
    worth = [step["loras"] for step in travelled.arrived["plan"]]
    assert worth == [[1.2, 1.05, 0.0]] * 3 + [[0.0, 1.05, 1.0]] * 3
