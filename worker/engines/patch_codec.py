"""A linear codec in the place of a VAE, for small models: one latent a block of pixels."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

# Where a block is, beside what is in it: see `_places`.
PLACES = 8
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class Encoded:
    """What `PatchCodec.encode` returns, as the pipelines of diffusers take it."""

    latents: torch.Tensor


class PatchCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers ships no types
    """Projects blocks of pixels on their principal components, and back.

    As the Wan VAE, it gives the first frame a latent of its own and each four frames after it one.
    The last `PLACES` channels hold where a block is in the video, -1 … 1: a transformer of a few
    layers learns to find its way by them in minutes. Decoding leaves them out.

    Args:
        z_dim: Channels of a latent: the components that describe a block, then its places.
        latents_mean: Mean of each channel.
        latents_std: What each channel is divided by before it is noised.
        scale_factor_spatial: Pixels of a block's side.
        scale_factor_temporal: Frames of a block.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # as above
    def __init__(
        self,
        z_dim: int = 72,
        latents_mean: tuple[float, ...] = (),  # noqa: ARG002 - for `config`, where pipelines look
        latents_std: tuple[float, ...] = (),  # noqa: ARG002 - as latents_mean
        scale_factor_spatial: int = 16,
        scale_factor_temporal: int = 4,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._side, self._depth = scale_factor_spatial, scale_factor_temporal
        components = z_dim - PLACES
        pixels = _COLOURS * scale_factor_spatial**2
        # Of the first frame, and of the frames after it.
        self.first = torch.nn.Parameter(torch.zeros(components, pixels))
        self.later = torch.nn.Parameter(torch.zeros(components, pixels * scale_factor_temporal))
        self.requires_grad_(requires_grad=False)

    def encode(self, video: torch.Tensor) -> Encoded:
        """Encode (batch, 3, 4 · N + 1, height, width) of -1 … 1."""
        first, later = video[:, :, :1], video[:, :, 1:]
        parts = [self._project(first, self.first)]
        if later.shape[2]:
            parts.append(self._project(later, self.later))
        described = torch.cat(parts, dim=2)
        places = _places(described).expand(described.shape[0], -1, -1, -1, -1)
        return Encoded(torch.cat([described, places.to(described.dtype)], dim=1))

    def decode(self, latents: torch.Tensor, *, return_dict: bool = True) -> Any:
        """Decode to what `encode` takes. Gives a tuple of it: there is no `return_dict`."""
        described = latents[:, :-PLACES]
        parts = [self._unproject(described[:, :, :1], self.first)]
        if described.shape[2] > 1:
            parts.append(self._unproject(described[:, :, 1:], self.later))
        video = torch.cat(parts, dim=2).clamp(-1, 1)
        return _Decoded(video) if return_dict else (video,)

    def _project(self, video: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        blocks = self.blocks(video)
        return torch.einsum("bthwp,cp->bcthw", blocks, basis)

    def blocks(self, video: torch.Tensor) -> torch.Tensor:
        """Cut a video up: (batch, time, rows, columns, pixels). One frame is one block."""
        side, depth = self._side, min(self._depth, video.shape[2])
        batch, colours, frames, height, width = video.shape
        cut = video.reshape(
            batch, colours, frames // depth, depth, height // side, side, width // side, side
        )
        return cut.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)

    def _unproject(self, described: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        blocks = torch.einsum("bcthw,cp->bthwp", described, basis)
        cut = blocks.reshape(*blocks.shape[:4], _COLOURS, -1, self._side, self._side)
        return cut.permute(0, 4, 1, 5, 2, 6, 3, 7).flatten(6, 7).flatten(4, 5).flatten(2, 3)


@dataclass(frozen=True, slots=True)
class _Decoded:
    sample: torch.Tensor


def _places(described: torch.Tensor) -> torch.Tensor:
    """Say where each block is: time, height and width, and waves of them."""
    device = described.device
    time, down, across = torch.meshgrid(
        *(_span(count, device) for count in described.shape[2:]), indexing="ij"
    )
    waves = [wave(torch.pi * axis) for axis in (down, across) for wave in (torch.sin, torch.cos)]
    return torch.stack([time, down, across, *waves, torch.cos(torch.pi * time)])[None]


def _span(count: int, device: torch.device) -> torch.Tensor:
    return (
        torch.linspace(-1, 1, count, device=device) if count > 1 else torch.zeros(1, device=device)
    )
