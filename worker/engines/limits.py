"""What a loaded model cannot do, said before anything is computed."""

from typing import Any

from worker.errors import EngineError
from worker.params.request import GenerationRequest


def check_limits(pipeline: Any, request: GenerationRequest) -> None:
    """Refuse a request that the loaded model cannot fulfil. Raises `EngineError`.

    Definitions do not say these limits: they stand in the weights' own configuration.
    """
    _check_experts(pipeline, request)
    _check_positions(pipeline, request)


def _check_experts(pipeline: Any, request: GenerationRequest) -> None:
    low = sum(step.expert == "low" for step in request.schedule.steps)
    if low and pipeline.transformer_2 is None:
        raise EngineError(
            f"the schedule gives {low} of {len(request.schedule.steps)} steps to the low-noise "
            f"expert and model {request.model!r} has one expert; "
            "leave the phase config out and ask for guidance_phases = 1"
        )


def _check_positions(pipeline: Any, request: GenerationRequest) -> None:
    """Compare each side with the rotary positions of the transformer; diffusers would trip."""
    positions = pipeline.transformer.config.rope_max_seq_len
    patch_frames, patch_height, patch_width = pipeline.transformer.config.patch_size
    temporal, spatial = pipeline.vae_scale_factor_temporal, pipeline.vae_scale_factor_spatial
    # The Wan VAE gives the first frame a latent of its own.
    most_frames = (positions * patch_frames - 1) * temporal + 1
    for what, asked, most in (
        ("frames", request.frames, most_frames),
        ("pixels of height", request.height, positions * patch_height * spatial),
        ("pixels of width", request.width, positions * patch_width * spatial),
    ):
        if asked > most:
            raise EngineError(
                f"{asked} {what} were asked and model {request.model!r} makes {most} at most; "
                "ask for fewer"
            )
