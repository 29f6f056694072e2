"""Trains one LoRA for both experts, so that its strength is that of what it does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig

from tools.demo_training.clips import Clips
from tools.demo_training.training import HIGH, LOW, Objective
from worker.demo.scenes import Effects
from worker.engines.patch_codec import PatchCodec

RANK = 4
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")
EFFECTS = ("leap", "glow", "warm")
# At half the strength, half of the effect is to be seen.
_STRENGTHS = (0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraCourse:
    """How a LoRA is trained: steps, clips a step, clips drawn, the learning rate at first."""

    steps: int
    batch: int
    stock: int
    rate: float


def train_lora(
    effect: str,
    experts: tuple[Any, Any],
    codec: PatchCodec,
    objective: Objective,
    course: LoraCourse,
    seed: int,
    told: Callable[[int, float], None],
) -> dict[str, torch.Tensor]:
    """Train a LoRA that shows an effect; return its tensors by the names of the layers.

    Both experts have the very same matrices, as a file of one LoRA has them. Takes the LoRA out
    of the experts again.
    """
    stocks = [
        Clips(
            codec, seed=seed + index, stock=course.stock, renewed=0,
            effects=Effects(**{effect: strength}),
        )
        for index, strength in enumerate(_STRENGTHS)
    ]  # fmt: skip
    layers = _add(experts)
    matrices = [m for layer in layers[0].values() for m in _matrices(layer)]
    adam = torch.optim.AdamW(matrices, lr=course.rate, weight_decay=0.0)
    for step in range(course.steps):
        adam.param_groups[0]["lr"] = course.rate * (1 - step / course.steps)
        which, strength = step % 2, (step // 2) % 2
        for layer in layers[which].values():
            layer.scaling["default"] = _STRENGTHS[strength]
        batch = stocks[strength].batch(course.batch)
        loss = objective(experts[which], batch, (HIGH, LOW)[which])
        loss.backward()
        adam.step()
        adam.zero_grad()
        told(step + 1, float(loss.detach()))
    tensors = {
        f"{name}.lora_{part}.weight": matrix.detach().clone()
        for name, layer in layers[0].items()
        for part, matrix in zip("AB", _matrices(layer), strict=True)
    }
    for expert in experts:
        expert.unload_lora()
    return tensors


def _add(experts: tuple[Any, Any]) -> list[dict[str, Any]]:
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(TARGETS))
    found = []
    for expert in experts:
        expert.requires_grad_(requires_grad=False)
        expert.add_adapter(config)
        modules = expert.named_modules()
        found.append({name: layer for name, layer in modules if hasattr(layer, "lora_A")})
    for name, layer in found[1].items():
        for part in ("lora_A", "lora_B"):
            getattr(layer, part)["default"].weight = getattr(found[0][name], part)["default"].weight
    return found


def _matrices(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight
