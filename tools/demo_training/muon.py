"""The optimizer: Muon for the matrices inside the blocks, Adam for the rest."""

from collections import defaultdict
from collections.abc import Iterable

import torch

_MOMENTUM = 0.95
# Of the quintic iteration that brings all singular values near 1 (K. Jordan et al., "Muon", 2024).
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon:
    """Steps along the momentum with its singular values made equal; equal shapes go together."""

    def __init__(self, matrices: Iterable[torch.nn.Parameter]) -> None:
        self._groups: dict[torch.Size, list[torch.nn.Parameter]] = defaultdict(list)
        for matrix in matrices:
            self._groups[matrix.shape].append(matrix)
        self._momenta = {
            shape: torch.zeros(len(group), *shape) for shape, group in self._groups.items()
        }

    @torch.no_grad()
    def step(self, rate: float, decay: float = 0.01) -> None:
        """Move all matrices."""
        for shape, group in self._groups.items():
            gradients = torch.stack([matrix.grad for matrix in group])
            momentum = self._momenta[shape]
            momentum.lerp_(gradients, 1 - _MOMENTUM)
            moves = _orthogonal(gradients.lerp(momentum, _MOMENTUM))
            size = 0.2 * max(shape) ** 0.5
            for matrix, move in zip(group, moves, strict=True):
                matrix.mul_(1 - rate * decay).add_(move, alpha=-rate * size)
                matrix.grad = None


def _orthogonal(moves: torch.Tensor) -> torch.Tensor:
    tall = moves.shape[1] > moves.shape[2]
    x = moves.transpose(1, 2) if tall else moves
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x
