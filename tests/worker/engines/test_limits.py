"""What a loaded model cannot do is refused before anything is computed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest

from worker.engines.base import Inputs
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.tiny import build_tiny_pipeline
from worker.errors import EngineError, ModelUnavailable


def _engine(models_dir: Path, **changes: Any) -> DiffusersWanEngine:
    definition = replace(Catalog.load().get("tiny_t2v"), **changes)
    return DiffusersWanEngine(Catalog([definition]), models_dir=models_dir, device="cpu")


@pytest.fixture(scope="module")
def one_expert(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> DiffusersWanEngine:
    """Return an engine whose model has no low-noise expert, as Wan 2.1 has none."""
    folder = tmp_path_factory.mktemp("one")
    loader: Any = diffusers.WanPipeline
    loader.from_pretrained(
        build_tiny_pipeline(Catalog.load().get("tiny_t2v"), models_dir),
        transformer_2=None,
        boundary_ratio=None,
        local_files_only=True,
    ).save_pretrained(folder)
    return _engine(models_dir, weights=str(folder))


def test_one_expert_runs_a_schedule_of_its_own(
    one_expert: DiffusersWanEngine, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """With its LoRAs."""
    lora = make.lora(lora_paths[0], [1.0, 0.5])
    request = make.request(model="tiny_t2v", phases=[(2, 2.0, "high")], loras=[lora])
    generated = one_expert.generate(request, Inputs(loras=(lora,)), make.observer())
    assert generated.frames.std() > 5


def test_one_expert_refuses_steps_of_the_other(
    one_expert: DiffusersWanEngine, make: SimpleNamespace, lora_paths: tuple[Path, ...]
) -> None:
    """Before the first step, saying how many and the way out."""
    lora = make.lora(lora_paths[0], [1.0] * 5)
    phases = [(3, 1.0, "high"), (2, 1.0, "low")]
    request = make.request(model="tiny_t2v", phases=phases, loras=[lora])
    observer = make.observer()
    with pytest.raises(EngineError, match="gives 2 of 5 steps to the low-noise expert"):
        one_expert.generate(request, Inputs(loras=(lora,)), observer)
    assert not observer.steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 4112}, "4112 pixels of width were asked and model 'tiny_t2v' makes 4096"),
        ({"height": 8192}, "8192 pixels of height were asked and model 'tiny_t2v' makes 4096"),
        ({"frames": 1025}, "1025 frames were asked and model 'tiny_t2v' makes 1021 at most"),
    ],
)
def test_what_is_beyond_the_positions_is_refused(
    text_engine: DiffusersWanEngine,
    make: SimpleNamespace,
    changes: Mapping[str, int],
    message: str,
) -> None:
    """The transformer's rotary positions end somewhere, and torch would say it in shapes."""
    request = replace(make.request(model="tiny_t2v"), **{"width": 16, "height": 16, **changes})
    with pytest.raises(EngineError, match=message):
        text_engine.generate(request, Inputs(), make.observer())


@pytest.mark.parametrize("changes", [{"width": 4096}, {"height": 4096}, {"frames": 1021}])
def test_what_the_positions_reach_is_made(
    text_engine: DiffusersWanEngine, make: SimpleNamespace, changes: Mapping[str, int]
) -> None:
    """The last size that is not refused runs."""
    request = replace(
        make.request(model="tiny_t2v", phases=[(1, 1.0, "high")]),
        **{"width": 16, "height": 16, "frames": 5, **changes},
    )
    shape = text_engine.generate(request, Inputs(), make.observer()).frames.shape
    assert shape == (request.frames, request.height, request.width, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size_multiple": 8}, "says size_multiple = 8 and the pipeline .* multiples of 16"),
        ({"frame_stride": 2}, "says frame_stride = 2 and the pipeline .* multiples of 4"),
    ],
)
def test_a_definition_that_rounds_otherwise_than_its_weights_is_refused(
    models_dir: Path, changes: Mapping[str, int], message: str
) -> None:
    """At loading, and not after a video of another size."""
    engine = _engine(models_dir, **changes)
    with pytest.raises(ModelUnavailable, match=message):
        engine.load("tiny_t2v")
    assert engine.loaded_model is None
