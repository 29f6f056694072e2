"""The timesteps of each solver, in float32 to the last bit, without numpy.

The precision, operation by operation. What the reference does with arrays is done here one number
at a time: Python computes in float64 and `_f32` rounds after every single operation. For +, -, *
and / that gives the bits that float32 hardware gives, since 53 bits of mantissa are more than
twice float32's 24 and two, so rounding twice cannot differ from rounding once.

- `linspace` is computed in float64 as numpy does (index * step + start) and then cast;
- the shift is cast to float32, and so is everything after it: s = float32(shift), then
  u = t / 1000, s - 1, (s - 1) * u, 1 + …, s * u, the quotient, and the product with 1000, last;
- a threshold is the sum of two timesteps, rounded, and half of it.
"""

from collections.abc import Sequence
from ctypes import c_float
from dataclasses import dataclass

from worker.errors import InvalidParameter
from worker.params.request import Schedule, Step

SOLVERS = ("euler", "unipc", "dpm++", "causvid")
MAX_STEPS = 1000
TIMESTEPS = 1000.0  # of training; a timestep is a noise level times this
CAUSVID = (1000.0, 934.0, 862.0, 756.0, 603.0, 410.0, 250.0, 140.0, 74.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timesteps:
    """What a solver steps through; see `request.Schedule` for each field."""

    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]


def timesteps(solver: str, shift: float, count: int, *, field: str = "sample_solver") -> Timesteps:
    """Compute a solver's timesteps, each an exact float32.

    Args:
        solver: One of `SOLVERS`.
        shift: The flow shift; causvid's table ignores it.
        count: Number of steps, above 0; causvid has 9 at most and uses the first of its table.
        field: Where the solver was named, for the refusal of a longer causvid.
    """
    if solver == "causvid":
        if count > len(CAUSVID):
            problem = f"has a fixed table of {len(CAUSVID)} steps; {count} were asked"
            raise InvalidParameter(field, solver, problem)
        taus = CAUSVID[:count]
    else:
        taus = tuple(_shifted(_f32(shift), u) for u in unshifted_sigmas(solver, count))
    # Rounding may lift the first timestep above 1000; more noise than all of it there is not, and
    # a solver that takes the logarithm of what is left would find none.
    sigmas = (*(min(_f32(tau / TIMESTEPS), 1.0) for tau in taus), 0.0)
    return Timesteps(timesteps=taus, sigmas=sigmas)


def unshifted_sigmas(solver: str, count: int) -> tuple[float, ...]:
    """Return the noise levels before the shift, in float32, of euler, unipc or dpm++."""
    if solver == "euler":
        return tuple(_f32(_f32(t) / TIMESTEPS) for t in _linspace(1000.0, 1.0, count))
    last = {"unipc": 0.001, "dpm++": 0.0}[solver]
    return tuple(_f32(s) for s in _linspace(1.0, last, count + 1)[:-1])


def threshold(before: float, after: float) -> float:
    """Return the float32 midpoint of two timesteps: a phase ends at the first t at or under it."""
    return _f32(_f32(before + after) / 2.0)


def phase_thresholds(times: Timesteps, steps_per_phase: Sequence[int]) -> tuple[float, ...]:
    """Return the threshold that ends each phase but the last: the midpoint after its last step."""
    ends = [sum(steps_per_phase[:phase]) for phase in range(1, len(steps_per_phase))]
    return tuple(threshold(times.timesteps[end - 1], times.timesteps[end]) for end in ends)


def steps_per_phase(times: Timesteps, thresholds: Sequence[float]) -> tuple[int, ...]:
    """Count the steps of each phase by the engine's own rule: the first t at or under ends one."""
    phases = [phase_at(t, thresholds) for t in times.timesteps]
    return tuple(phases.count(phase) for phase in range(1, len(thresholds) + 2))


def plan(
    times: Timesteps,
    *,
    solver: str,
    shift: float,
    thresholds: Sequence[float],
    guidance: Sequence[float],
    switch_phase: int,
) -> Schedule:
    """Lay out the steps: phase, guidance and expert of each.

    Args:
        times: What the solver steps through.
        solver: Its name.
        shift: The flow shift.
        thresholds: One less than there are phases, falling.
        guidance: One a phase.
        switch_phase: The low-noise expert runs in the phases after this one.

    A solver that is none of `SOLVERS` has timesteps that only its engine knows, and a schedule
    that is not exact.
    """
    limits = [as_float32(limit) for limit in thresholds]
    steps = []
    for index, timestep in enumerate(times.timesteps):
        phase = phase_at(timestep, limits)
        expert = "low" if phase > switch_phase else "high"
        scale = float(guidance[phase - 1])
        steps.append(
            Step(index=index, timestep=timestep, phase=phase, guidance_scale=scale, expert=expert)
        )
    first, second, *_ = (*limits, None, None)
    return Schedule(
        solver=solver,
        shift=float(shift),
        steps=tuple(steps),
        sigmas=times.sigmas,
        switch_threshold=first,
        switch_threshold2=second,
        exact=solver in SOLVERS,
    )


def as_float32(value: float) -> float:
    """Round to the nearest float32, as an engine does with a threshold that it is given."""
    return _f32(value)


def phase_at(timestep: float, thresholds: Sequence[float]) -> int:
    """Return the phase, from 1, of a timestep: one more for each threshold it is at or under."""
    return 1 + sum(timestep <= limit for limit in thresholds)


def _linspace(start: float, stop: float, count: int) -> list[float]:
    """Compute `numpy.linspace` in float64: the last value is `stop` itself."""
    if count == 1:
        return [start]
    step = (stop - start) / (count - 1)
    return [index * step + start for index in range(count - 1)] + [stop]


def _shifted(shift: float, u: float) -> float:
    bent = _f32(1.0 + _f32(_f32(shift - 1.0) * u))
    return _f32(TIMESTEPS * _f32(_f32(shift * u) / bent))


def _f32(value: float) -> float:
    return c_float(value).value
