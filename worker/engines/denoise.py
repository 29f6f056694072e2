"""The denoising loop: expert, guidance and LoRA strengths chosen for each planned step."""

import time
from contextlib import AbstractContextManager
from typing import Any

import torch
from opentelemetry.trace import Span

import telemetry
from telemetry import names
from worker.engines.base import Observer
from worker.engines.conditioning import Conditioning
from worker.engines.finite import check_latents
from worker.engines.lora_weights import EXPERTS, LoraAdapters
from worker.engines.placement import Placement
from worker.engines.solvers import Solver
from worker.params.request import Schedule, Step


class Denoiser:
    """Denoises latents with the transformers of one loaded pipeline."""

    def __init__(self, pipeline: Any, loras: LoraAdapters, placement: Placement) -> None:
        self._pipeline = pipeline
        self._loras = loras
        self._placement = placement

    def run(
        self, schedule: Schedule, solver: Solver, conditioning: Conditioning, observer: Observer
    ) -> torch.Tensor:
        """Walk the schedule; return the clean latents, in float32.

        One `denoise step` span a step. Raises what `observer.check_cancelled` raises, before the
        next step, and `NotFinite` at the step whose latents are not finite.
        """
        latents, count = conditioning.noise, len(schedule.steps)
        for position, step in enumerate(schedule.steps):
            observer.check_cancelled()
            with self._span(step, position, count) as span:
                scales = self._loras.apply(step)
                span.set_attribute(names.STEP_LORA_SCALES, scales)
                before = latents
                latents = self._timed_step(solver, conditioning, step, before, span)
                check_latents(
                    latents,
                    step,
                    count,
                    went_in=_went_in(conditioning, before),
                    dtype=conditioning.positive.dtype,
                    lora_scales=scales,
                )
            observer.step(position + 1, count)
        return latents

    def _span(self, step: Step, position: int, count: int) -> AbstractContextManager[Span]:
        return telemetry.span(
            names.DENOISE_STEP,
            {
                names.STEP_INDEX: position + 1,
                names.STEP_COUNT: count,
                names.STEP_PHASE: step.phase,
                names.STEP_TIMESTEP: step.timestep,
                names.STEP_GUIDANCE: step.guidance_scale,
                names.STEP_EXPERT: step.expert,
            },
        )

    def _timed_step(
        self,
        solver: Solver,
        conditioning: Conditioning,
        step: Step,
        latents: torch.Tensor,
        span: Span,
    ) -> torch.Tensor:
        clock = _clock(self._placement)
        velocity = self._velocity(conditioning, step, latents)
        latents = solver.step(velocity, step.index, latents)
        span.set_attribute(names.STEP_DEVICE_MS, clock.stop_ms())
        allocated = self._placement.allocated_bytes()
        if allocated is not None:
            span.set_attribute(names.STEP_MEMORY_BYTES, allocated)
        return latents

    def _velocity(
        self,
        conditioning: Conditioning,
        step: Step,
        latents: torch.Tensor,
    ) -> torch.Tensor:
        """Predict, with classifier-free guidance where this step's guidance is not 1.

        The decision is the step's alone: diffusers' pipelines take it once for all steps.
        """
        conditional = self._predict(conditioning, step, latents, conditioning.positive)
        if step.guidance_scale == 1 or conditioning.negative is None:
            return conditional
        unconditional = self._predict(conditioning, step, latents, conditioning.negative)
        return unconditional + step.guidance_scale * (conditional - unconditional)

    def _predict(
        self,
        conditioning: Conditioning,
        step: Step,
        latents: torch.Tensor,
        text: torch.Tensor,
    ) -> torch.Tensor:
        transformer = getattr(self._pipeline, EXPERTS[step.expert])
        seen = latents
        if conditioning.picture is not None:
            seen = torch.cat([latents, conditioning.picture], dim=1)
        predicted = transformer(
            hidden_states=seen.to(text.dtype),
            timestep=torch.tensor([step.timestep], dtype=torch.float32, device=latents.device),
            encoder_hidden_states=text,
            return_dict=False,
        )[0]
        return torch.as_tensor(predicted)


def _went_in(conditioning: Conditioning, latents: torch.Tensor) -> dict[str, torch.Tensor | None]:
    """Name what a step is given, for people."""
    return {
        "the encoded prompt": conditioning.positive,
        "the encoded negative prompt": conditioning.negative,
        "the encoded pictures": conditioning.picture,
        "the latents before it": latents,
    }


class _CpuClock:
    """Wall time of work that is done when the call returns."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def stop_ms(self) -> float:
        return (time.perf_counter() - self._start) * 1000


class _CudaClock:
    """Time on the device between two events of its stream; stopping waits for the second."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device)
        self._start = self._record()

    def stop_ms(self) -> float:
        end = self._record()
        end.synchronize()
        return float(self._start.elapsed_time(end))

    def _record(self) -> Any:
        event: Any = torch.cuda.Event
        return self._stream.record_event(event(enable_timing=True))


def _clock(placement: Placement) -> _CpuClock | _CudaClock:
    return _CudaClock(placement.device) if placement.device.type == "cuda" else _CpuClock()
