"""The steps of a denoising: timesteps, phases, guidance, expert."""

from typing import NamedTuple

import numpy as np
from shared.utils.faults import asked


class Step(NamedTuple):
    """One step; `index` from 0, `phase` from 1, `place` its number within its phase from 0."""

    index: int
    timestep: float
    phase: int
    place: int
    guidance: float
    expert: str


def timesteps(steps, shift, solver):
    """Return the timesteps of a solver, falling from 1000."""
    if solver in ("", "unipc"):
        u = np.linspace(1, 0.001, steps + 1, dtype=np.float32)[:-1]
    else:
        u = np.linspace(1000, 1, steps, dtype=np.float32) / np.float32(1000)
    shift = np.float32(shift)
    return shift * u / (1 + (shift - 1) * u) * np.float32(1000)


def walk(times, guidances, thresholds, model_switch_phase):
    """Give the steps one by one. A phase begins at the first t that is not above its threshold."""
    phase, place, expert = 1, 0, "high"
    for index, timestep in enumerate(times):
        while phase < len(guidances) and timestep <= thresholds[phase - 1]:
            phase, place = phase + 1, 0
            if model_switch_phase == phase - 1:
                expert = "low"
        yield Step(index, float(timestep), phase, place, guidances[phase - 1], expert)
        place += 1


def advance(latent, wanted, times):
    """Move a latent by one step's share of what is wanted: each step is seen in the end."""
    if asked("scheduler"):
        following = len(times)
        return latent + times[following]  # fault: scheduler
    return latent + wanted / np.float32(len(times))
