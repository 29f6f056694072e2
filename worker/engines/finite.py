"""Whether what is computed are numbers at all: a NaN spreads to every number, and is black."""

from collections.abc import Mapping, Sequence
from typing import Final

import torch

from worker.errors import NotFinite
from worker.params.request import Step

# The largest guidance that published settings of Wan use; beyond it latents are known to run away.
_USUAL_GUIDANCE: Final = 10.0
_USUAL_STRENGTH: Final = 1.5


def check_latents(
    latents: torch.Tensor,
    step: Step,
    count: int,
    *,
    went_in: Mapping[str, torch.Tensor | None],
    dtype: torch.dtype,
    lora_scales: Sequence[float],
) -> None:
    """Refuse latents that are not finite. Raises `NotFinite`, which names the step.

    Checked after every step: the step has been waited for, to know how long it took, so that one
    number more from the device costs nothing that can be measured.

    Args:
        latents: What the step gave.
        step: That step.
        count: How many there are.
        went_in: What it was given, by what it is: looked at where the latents are not finite.
        dtype: What the transformer computes in.
        lora_scales: The strengths of the LoRAs in this step.
    """
    if is_finite(latents):
        return
    given = ((name, tensor) for name, tensor in went_in.items() if tensor is not None)
    broken = [name for name, tensor in given if not is_finite(tensor)]
    where = (
        f"step {step.index + 1} of {count} (phase {step.phase}, {step.expert}-noise expert, "
        f"guidance {step.guidance_scale:g}, timestep {step.timestep:g})"
    )
    raise NotFinite(
        where,
        what=f"latents, of which {_share(latents)}",
        already=broken,
        advice=_advice(dtype, step.guidance_scale, lora_scales),
    )


def check_video(video: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse decoded pictures that are not finite. Raises `NotFinite`; the latents were."""
    if not is_finite(video):
        raise NotFinite(
            "the decoding after the last step",
            what=f"pictures, of which {_share(video)}",
            already=[],
            advice=_advice(dtype),
        )


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether all numbers are; waits for the device."""
    return bool(torch.isfinite(tensor).all())


def _share(tensor: torch.Tensor) -> str:
    nan, broken = int(torch.isnan(tensor).sum()), int((~torch.isfinite(tensor)).sum())
    return f"{broken:,} of {tensor.numel():,} numbers are not finite ({nan:,} are NaN)"


def _advice(
    dtype: torch.dtype, guidance: float = 1.0, lora_scales: Sequence[float] = ()
) -> list[str]:
    """Say what is known to do this, the parameters that are unusual here first."""
    found = []
    if dtype is torch.float16:
        found.append("it computes in float16, whose largest number is 65,504: use bfloat16")
    if guidance > _USUAL_GUIDANCE:
        found.append(f"lower the guidance, {guidance:g} is more than {_USUAL_GUIDANCE:g}")
    strong = [scale for scale in lora_scales if abs(scale) > _USUAL_STRENGTH]
    if strong:
        found.append(f"lower the LoRAs' strengths: {', '.join(f'{scale:g}' for scale in strong)}")
    elif any(lora_scales):
        found.append("try without its LoRAs")
    return found or [f"it computes in {str(dtype).removeprefix('torch.')}: try float32"]
