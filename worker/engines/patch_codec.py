"""A linear codec in the place of a VAE, for small models: one latent a window of pixels."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch.nn import functional

# Where a window is, beside what is in it: see `_places`.
PLACES = 8
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class Encoded:
    """What `PatchCodec.encode` returns, as the pipelines of diffusers take it."""

    latents: torch.Tensor


class PatchCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers ships no types
    """Projects windows of pixels on their principal components, and back.

    As the Wan VAE, it gives the first frame a latent of its own and each four frames after it one.
    Windows overlap, as in a lapped transform (Malvar and Staelin, 1989): each fades out over its
    neighbours, so that what is wrong in one shows no edge. The last `PLACES` channels hold where a
    window is in the video, -1 … 1: a transformer of a few layers learns to find its way by them in
    minutes. Decoding leaves them out.

    Args:
        z_dim: Channels of a latent: the components that describe a window, then its places.
        latents_mean: Mean of each channel.
        latents_std: What each channel is divided by before it is noised.
        scale_factor_spatial: Pixels from one window to the next.
        scale_factor_temporal: Frames of a window.
        overlap: Pixels by which a window reaches over each neighbour, of a reduced video: at most
            half of those from one to the next.
        reduced: How many times smaller than the video what is projected is. Decoding enlarges.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # as above
    def __init__(
        self,
        z_dim: int = 56,
        latents_mean: tuple[float, ...] = (),  # noqa: ARG002 - for `config`, where pipelines look
        latents_std: tuple[float, ...] = (),  # noqa: ARG002 - as latents_mean
        scale_factor_spatial: int = 16,
        scale_factor_temporal: int = 4,
        overlap: int = 8,
        reduced: int = 1,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._step, self._depth = scale_factor_spatial // reduced, scale_factor_temporal
        self._overlap, self._reduced = overlap, reduced
        components = z_dim - PLACES
        pixels = _COLOURS * (self._step + 2 * overlap) ** 2
        # Of the first frame, and of the frames after it.
        self.first = torch.nn.Parameter(torch.zeros(components, pixels))
        self.later = torch.nn.Parameter(torch.zeros(components, pixels * scale_factor_temporal))
        self.requires_grad_(requires_grad=False)

    def encode(self, video: torch.Tensor) -> Encoded:
        """Encode (batch, 3, 4 · N + 1, height, width) of -1 … 1."""
        video = functional.avg_pool3d(video, (1, self._reduced, self._reduced))
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
        if self._reduced > 1:
            larger = (1, self._reduced, self._reduced)
            video = functional.interpolate(video, scale_factor=larger, mode="trilinear")
        return _Decoded(video) if return_dict else (video,)

    def windows(self, video: torch.Tensor) -> torch.Tensor:
        """Cut a reduced video up: (batch, time, rows, columns, pixels). One frame is one window."""
        batch, colours, frames, height, width = video.shape
        depth = min(self._depth, frames)
        times = video.reshape(batch, colours, -1, depth, height, width).transpose(1, 2)
        stacked = times.reshape(-1, colours * depth, height, width)
        around = functional.pad(stacked, [self._overlap] * 4, mode="replicate")
        cut = functional.unfold(around, self._side, stride=self._step).transpose(1, 2)
        shape = (batch, frames // depth, height // self._step, width // self._step, -1)
        return cut.reshape(shape) * self._fading(colours * depth, video)

    def _project(self, video: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bthwp,cp->bcthw", self.windows(video), basis)

    def _unproject(self, described: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        batch, _, times, rows, columns = described.shape
        fading = self._fading(basis.shape[1] // self._side**2, described)
        seen = torch.einsum("bcthw,cp->bthwp", described, basis) * fading
        laid = self._laid(seen.flatten(0, 1).flatten(1, 2), (rows, columns))
        laid = laid / self._laid((fading**2).expand(1, rows * columns, -1), (rows, columns))
        frames = laid.reshape(batch, times, _COLOURS, -1, *laid.shape[-2:])
        return frames.transpose(1, 2).flatten(2, 3)

    def _laid(self, windows: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """Lay windows, (any, places, pixels), over each other; what is beyond the edge goes."""
        edge = self._overlap
        height, width = (count * self._step + 2 * edge for count in grid)
        laid = functional.fold(
            windows.transpose(1, 2), (height, width), self._side, stride=self._step
        )
        return laid[..., edge : height - edge, edge : width - edge]

    @property
    def _side(self) -> int:
        return self._step + 2 * self._overlap

    def _fading(self, layers: int, like: torch.Tensor) -> torch.Tensor:
        """Weigh a window's pixels: the squares of those that lie on each other add up to 1."""
        ramp = (torch.arange(2 * self._overlap) + 0.5) / max(1, 2 * self._overlap)
        ramp = torch.sin(ramp * torch.pi / 2)
        weights = torch.cat([ramp, torch.ones(self._step - 2 * self._overlap), ramp.flip(0)])
        return torch.outer(weights, weights).to(like).expand(layers, -1, -1).flatten()


@dataclass(frozen=True, slots=True)
class _Decoded:
    sample: torch.Tensor


def _places(described: torch.Tensor) -> torch.Tensor:
    """Say where each window is: time, height and width, and waves of them."""
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
