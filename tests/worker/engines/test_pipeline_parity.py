"""Our loop against diffusers' own pipelines, for what both can express."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from worker.engines.base import Inputs, LoraFile
from worker.engines.catalog import Catalog
from worker.engines.diffusers_wan import DiffusersWanEngine
from worker.engines.tiny import build_tiny_pipeline
from worker.params.request import GenerationRequest, Schedule
from worker.params.schedules import unshifted_sigmas

# The experts switch where the second phase begins; guidance is one for all steps.
GUIDED = [(3, 3.0, "high"), (3, 3.0, "low")]
UNGUIDED = [(2, 1.0, "high"), (4, 1.0, "low")]


class PlannedEuler(diffusers.FlowMatchEulerDiscreteScheduler):
    """The library's Euler on a schedule's sigmas, which the pipelines do not pass on."""

    plan: Schedule

    def set_timesteps(self, _count: int, device: torch.device) -> None:
        """Use the plan."""
        sigmas = unshifted_sigmas("euler", len(self.plan.steps))
        super().set_timesteps(sigmas=np.array(sigmas), device=device)


class PlannedUniPC(diffusers.UniPCMultistepScheduler):
    """The library's UniPC on a schedule's sigmas, telling the model whole timesteps."""

    plan: Schedule

    def set_timesteps(self, _count: int, device: torch.device) -> None:
        """Use the plan."""
        sigmas = unshifted_sigmas("unipc", len(self.plan.steps))
        super().set_timesteps(sigmas=np.array(sigmas, dtype=np.float32), device=device)
        self.timesteps = torch.tensor([step.timestep for step in self.plan.steps])


def _scheduler(plan: Schedule) -> Any:
    if plan.solver == "euler":
        scheduler: Any = PlannedEuler(shift=plan.shift)
    else:
        scheduler = PlannedUniPC(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=plan.shift
        )
    scheduler.plan = plan
    return scheduler


def _theirs(
    models_dir: Path,
    request: GenerationRequest,
    inputs: Inputs,
    weights: Sequence[tuple[float, float]] = (),
) -> "np.ndarray[Any, Any]":
    """Return the frames of the library's own call, uint8; `weights` are per LoRA and expert."""
    folder = build_tiny_pipeline(Catalog.load().get(request.model), models_dir)
    kind: Any = diffusers.WanImageToVideoPipeline if inputs.start_image else diffusers.WanPipeline
    pipeline = kind.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = _scheduler(request.schedule)
    assert request.schedule.switch_threshold is not None
    pipeline.register_to_config(boundary_ratio=request.schedule.switch_threshold / 1000)
    _add_loras(pipeline, inputs.loras, weights)
    pictures = {"image": inputs.start_image, "last_image": inputs.end_image}
    video = pipeline(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        num_frames=request.frames,
        num_inference_steps=len(request.schedule.steps),
        guidance_scale=request.schedule.steps[0].guidance_scale,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        **(pictures if inputs.start_image else {}),
    ).frames[0]
    frames: np.ndarray[Any, Any] = np.rint(video * 255).astype(np.uint8)
    return frames


def _add_loras(
    pipeline: Any, loras: Sequence[LoraFile], weights: Sequence[tuple[float, float]]
) -> None:
    for index, lora in enumerate(loras):
        for second in (False, True):
            pipeline.load_lora_weights(
                str(lora.path.parent), weight_name=lora.path.name, adapter_name=f"lora{index}",
                local_files_only=True, load_into_transformer_2=second,
            )  # fmt: skip
    if loras:
        scales = [{"transformer": high, "transformer_2": low} for high, low in weights]
        pipeline.set_adapters([f"lora{index}" for index in range(len(loras))], scales)


def _assert_same(ours: "np.ndarray[Any, Any]", theirs: "np.ndarray[Any, Any]") -> None:
    """Equal but for rounding to bytes; and the pictures are not one flat colour."""
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1
    assert (ours == theirs).mean() > 0.99
    assert ours.std() > 5


@pytest.mark.parametrize("solver", ["euler", "unipc"])
@pytest.mark.parametrize("phases", [GUIDED, UNGUIDED])
def test_image_to_video_is_the_pipelines(
    engine: DiffusersWanEngine,
    models_dir: Path,
    make: SimpleNamespace,
    pictures: Inputs,
    solver: str,
    phases: Sequence[tuple[int, float, str]],
) -> None:
    """With one guidance for all steps and two experts, the frames are the library's."""
    request = make.request(solver=solver, phases=phases)
    ours = engine.generate(request, pictures, make.observer()).frames
    _assert_same(ours, _theirs(models_dir, request, pictures))


def test_first_and_last_frame_is_the_pipelines(
    engine: DiffusersWanEngine, models_dir: Path, make: SimpleNamespace, pictures: Inputs
) -> None:
    """With a last picture too, the frames are the library's, and not those without it."""
    assert pictures.start_image is not None
    both = Inputs(start_image=pictures.start_image, end_image=pictures.start_image.rotate(180))
    request = make.request(phases=GUIDED)
    ours = engine.generate(request, both, make.observer()).frames
    _assert_same(ours, _theirs(models_dir, request, both))
    assert (ours != engine.generate(request, pictures, make.observer()).frames).any()


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_loras_by_expert_are_the_pipelines(
    engine: DiffusersWanEngine,
    models_dir: Path,
    make: SimpleNamespace,
    pictures: Inputs,
    lora_paths: tuple[Path, ...],
) -> None:
    """The incident's strengths '1.2;0', '1.05;1.05', '0;1.0' are set_adapters' own."""
    assert pictures.start_image is not None
    weights = [(1.2, 0.0), (1.05, 1.05), (0.0, 1.0)]
    loras = tuple(
        make.lora(path, [high] * 3 + [low] * 3)
        for path, (high, low) in zip(lora_paths, weights, strict=True)
    )
    inputs = Inputs(start_image=pictures.start_image, loras=loras)
    request = make.request(phases=GUIDED, loras=loras)
    ours = engine.generate(request, inputs, make.observer()).frames
    _assert_same(ours, _theirs(models_dir, request, inputs, weights))


def test_text_to_video_is_the_pipelines(
    text_engine: DiffusersWanEngine, models_dir: Path, make: SimpleNamespace
) -> None:
    """Text to video is WanPipeline's own result."""
    request = make.request(model="tiny_t2v", phases=GUIDED)
    ours = text_engine.generate(request, Inputs(), make.observer()).frames
    _assert_same(ours, _theirs(models_dir, request, Inputs()))
