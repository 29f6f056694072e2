"""The steps of a drill's generation, in one of which its fault comes."""

import hashlib
import time
from typing import Any, Final

import telemetry
from telemetry import names
from worker.engines.base import Generated, Observer
from worker.engines.drill import faults, models
from worker.engines.drill.announcing import announce
from worker.params.request import GenerationRequest, Step

# The step in which the fault comes, from 1: some have gone well before, as in life.
FAULT_STEP: Final = 3
_SOUND: Final = models.fault_of(models.SOUND)
_LATENT_BYTES: Final = 1 << 20


def generate(
    request: GenerationRequest, observer: Observer, *, fault: str, device: str
) -> Generated:
    """Go through the request's steps; a `denoise step` span each."""
    latents = bytes(_LATENT_BYTES)
    count = len(request.schedule.steps)
    started = time.perf_counter()
    for number, step in enumerate(request.schedule.steps, start=1):
        observer.check_cancelled()
        said = _attributes(step, number, count)
        with telemetry.span(names.DENOISE_STEP, said) as span:  # drill: step
            if number == FAULT_STEP and fault != _SOUND:
                announce(fault)
                faults.meet(fault, device)
            begun = time.perf_counter()
            latents = _denoised(latents)
            span.set_attribute(names.STEP_DEVICE_MS, (time.perf_counter() - begun) * 1000)
        observer.step(number, count)
    return _decoded(request, (time.perf_counter() - started) / count)


def _attributes(step: Step, number: int, count: int) -> dict[str, Any]:
    return {
        names.STEP_INDEX: number,
        names.STEP_COUNT: count,
        names.STEP_PHASE: step.phase,
        names.STEP_TIMESTEP: step.timestep,
        names.STEP_GUIDANCE: step.guidance_scale,
        names.STEP_EXPERT: step.expert,
    }


def _denoised(latents: bytes) -> bytes:
    """Work for a few milliseconds: a record in which all is instantaneous looks like none."""
    return hashlib.shake_128(latents).digest(_LATENT_BYTES)


def _decoded(request: GenerationRequest, seconds_per_step: float) -> Generated:
    """Return frames of the size that was asked: black on the left, white on the right."""
    import numpy as np

    shape = (request.frames, request.height, request.width, 3)
    shades = np.linspace(0, 255, request.width).astype(np.uint8)[None, None, :, None]
    frames = np.broadcast_to(shades, shape).copy()
    return Generated(frames=frames, seconds_per_step=seconds_per_step)
