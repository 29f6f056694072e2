"""The solvers: each turns the velocity predicted at a planned step into the next latents."""

from collections.abc import Sequence
from typing import Any, Protocol

import diffusers
import numpy as np
import torch

from worker.errors import EngineError
from worker.params.request import Schedule

_diffusers: Any = diffusers  # ships no types

# diffusers' UniPC takes 1e-6 off a first noise level of 1, whose logarithm it needs.
_SIGMA_TOLERANCE = 1e-5


class Solver(Protocol):
    """Walks one schedule once."""

    def step(self, velocity: torch.Tensor, index: int, latents: torch.Tensor) -> torch.Tensor:
        """Return the latents after step `index` (from 0); steps come in order, in float32."""
        ...


def build_solver(schedule: Schedule) -> Solver:
    """Build the solver that the schedule names, on exactly its noise levels.

    Raises `EngineError` for an unknown solver, or when a library's solver would walk other noise
    levels than the schedule's, whose thresholds decide the phases.
    """
    if schedule.solver in {"euler", "causvid"}:
        return EulerSolver(schedule.sigmas)
    if schedule.solver == "unipc":
        return MultistepSolver(_unipc(schedule), schedule)
    if schedule.solver == "dpm++":
        return MultistepSolver(_dpm(schedule), schedule)
    raise EngineError(f"solver {schedule.solver!r} is unknown; known: euler, unipc, dpm++, causvid")


class EulerSolver:
    """The first-order step of a flow: `x += (sigmas[i + 1] - sigmas[i]) * velocity`.

    diffusers' FlowMatchEulerDiscreteScheduler shifts its last sigma twice unless it is given
    sigmas; this takes the schedule's as they are.
    """

    def __init__(self, sigmas: Sequence[float]) -> None:
        levels = torch.tensor(sigmas, dtype=torch.float32)
        self._differences = (levels[1:] - levels[:-1]).tolist()

    def step(self, velocity: torch.Tensor, index: int, latents: torch.Tensor) -> torch.Tensor:
        """Go straight on with this velocity to the next noise level."""
        return torch.add(latents, velocity.float(), alpha=self._differences[index])


class MultistepSolver:
    """UniPC or DPM-Solver++ of diffusers, which remember earlier steps."""

    def __init__(self, scheduler: Any, schedule: Schedule) -> None:
        _agree(scheduler, schedule)
        scheduler.set_begin_index(0)
        self._scheduler = scheduler

    def step(self, velocity: torch.Tensor, index: int, latents: torch.Tensor) -> torch.Tensor:
        """Let the library go on from its own position, which is `index`."""
        timestep = self._scheduler.timesteps[index]
        after = self._scheduler.step(velocity.float(), timestep, latents, return_dict=False)[0]
        return torch.as_tensor(after)


def _unipc(schedule: Schedule) -> Any:
    scheduler = _diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=schedule.shift
    )
    scheduler.set_timesteps(sigmas=np.array(schedule.unshifted_sigmas, dtype=np.float32))
    return scheduler


def _dpm(schedule: Schedule) -> Any:
    """Build DPM-Solver++; its `set_timesteps` takes no sigmas, so what that would set is set.

    A first noise level of 1 is right here: its infinite log-SNR makes the first step one of
    first order, and weighs nothing in the second.
    """
    scheduler = _diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=schedule.shift
    )
    scheduler.sigmas = torch.tensor(schedule.sigmas, dtype=torch.float32)
    scheduler.timesteps = scheduler.sigmas[:-1] * 1000
    scheduler.num_inference_steps = len(schedule.steps)
    return scheduler


def _agree(scheduler: Any, schedule: Schedule) -> None:
    planned, walked = schedule.sigmas, scheduler.sigmas.tolist()
    if len(planned) != len(walked) or any(
        abs(plan - walk) > _SIGMA_TOLERANCE for plan, walk in zip(planned, walked, strict=True)
    ):
        raise EngineError(
            f"solver {schedule.solver!r} would walk the noise levels {walked} and not the planned "
            f"{list(planned)}: the schedule's sigmas and unshifted sigmas disagree"
        )
