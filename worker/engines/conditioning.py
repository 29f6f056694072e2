"""What a generation starts from: encoded prompts, seeded noise, and the encoded pictures."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from worker.engines.base import Inputs
from worker.engines.pictures import cover
from worker.params.request import GenerationRequest

if TYPE_CHECKING:
    from worker.engines.placement import Placement

_log = logging.getLogger(__name__)

# Wan was trained with texts padded to this many tokens.
_TEXT_TOKENS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """Tensors on the device, batch of one.

    Attributes:
        positive: Encoded prompt, in the transformers' number format.
        negative: Encoded negative prompt; None when no step is guided.
        noise: The first latents, float32: (1, channels, latent frames, height/8, width/8).
        picture: Mask and encoded pictures, joined to the latents in every step; None for text
            to video.
    """

    positive: torch.Tensor
    negative: torch.Tensor | None
    noise: torch.Tensor
    picture: torch.Tensor | None


def prepare(
    pipeline: Any, request: GenerationRequest, inputs: Inputs, placement: "Placement"
) -> Conditioning:
    """Encode prompts and pictures and draw the noise.

    The noise comes from a generator on the CPU, so a seed means the same on every device.
    """
    positive, negative = _encode_prompts(pipeline, request, placement.device)
    generator = torch.Generator("cpu").manual_seed(request.seed)
    if inputs.start_image is None:
        channels = pipeline.transformer.config.in_channels
        latents = _latents(pipeline, request, placement.device, generator, channels)
        return Conditioning(positive=positive, negative=negative, noise=latents, picture=None)
    noise, picture = _latents_of_pictures(pipeline, request, inputs, placement.device, generator)
    return Conditioning(positive=positive, negative=negative, noise=noise, picture=picture)


def _encode_prompts(
    pipeline: Any, request: GenerationRequest, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Encode the negative prompt only when a step's guidance is not 1: it has no effect else."""
    guided = any(step.guidance_scale != 1 for step in request.schedule.steps)
    _warn_of_cut(pipeline, "prompt", request.prompt)
    if guided:
        _warn_of_cut(pipeline, "negative prompt", request.negative_prompt)
    positive, negative = pipeline.encode_prompt(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        do_classifier_free_guidance=guided,
        max_sequence_length=_TEXT_TOKENS,
        device=device,
    )
    dtype = pipeline.transformer.dtype
    return positive.to(dtype), negative.to(dtype) if guided else None


def _warn_of_cut(pipeline: Any, which: str, text: str) -> None:
    """Say what the pipeline does not: it cuts a long text and goes on."""
    tokens = len(pipeline.tokenizer(text, verbose=False).input_ids)
    if tokens > _TEXT_TOKENS:
        _log.warning(
            "the %s has %d tokens and the model reads the first %d; shorten it",
            which, tokens, _TEXT_TOKENS,
        )  # fmt: skip


def _latents(
    pipeline: Any,
    request: GenerationRequest,
    device: torch.device,
    generator: torch.Generator,
    channels: int,
) -> torch.Tensor:
    latents = pipeline.prepare_latents(
        1,
        channels,
        request.height,
        request.width,
        request.frames,
        torch.float32,
        device,
        generator,
    )
    return torch.as_tensor(latents)


def _latents_of_pictures(
    pipeline: Any,
    request: GenerationRequest,
    inputs: Inputs,
    device: torch.device,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw the noise and encode a video that holds the pictures at its ends, grey between."""
    first, last = (
        None if picture is None else _pixels(pipeline, picture, request, device)
        for picture in (inputs.start_image, inputs.end_image)
    )
    noise, picture = pipeline.prepare_latents(
        first,
        1,
        pipeline.vae.config.z_dim,
        request.height,
        request.width,
        request.frames,
        torch.float32,
        device,
        generator,
        None,
        last,
    )
    return noise, picture


def _pixels(
    pipeline: Any, picture: Image.Image, request: GenerationRequest, device: torch.device
) -> torch.Tensor:
    """Return the picture at the frame's size, scaled to -1 … 1: (1, 3, height, width)."""
    fitted = cover(picture, request.width, request.height)
    pixels = pipeline.video_processor.preprocess(fitted, height=request.height, width=request.width)
    return torch.as_tensor(pixels).to(device, dtype=torch.float32)
