"""Fits the codec of the demo's model to clips."""

import numpy as np
import torch

from tools.demo_training.clips import small_clip, video_tensor
from worker.demo.scenes import Effects, random_pair
from worker.engines.patch_codec import PLACES, PatchCodec

COMPONENTS = 48
CLIPS = 120
WINDOWS = 9000
_SHOWN = 0.4  # part of the clips that show an effect, of each
# Latents of this deviation stand well clear of the noise but for the highest levels: what the
# high-noise expert has decided, the low-noise one sees.
_SPREAD = 4.0


def fit_codec(seed: int) -> PatchCodec:
    """Find the components of windows of pixels; the same seed gives the same."""
    random = np.random.default_rng(seed)
    videos = torch.cat([video_tensor(_any_clip(random)) for _ in range(CLIPS)])
    pictures = torch.zeros_like(videos[:, :, 1:])
    pictures[:, :, -1] = videos[:, :, -1]
    codec = PatchCodec(z_dim=COMPONENTS + PLACES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = _some(codec.windows(videos[:, :, :1]), WINDOWS)
        later = torch.cat(
            [
                _some(codec.windows(videos[:, :, 1:]), WINDOWS),
                # As the last picture is encoded: grey before it.
                _some(codec.windows(pictures[:, :, -4:]), WINDOWS // 3),
            ]
        )
        for basis, windows in ((codec.first, first), (codec.later, later)):
            basis.copy_(torch.svd_lowrank(windows, q=COMPONENTS + 16, niter=3)[2].T[:COMPONENTS])
    _set_scale(codec, videos)
    return codec


def _any_clip(random: np.random.Generator) -> np.ndarray:
    leap, glow, warm = random.random(3) * (random.random(3) < _SHOWN)
    return small_clip(*random_pair(random), Effects(leap=leap, glow=glow, warm=warm))


def _some(windows: torch.Tensor, count: int) -> torch.Tensor:
    flat = windows.flatten(0, 3)
    return flat[torch.randperm(len(flat))[:count]]


def _set_scale(codec: PatchCodec, videos: torch.Tensor) -> None:
    latents = codec.encode(videos).latents.transpose(0, 1).flatten(1)
    mean, deviation = latents.mean(1), latents.std(1)
    mean[-PLACES:], deviation[-PLACES:] = 0, 0.7
    codec.register_to_config(
        latents_mean=tuple(round(float(value), 5) for value in mean),
        latents_std=tuple(round(float(value) / _SPREAD, 5) for value in deviation),
    )
