"""Trains an expert, or both at once, on batches of clips."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from tools.demo_training.clips import Batch, Clips
from tools.demo_training.muon import Muon
from tools.demo_training.network import Texts
from worker.engines.patch_codec import PLACES, PatchCodec

SHIFT = 5.0
BOUNDARY = 0.8261
HIGH, LOW, ALL = (BOUNDARY, 1.0), (0.0, BOUNDARY), (0.0, 1.0)
_AVERAGE = 0.995
_WARM_UP = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How an expert is trained: steps, clips a step, the learning rate at its highest."""

    steps: int
    batch: int
    rate: float


def noise_levels(count: int, levels: tuple[float, float], random: torch.Generator) -> torch.Tensor:
    """Draw noise levels as a schedule of shift 5 spreads them, within the expert's own."""
    low, high = (level / (SHIFT - (SHIFT - 1) * level) for level in levels)
    even = low + (high - low) * torch.rand(count, generator=random)
    return SHIFT * even / (1 + (SHIFT - 1) * even)


class Objective:
    """The loss: how far the predicted velocity is off, weighed by what it does to pixels."""

    def __init__(self, codec: PatchCodec, texts: Texts, seed: int) -> None:
        weights = torch.tensor(codec.config.latents_std) ** 2
        weights[-PLACES:] = weights[:-PLACES].mean() * 0.05
        self._weights = (weights / weights.mean()).view(1, -1, 1, 1, 1)
        self._texts = texts
        self._random = torch.Generator().manual_seed(seed)

    def __call__(self, transformer: Any, batch: Batch, levels: tuple[float, float]) -> torch.Tensor:
        """Noise a batch to levels within the expert's, and return the loss."""
        level = noise_levels(len(batch.clean), levels, self._random)
        sigma = level.view(-1, 1, 1, 1, 1)
        noise = torch.randn(batch.clean.shape, generator=self._random)
        noised = (1 - sigma) * batch.clean + sigma * noise
        predicted = transformer(
            hidden_states=torch.cat([noised, batch.condition], dim=1),
            timestep=level * 1000,
            encoder_hidden_states=self._texts.encode(batch.prompts),
            return_dict=False,
        )[0]
        error = (predicted - (noise - batch.clean)) ** 2
        return (error * self._weights * sigma).mean()


def train(
    transformer: Any,
    clips: Clips,
    objective: Objective,
    levels: tuple[float, float],
    course: Course,
    told: Callable[[int, float], None],
) -> None:
    """Train a transformer; it ends as the average of its last steps."""
    named = [(n, p) for n, p in transformer.named_parameters() if p.requires_grad]
    matrices = [p for n, p in named if _is_muons(n, p)]
    others = [p for n, p in named if not _is_muons(n, p)]
    muon = Muon(matrices)
    adam = torch.optim.AdamW(others, lr=course.rate, betas=(0.9, 0.98), weight_decay=0.0)
    average = [parameter.detach().clone() for _, parameter in named]
    for step in range(course.steps):
        rate = course.rate * _decay(step, course.steps)
        loss = objective(transformer, clips.batch(course.batch), levels)
        loss.backward()
        adam.param_groups[0]["lr"] = rate
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        adam.step()
        adam.zero_grad()
        muon.step(rate)
        _follow(average, (parameter for _, parameter in named), step)
        told(step + 1, float(loss.detach()))
    with torch.no_grad():
        for (_, parameter), mean in zip(named, average, strict=True):
            parameter.copy_(mean)


def _is_muons(name: str, parameter: torch.nn.Parameter) -> bool:
    return name.startswith("blocks.") and len(parameter.shape) == len(("rows", "columns"))


def _decay(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


@torch.no_grad()
def _follow(
    average: list[torch.Tensor], parameters: Iterable[torch.nn.Parameter], step: int
) -> None:
    share = 1 - min(_AVERAGE, (step + 1) / (step + 10))
    for mean, parameter in zip(average, parameters, strict=True):
        mean.lerp_(parameter, share)
