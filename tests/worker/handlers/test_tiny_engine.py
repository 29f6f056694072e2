"""Every type of task through the real engine, on a small model that is built from a seed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from worker.engines.base import Engine
from worker.engines.registry import engine_named
from worker.handlers.base import Context
from worker.handlers.registry import handler_for
from worker.task import Dependency, Done, Spawned
from worker.video.probing import VideoFacts, probe_video

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Make the engine once: the model is built at its first use and stays loaded."""
    return engine_named(
        "diffusers",
        definition_dirs=[],
        models_dir=tmp_path_factory.mktemp("models"),
        options={"device": "cpu", "threads": 1},
    )


Run = Callable[..., Done | Spawned]


@pytest.fixture
def run(bench: "Bench", engine: Engine) -> Run:
    """Return a function that runs one task on the engine."""

    def call(task_type: str, params: dict[str, Any], **claim: Any) -> Done | Spawned:
        made = bench.context(task_type, params, **claim)
        context = Context(
            claim=made.claim,
            engine=engine,
            observer=made.observer,
            work_dir=made.work_dir,
            inputs=made.inputs,
        )
        outcome = handler_for(task_type).run(context)
        assert isinstance(outcome, Done | Spawned)
        return outcome

    return call


SIZE = {"resolution": "64x48", "num_inference_steps": 2, "seed": 1}


def facts(outcome: Done | Spawned) -> VideoFacts:
    """Decode the video of a finished task."""
    assert isinstance(outcome, Done)
    return probe_video(outcome.files[0])


@pytest.mark.parametrize("task_type", ["t2v", "generate_video"])
def test_text_to_video(run: Run, task_type: str) -> None:
    """Straight to the engine."""
    outcome = run(task_type, {"model": "tiny_t2v", "prompt": "a", "video_length": 5, **SIZE})
    assert facts(outcome) == VideoFacts(frames=5, fps=16.0, width=64, height=48)


def test_picture_to_video(run: Run, bench: "Bench") -> None:
    """Straight to the engine."""
    picture = bench.picture("a", (200, 0, 0))
    outcome = run("i2v", {"model": "tiny_i2v", "image": picture, "video_length": 5, **SIZE})
    assert facts(outcome) == VideoFacts(frames=5, fps=16.0, width=64, height=48)


@pytest.mark.parametrize("chained", [False, True])
def test_a_journey_from_its_plan_to_the_joined_video(
    run: Run, journey: Callable[..., dict[str, Any]], *, chained: bool
) -> None:
    """Orchestrator, three segments, stitch: Σ frames - Σ overlaps."""
    details = journey(model_name="tiny_i2v", num_inference_steps=2, chain_segments=chained)
    parent = {"orchestrator_details": details}
    spawned = run("travel_orchestrator", parent)
    assert isinstance(spawned, Spawned)
    finished: dict[Any, Dependency] = {}
    for child in spawned.children:
        before = tuple(finished[other] for other in child.dependant_on)
        outcome = run(child.task_type, child.params, dependencies=before, parent_params=parent)
        assert isinstance(outcome, Done)
        finished[child.id] = Dependency(
            id=child.id,
            task_type=child.task_type,
            params=child.params,
            output_location=str(outcome.files[0]),
        )
    assert facts(outcome) == VideoFacts(frames=9 * 3 - 4 * 2, fps=16.0, width=64, height=48)


def test_a_segment_made_again_alone(
    run: Run, journey: Callable[..., dict[str, Any]], engine: Engine
) -> None:
    """With its own length; the model is still loaded from the others."""
    details = journey(model_name="tiny_i2v", num_inference_steps=2)
    own = {"segment_index": 1, "individual_segment_params": {"num_frames": 5}}
    outcome = run(
        "individual_travel_segment",
        own,
        parent_params={"orchestrator_details": details},
        task_id=uuid4(),
    )
    assert facts(outcome).frames == 5
    assert engine.loaded_model == "tiny_i2v"


def test_a_file_left_in_the_work_folder_is_only_what_is_published(run: Run, bench: "Bench") -> None:
    """No partial file stays beside them."""
    picture = bench.picture("a", (200, 0, 0))
    outcome = run("i2v", {"model": "tiny_i2v", "image": picture, "video_length": 5, **SIZE})
    assert isinstance(outcome, Done)
    folder: Path = outcome.files[0].parent
    assert sorted(folder.iterdir()) == sorted(outcome.files)
