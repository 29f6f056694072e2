"""From clean latents to pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

from worker.engines.base import Observer
from worker.engines.finite import check_video
from worker.engines.pictures import check_frames
from worker.params.request import GenerationRequest

if TYPE_CHECKING:
    from worker.engines.placement import Placement


def decode(
    pipeline: Any,
    latents: torch.Tensor,
    request: GenerationRequest,
    placement: "Placement",
    observer: Observer,
) -> "np.ndarray[Any, Any]":
    """Decode to uint8, (frames, height, width, 3), RGB; check that it is what was asked.

    The observer is told of pictures as soon as they are decoded.

    Raises `NotFinite` before that: as bytes, what is no number is black.
    """
    vae = pipeline.vae
    shape = (1, vae.config.z_dim, 1, 1, 1)
    mean, deviation = (
        torch.tensor(values, dtype=vae.dtype, device=placement.device).view(shape)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    scaled = latents.to(device=placement.device, dtype=vae.dtype) * deviation + mean
    with _telling(vae, request, observer):
        video = vae.decode(scaled, return_dict=False)[0]
    check_video(video, vae.dtype)
    frames = _as_pictures(video[0])
    check_frames(frames.shape, request)
    return frames


@contextmanager
def _telling(vae: Any, request: GenerationRequest, observer: Observer) -> Iterator[None]:
    """Tell of pictures in a block in which a VAE decodes piece by piece, as Wan's does in time.

    What is no whole picture, as the tiles of one that decodes in tiles, is nobody's business.
    """
    decoder = getattr(vae, "decoder", None)
    if decoder is None:
        yield
        return
    whole, patch = (request.height, request.width), getattr(vae.config, "patch_size", None) or 1

    def tell(_decoder: torch.nn.Module, _given: object, piece: torch.Tensor) -> None:
        pictures = unpatchify(piece, patch_size=patch)  # type: ignore[no-untyped-call]  # diffusers
        if pictures.shape[-2:] == whole:
            observer.decoded(_as_pictures(pictures[0]))

    hook = decoder.register_forward_hook(tell)
    try:
        yield
    finally:
        hook.remove()


def _as_pictures(video: torch.Tensor) -> "np.ndarray[Any, Any]":
    """Turn (3, frames, height, width) of -1 … 1 into bytes, on the device: less to copy."""
    scaled = ((video.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    pictures: np.ndarray[Any, Any] = scaled.permute(1, 2, 3, 0).contiguous().cpu().numpy()
    return pictures
