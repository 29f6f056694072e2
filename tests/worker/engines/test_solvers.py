"""The solvers, against flows whose solution is known."""

from dataclasses import replace
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch

from worker.engines.solvers import build_solver
from worker.errors import EngineError
from worker.params.request import Schedule
from worker.params.schedules import unshifted_sigmas

SOLVERS = ["euler", "unipc", "dpm++", "causvid"]


def _plan(make: SimpleNamespace, solver: str, count: int) -> Schedule:
    schedule: Schedule = make.plan(
        solver, [(count, 1.0, "high")], 1.0 if solver == "causvid" else 5.0
    )
    return schedule


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_straight_flow_ends_at_the_picture(make: SimpleNamespace, solver: str, count: int) -> None:
    """With the constant velocity from picture to noise every solver ends at the picture."""
    generator = torch.Generator().manual_seed(1)
    noise, picture = torch.randn(2, 1, 4, 3, generator=generator).unbind()
    schedule = _plan(make, solver, count)
    walk, latents = build_solver(schedule), noise
    for index in range(count):
        latents = walk.step(noise - picture, index, latents)
    torch.testing.assert_close(latents, picture, atol=2e-4, rtol=1e-4)


def _error_on_a_gaussian(make: SimpleNamespace, solver: str, count: int) -> float:
    """Walk the flow of data N(0, s²), whose exact end is the start times s; return the error."""
    spread = 0.5
    schedule = _plan(make, solver, count)
    walk, start = build_solver(schedule), torch.linspace(-2, 2, 9).reshape(1, 9, 1)
    latents = start
    for index, sigma in enumerate(schedule.sigmas[:-1]):
        variance = (1 - sigma) ** 2 * spread**2 + sigma**2
        velocity = latents * (sigma - (1 - sigma) * spread**2) / variance
        latents = walk.step(velocity, index, latents)
    return float((latents - start * spread).abs().max())


@pytest.mark.parametrize("solver", SOLVERS[:3])
def test_more_steps_come_nearer_to_the_exact_flow(make: SimpleNamespace, solver: str) -> None:
    """Every solver converges to the exact solution of a curved flow."""
    coarse, fine = (_error_on_a_gaussian(make, solver, count) for count in (20, 80))
    assert fine < coarse / 3


@pytest.mark.parametrize("solver", ["unipc", "dpm++"])
def test_multistep_is_nearer_than_euler(make: SimpleNamespace, solver: str) -> None:
    """Remembering earlier steps pays: at 40 steps the error is a fifth of Euler's."""
    error, eulers = (_error_on_a_gaussian(make, name, 40) for name in (solver, "euler"))
    assert error < eulers / 5


def test_euler_is_diffusers_own_given_sigmas(make: SimpleNamespace) -> None:
    """Given the unshifted sigmas, FlowMatchEulerDiscreteScheduler takes the same steps."""
    schedule = _plan(make, "euler", 6)
    theirs = diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0)
    theirs.set_timesteps(sigmas=np.array(unshifted_sigmas("euler", 6)))
    walk, ours = build_solver(schedule), torch.ones(3)
    latents = torch.ones(3)
    for index, timestep in enumerate(theirs.timesteps):
        velocity = torch.sin(ours * (index + 1))
        ours = walk.step(velocity, index, ours)
        latents = theirs.step(velocity, timestep, latents).prev_sample
        torch.testing.assert_close(ours, latents)


def test_unknown_solver_is_refused(make: SimpleNamespace) -> None:
    """A solver that is none of the four is refused by name."""
    schedule = replace(_plan(make, "euler", 3), solver="heun")
    with pytest.raises(EngineError, match="'heun' is unknown"):
        build_solver(schedule)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_step_ends_at_the_planned_noise_level(make: SimpleNamespace, solver: str) -> None:
    """On a straight flow the latents after a step hold just the next level's share of noise."""
    schedule = _plan(make, solver, 9)
    walk, latents = build_solver(schedule), torch.ones(1, 1, 1)
    for index, level in enumerate(schedule.sigmas[1:]):
        latents = walk.step(torch.ones(1, 1, 1), index, latents)
        assert latents.item() == pytest.approx(level, abs=2e-6)


@pytest.mark.parametrize("solver", SOLVERS[:3])
@pytest.mark.parametrize(
    ("shift", "count"), [(0.001, 1), (0.001, 3), (0.003, 6), (0.01, 9), (0.2, 6), (1000, 1000)]
)
def test_the_outermost_shifts_give_numbers(
    make: SimpleNamespace, solver: str, shift: float, count: int
) -> None:
    """A first noise level that float32 rounds above 1, or a second next to it, is no NaN."""
    schedule = make.plan(solver, [(count, 1.0, "high")], shift)
    walk, latents = build_solver(schedule), torch.ones(1, 1, 1)
    for index in range(count):
        latents = walk.step(torch.ones(1, 1, 1), index, latents)
    assert latents.item() == pytest.approx(0, abs=1e-4)
