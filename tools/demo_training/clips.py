"""An endless supply of training clips, as latents: drawn by lot, encoded, and kept for a while."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from worker.demo.scenes import HEIGHT, PLAIN, WIDTH, Effects, Scene, clip, describe, random_pair
from worker.engines.patch_codec import PatchCodec

REDUCED = 2
VERBS = ("glides", "moves", "drifts")
_WITHOUT_TEXT, _JUMPING = 0.1, 0.25  # parts of all clips
_SHOWN = 0.5  # part of the mixed clips that show an effect, of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Clips for one step.

    Attributes:
        clean: Their latents, as the transformers see them.
        condition: Mask and encoded pictures.
        prompts: What is said of them.
    """

    clean: torch.Tensor
    condition: torch.Tensor
    prompts: list[str]


def small_clip(first: Scene, last: Scene, effects: Effects = PLAIN) -> Any:
    """Draw a clip as small as the codec reduces it before it looks at it."""
    return clip(first, last, effects, size=(WIDTH // REDUCED, HEIGHT // REDUCED))


def video_tensor(frames: Any) -> torch.Tensor:
    """Turn (frames, height, width, 3) of 0 … 1 into (1, 3, frames, height, width) of -1 … 1."""
    return torch.from_numpy(frames).permute(3, 0, 1, 2)[None] * 2 - 1


def scaled(codec: PatchCodec, video: torch.Tensor) -> torch.Tensor:
    """Encode a video and scale it as the pipeline does."""
    mean, deviation = (
        torch.tensor(values).view(1, -1, 1, 1, 1)
        for values in (codec.config.latents_mean, codec.config.latents_std)
    )
    return (codec.encode(video).latents - mean) / deviation


def conditioned(codec: PatchCodec, video: torch.Tensor) -> torch.Tensor:
    """Encode the first and the last frame with grey between, below the mask of both."""
    pictures = torch.zeros_like(video)
    pictures[:, :, 0], pictures[:, :, -1] = video[:, :, 0], video[:, :, -1]
    encoded = scaled(codec, pictures)
    mask = torch.zeros(encoded.shape[0], 4, *encoded.shape[2:])
    mask[:, :, 0], mask[:, 3, -1] = 1, 1
    return torch.cat([mask, encoded], dim=1)


class Clips:
    """Keeps a stock of clips, some of it renewed at each draw; the same seed draws the same.

    Args:
        codec: What encodes them.
        seed: Of everything that is drawn by lot.
        stock: How many clips are kept.
        renewed: How many are drawn anew for each batch.
        effects: The effects of all clips; None for those that have some by lot.
        mixed: Part of the clips that show effects which their text says nothing of.
    """

    def __init__(
        self,
        codec: PatchCodec,
        *,
        seed: int,
        stock: int,
        renewed: int,
        effects: Effects | None = None,
        mixed: float = 0.0,
    ) -> None:
        self._codec, self._renewed, self._effects, self._mixed = codec, renewed, effects, mixed
        self._random = np.random.default_rng(seed)
        self._kept = [self._draw() for _ in range(stock)]
        self._oldest = 0

    def batch(self, size: int) -> Batch:
        """Draw a batch."""
        for _ in range(self._renewed):
            self._kept[self._oldest] = self._draw()
            self._oldest = (self._oldest + 1) % len(self._kept)
        picked = [self._kept[i] for i in self._random.integers(0, len(self._kept), size)]
        return Batch(
            clean=torch.cat([clean for clean, _, _ in picked]),
            condition=torch.cat([condition for _, condition, _ in picked]),
            prompts=[self._or_nothing(text) for _, _, text in picked],
        )

    def _or_nothing(self, text: str) -> str:
        return "" if self._random.random() < _WITHOUT_TEXT else text

    def _draw(self) -> tuple[torch.Tensor, torch.Tensor, str]:
        first, last = random_pair(self._random)
        effects, verb = self._effects_and_verb()
        video = video_tensor(small_clip(first, last, effects))
        text = describe(first, last, verb)
        clean = scaled(self._codec, video)
        return clean, conditioned(self._codec, video), text

    def _effects_and_verb(self) -> tuple[Effects, str]:
        plain = str(self._random.choice(VERBS))
        if self._effects is not None:
            return self._effects, plain
        if self._random.random() < self._mixed:
            strengths = self._random.random(3) * (self._random.random(3) < _SHOWN)
            leap, glow, warm = (float(strength) for strength in strengths)
            return Effects(leap=leap, glow=glow, warm=warm), plain
        if self._random.random() < _JUMPING:
            return Effects(leap=1.0), "jumps"
        return PLAIN, plain
