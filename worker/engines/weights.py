"""From a model definition to a loaded Wan pipeline: local folder, shipped, hub, or of a seed."""

from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError

from worker.engines import patch_codec  # noqa: F401 - diffusers loads a codec only if it is imported
from worker.engines.base import ModelDefinition
from worker.engines.tiny import build_tiny_pipeline
from worker.errors import ModelUnavailable

# Weights that ship with the worker: see docs/demo-model.md.
SHIPPED = Path(__file__).parent / "trained"


def load_pipeline(
    definition: ModelDefinition, *, models_dir: Path, dtype: torch.dtype, local_files_only: bool
) -> Any:
    """Load the definition's pipeline on the CPU.

    A model of a seed is built in `models_dir` first; its loading is that of any other. The VAE
    stays in float32, as diffusers recommends for Wan; the rest is `dtype`.
    Raises `ModelUnavailable` when the weights cannot be had or are of another kind of pipeline.
    """
    source = _source(definition, models_dir)
    try:
        pipeline = _pipeline_class(definition).from_pretrained(
            source,
            dtype={"vae": torch.float32, "default": dtype},
            local_files_only=local_files_only or Path(source).is_dir(),
        )
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"model {definition.name!r}: its weights {source!r} cannot be loaded: {error}; "
            f"put the folder under {str(models_dir)!r}, name it in the definition's `weights`, "
            "or let this machine download it"
        ) from error
    _refuse_other_kinds(definition, pipeline, source)
    _refuse_other_strides(definition, pipeline, source)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _source(definition: ModelDefinition, models_dir: Path) -> str:
    """Return a folder that exists, or a hub id. An operator's folder goes before a shipped one."""
    if not definition.weights:
        return str(_build(definition, models_dir))
    folders = (folder / definition.weights for folder in (models_dir, SHIPPED))
    return next((str(folder) for folder in folders if folder.is_dir()), definition.weights)


def _build(definition: ModelDefinition, models_dir: Path) -> Path:
    try:
        return build_tiny_pipeline(definition, models_dir)
    except (OSError, SafetensorError) as error:  # the second is how a full disk is told
        raise ModelUnavailable(
            f"model {definition.name!r} cannot be built in {str(models_dir)!r}: {error}; "
            "make the folder writable and free space, or choose another"
        ) from error


def _pipeline_class(definition: ModelDefinition) -> Any:
    image_to_video = definition.kind == "i2v"
    return diffusers.WanImageToVideoPipeline if image_to_video else diffusers.WanPipeline


def _refuse_other_kinds(definition: ModelDefinition, pipeline: Any, source: str) -> None:
    """Refuse Wan pipelines whose conditioning the denoising loop does not do."""
    problem = ""
    if pipeline.transformer is None:
        problem = "it has no high-noise transformer"
    elif pipeline.config.expand_timesteps:
        problem = "it takes a timestep per token (Wan 2.2 5B)"
    elif pipeline.transformer.config.image_dim is not None:
        problem = "it takes CLIP embeddings of the picture (Wan 2.1 image to video)"
    if problem:
        raise ModelUnavailable(
            f"model {definition.name!r}: the pipeline {source!r} is of a kind that this engine "
            f"does not run: {problem}; it runs Wan 2.2 14B and Wan text to video"
        )


def _refuse_other_strides(definition: ModelDefinition, pipeline: Any, source: str) -> None:
    """Refuse a definition that would round sizes or frames to what the weights cannot make."""
    patch_frames, *patch = pipeline.transformer.config.patch_size
    side = pipeline.vae_scale_factor_spatial * max(patch)
    for field, said, made in (
        ("size_multiple", definition.size_multiple, side),
        (
            "frame_stride",
            definition.frame_stride,
            pipeline.vae_scale_factor_temporal * patch_frames,
        ),
    ):
        if said % made:
            raise ModelUnavailable(
                f"model {definition.name!r}: its definition says {field} = {said} and the "
                f"pipeline {source!r} takes multiples of {made}; correct the definition"
            )
