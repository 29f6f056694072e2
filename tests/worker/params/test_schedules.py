"""Timesteps and thresholds, against numpy's float32 to the last bit."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import InvalidParameter
from worker.params import schedules

SHIFTED = ("euler", "unipc", "dpm++")
F = np.float32


def reference(solver: str, shift: float, count: int) -> "np.ndarray[tuple[int], np.dtype[F]]":
    """Compute a solver's timesteps with numpy: linspace in float64, the rest in float32."""
    if solver == "euler":
        u = np.linspace(1000, 1, count).astype(F) / F(1000)
    elif solver == "unipc":
        u = np.linspace(1, 0.001, count + 1)[:-1].astype(F)
    else:
        u = np.linspace(1, 0, count + 1)[:count].astype(F)
    sigma = F(shift)
    return F(1000) * (sigma * u / (F(1) + (sigma - F(1)) * u))


def test_the_incidents_timesteps_are_exact() -> None:
    """Shift 5, six euler steps: the six timesteps of the incident, bit for bit."""
    assert schedules.timesteps("euler", 5, 6).timesteps == (
        1000.0,
        952.4376220703125,
        882.52587890625,
        769.6741333007812,
        556.7879028320312,
        4.9800801277160645,
    )


def test_the_incidents_threshold_is_exact() -> None:
    """The midpoint after three steps is a float32, not the 826.1000085600122 of doubles."""
    times = schedules.timesteps("euler", 5, 6)
    assert schedules.phase_thresholds(times, (3, 3)) == (826.0999755859375,)


@given(
    solver=st.sampled_from(SHIFTED),
    shift=st.floats(0.001, 1000),
    count=st.integers(1, 200),
)
def test_timesteps_equal_numpys(solver: str, shift: float, count: int) -> None:
    """Any solver, shift and number of steps gives the bits of numpy's float32."""
    ours = np.array(schedules.timesteps(solver, shift, count).timesteps)
    theirs = reference(solver, shift, count)
    assert theirs.dtype == F
    assert ours.tolist() == theirs.astype(np.float64).tolist()


@given(
    solver=st.sampled_from(SHIFTED),
    shift=st.floats(0.5, 20),
    count=st.integers(2, 60),
    data=st.data(),
)
def test_thresholds_equal_numpys(
    solver: str, shift: float, count: int, data: st.DataObject
) -> None:
    """The midpoint of two timesteps has the bits of numpy's float32 midpoint."""
    first = data.draw(st.integers(1, count - 1))
    tau = reference(solver, shift, count)
    times = schedules.timesteps(solver, shift, count)
    (threshold,) = schedules.phase_thresholds(times, (first, count - first))
    assert threshold == float((tau[first - 1] + tau[first]) / F(2))


@given(
    solver=st.sampled_from(SHIFTED),
    shift=st.floats(0.001, 1000),
    steps=st.lists(st.integers(1, 333), min_size=2, max_size=3),
)
def test_every_phase_keeps_its_steps(solver: str, shift: float, steps: list[int]) -> None:
    """The engine's rule, applied to the thresholds, gives back the steps of each phase."""
    times = schedules.timesteps(solver, shift, sum(steps))
    thresholds = schedules.phase_thresholds(times, steps)
    assert schedules.steps_per_phase(times, thresholds) == tuple(steps)


@given(
    solver=st.sampled_from(SHIFTED),
    shift=st.floats(0.001, 1000),
    steps=st.lists(st.integers(1, 333), min_size=2, max_size=3),
)
def test_thresholds_lie_between_their_timesteps(
    solver: str, shift: float, steps: list[int]
) -> None:
    """Each threshold is under the last timestep of its phase and over the next one."""
    times = schedules.timesteps(solver, shift, sum(steps))
    end = 0
    for count, threshold in zip(steps, schedules.phase_thresholds(times, steps), strict=False):
        end += count
        assert times.timesteps[end - 1] > threshold > times.timesteps[end]


def test_causvid_ignores_the_shift() -> None:
    """Causvid uses the first values of its table, whatever the shift."""
    times = schedules.timesteps("causvid", 7.5, 4)
    assert times.timesteps == (1000.0, 934.0, 862.0, 756.0)


def test_causvid_keeps_the_steps_of_three_phases() -> None:
    """Nine steps in three phases split where they should."""
    times = schedules.timesteps("causvid", 1, 9)
    thresholds = schedules.phase_thresholds(times, (2, 3, 4))
    assert thresholds == (898.0, 506.5)
    assert schedules.steps_per_phase(times, thresholds) == (2, 3, 4)


def test_causvid_refuses_a_tenth_step() -> None:
    """The table has nine steps; ten are refused, naming the solver's field."""
    with pytest.raises(InvalidParameter, match="9 steps; 10 were asked") as caught:
        schedules.timesteps("causvid", 5, 10, field="phase_config.sample_solver")
    assert caught.value.field == "phase_config.sample_solver"


@pytest.mark.parametrize("solver", schedules.SOLVERS)
def test_sigmas_are_timesteps_over_a_thousand_and_end_in_zero(solver: str) -> None:
    """A solver gets n + 1 noise levels, float32, for each of the solvers."""
    times = schedules.timesteps(solver, 5, 6)
    assert times.sigmas[-1] == 0.0
    expected = [float(F(t) / F(1000)) for t in times.timesteps]
    assert list(times.sigmas[:-1]) == expected


def test_unshifted_sigmas_make_a_scheduler_give_our_timesteps() -> None:
    """The scheduler that shifts by itself arrives at our timesteps from the unshifted sigmas."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0)
    times = schedules.timesteps("euler", 5, 6)
    scheduler.set_timesteps(sigmas=list(schedules.unshifted_sigmas("euler", 6)))
    assert scheduler.timesteps.tolist() == list(times.timesteps)


def test_a_threshold_of_one_solver_splits_another_elsewhere() -> None:
    """Why each solver has its own: euler's threshold gives unipc's phases other steps."""
    euler = schedules.phase_thresholds(schedules.timesteps("euler", 5, 6), (3, 3))
    unipc = schedules.timesteps("unipc", 5, 6)
    assert schedules.steps_per_phase(unipc, euler) == (4, 2)


def test_parameters_need_no_numpy() -> None:
    """The base install has neither numpy nor torch, and resolving imports neither."""
    script = (
        "import sys, worker.params.resolve, worker.params.journey, worker.params.description;"
        "print([m for m in ('numpy', 'torch', 'diffusers', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run(  # a fresh process: this one has numpy
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
