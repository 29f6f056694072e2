"""The solvers: each turns the velocity predicted at a planned step into the next latents."""

from collections.abc import Sequence
from typing import Any, Protocol

import diffusers
import torch

from worker.errors import EngineError
from worker.params.request import Schedule

_diffusers: Any = diffusers  # ships no types

_FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
# UniPC needs the logarithm of 1 - level; its own `set_timesteps` takes as much off a first 1.
_UNDER_1 = 1e-6


class Solver(Protocol):
    """Walks one schedule once."""

    def step(self, velocity: torch.Tensor, index: int, latents: torch.Tensor) -> torch.Tensor:
        """Return the latents after step `index` (from 0); steps come in order, in float32."""
        ...


def build_solver(schedule: Schedule) -> Solver:
    """Build the solver that the schedule names, on exactly its noise levels.

    Raises `EngineError` for an unknown solver.
    """
    if schedule.solver in {"euler", "causvid"}:
        return EulerSolver(schedule.sigmas)
    if schedule.solver == "unipc":
        # Half way to the second level where that is nearer: 1000 steps at a shift of 1000.
        highest = max(1 - _UNDER_1, (1 + schedule.sigmas[1]) / 2)
        return MultistepSolver(_diffusers.UniPCMultistepScheduler(**_FLOW), schedule, highest)
    if schedule.solver == "dpm++":
        # At 1 the infinite log-SNR makes the first step one of first order, and weighs nothing in
        # the second.
        return MultistepSolver(_diffusers.DPMSolverMultistepScheduler(**_FLOW), schedule, 1.0)
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
    """UniPC or DPM-Solver++ of diffusers, which remember earlier steps.

    The library's `set_timesteps` would compute the noise levels again from a shift, and that of
    DPM-Solver++ takes none; so what it would set is set: exactly the schedule's.

    Args:
        scheduler: Fresh from the library.
        schedule: What it is to walk.
        highest: The highest noise level that the solver can take.
    """

    def __init__(self, scheduler: Any, schedule: Schedule, highest: float) -> None:
        # A shift under 0.5 can bring the first level out of float32's roundings a little above 1,
        # where the logarithm of what is no noise, 1 - level, is not a number.
        levels = torch.tensor(schedule.sigmas, dtype=torch.float32).clamp(max=highest)
        scheduler.sigmas = levels
        scheduler.timesteps = levels[:-1] * 1000
        scheduler.num_inference_steps = len(schedule.steps)
        scheduler.set_begin_index(0)
        self._scheduler = scheduler

    def step(self, velocity: torch.Tensor, index: int, latents: torch.Tensor) -> torch.Tensor:
        """Let the library go on from its own position, which is `index`."""
        timestep = self._scheduler.timesteps[index]
        after = self._scheduler.step(velocity.float(), timestep, latents, return_dict=False)[0]
        return torch.as_tensor(after)
