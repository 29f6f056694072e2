"""Solvers that only the engine knows: taken by name, and planned as what they are, unknown."""

from collections.abc import Callable
from typing import Any

import pytest

from worker.errors import InvalidParameter
from worker.params.description import describe
from worker.params.request import GenerationRequest
from worker.params.schedules import SOLVERS

THEIRS = ("dpm++_sde", "lcm", "res_2m", "flowmatch_causvid")
# Of a single generation, where the model's own default has two phases.
ONE_PHASE = {"guidance_phases": 1}
Resolve = Callable[..., GenerationRequest]


@pytest.mark.parametrize("solver", THEIRS)
def test_wan2gp_has_solvers_of_its_own(resolve_task: Resolve, solver: str) -> None:
    """Its name reaches the engine."""
    request = resolve_task({"sample_solver": solver}, engine="wan2gp")
    assert request.params["sample_solver"].value == solver
    assert request.schedule.solver == solver


def test_a_model_of_wan2gp_may_name_one(resolve_task: Resolve) -> None:
    """In its defaults."""
    request = resolve_task({}, engine="wan2gp", defaults={"sample_solver": "lcm"})
    assert (request.schedule.solver, request.params["sample_solver"].source) == ("lcm", "model")


def test_no_other_engine_takes_one(resolve_task: Resolve) -> None:
    """It would not know what to do."""
    with pytest.raises(InvalidParameter, match=r"sample_solver = 'lcm': must be one of euler"):
        resolve_task({"sample_solver": "lcm"})


def test_no_model_of_another_engine_may_name_one(resolve_task: Resolve) -> None:
    """Also where the task names another."""
    with pytest.raises(InvalidParameter, match=r"defaults\.sample_solver"):
        resolve_task({"sample_solver": "euler"}, defaults={"sample_solver": "lcm"})


@pytest.mark.parametrize("value", [7, "a\nb", "x" * 201, "  ", ["lcm"]])
def test_what_can_be_no_name_is_refused(resolve_task: Resolve, value: Any) -> None:
    """Whatever the engine."""
    with pytest.raises(InvalidParameter) as caught:
        resolve_task({"sample_solver": value}, engine="wan2gp")
    assert caught.value.field == "sample_solver"


@pytest.mark.parametrize("engine", ["wan2gp", "diffusers"])
@pytest.mark.parametrize("solver", ["", *SOLVERS])
def test_the_schedule_of_a_known_solver_is_exact(
    resolve_task: Resolve, engine: str, solver: str
) -> None:
    """Of every engine."""
    assert resolve_task({"sample_solver": solver}, engine=engine).schedule.exact


def test_of_the_engines_own_only_the_number_of_steps_is_sure(resolve_task: Resolve) -> None:
    """Euler's spacing stands in, and nobody is told that it is true."""
    params = {"sample_solver": "lcm", "steps": 12, **ONE_PHASE}
    schedule = resolve_task(params, engine="wan2gp").schedule
    euler = resolve_task({**params, "sample_solver": "euler"}, engine="wan2gp").schedule
    assert not schedule.exact
    assert (schedule.steps, schedule.sigmas) == (euler.steps, euler.sigmas)


def test_a_request_says_whether_its_schedule_is_exact(resolve_task: Resolve) -> None:
    """Whoever reads its timesteps sees it beside them."""
    for solver, exact in (("lcm", False), ("euler", True)):
        request = resolve_task({"sample_solver": solver}, engine="wan2gp")
        assert describe(request)["schedule"]["exact"] is exact


def test_the_thresholds_of_the_task_stay(resolve_task: Resolve) -> None:
    """The engine is to divide its own timesteps by them."""
    params = {"sample_solver": "lcm", "guidance_phases": 2, "switch_threshold": 800}
    schedule = resolve_task(params, engine="wan2gp").schedule
    assert (schedule.switch_threshold, schedule.exact) == (800.0, False)


def test_a_phase_config_needs_a_solver_whose_timesteps_are_known(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """Else its steps have no threshold; the refusal names those that can."""
    with pytest.raises(InvalidParameter) as caught:
        resolve_task({"phase_config": phase_config, "sample_solver": "lcm"}, engine="wan2gp")
    assert (caught.value.field, caught.value.value) == ("sample_solver", "lcm")
    assert str(caught.value).endswith("these can be: euler, unipc, dpm++, causvid")


def test_the_models_own_solver_is_no_better(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """Where neither task nor phase config says another."""
    del phase_config["sample_solver"]
    with pytest.raises(
        InvalidParameter, match="phase_config cannot be held to its steps"
    ) as caught:
        resolve_task(
            {"phase_config": phase_config}, engine="wan2gp", defaults={"sample_solver": "lcm"}
        )
    assert caught.value.field == "defaults.sample_solver"


def test_a_phase_config_itself_names_one_of_ours(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """Its thresholds follow from that."""
    phase_config["sample_solver"] = "lcm"
    with pytest.raises(InvalidParameter, match=r"phase_config\.sample_solver = 'lcm': must be one"):
        resolve_task({"phase_config": phase_config}, engine="wan2gp")


def test_a_phase_config_overrides_the_models_own(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """With it the steps are known again."""
    request = resolve_task(
        {"phase_config": phase_config}, engine="wan2gp", defaults={"sample_solver": "lcm"}
    )
    assert (request.schedule.solver, request.schedule.exact) == ("euler", True)


def test_strengths_a_step_need_to_know_how_many_a_phase_has(resolve_task: Resolve) -> None:
    """In several phases; one phase has all steps."""
    loras = {"activated_loras": ["a.safetensors"], "loras_multipliers": ["1,0.5,0,0"]}
    params = {"sample_solver": "lcm", "steps": 4, **loras}
    one = resolve_task({**params, **ONE_PHASE}, engine="wan2gp")
    assert one.loras[0].per_step == (1.0, 0.5, 0.0, 0.0)
    two = {"guidance_phases": 2, "switch_threshold": 800}
    with pytest.raises(InvalidParameter, match="give one value a phase") as caught:
        resolve_task({**params, **two}, engine="wan2gp")
    assert caught.value.field == "loras_multipliers"
