"""The parameter loop: layers, contradictions, roundings, and what is refused."""

import copy
import json
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from operator import setitem
from typing import Any

import pytest

from worker.engines.base import ModelDefinition
from worker.errors import DefaultsChanged, InvalidParameter
from worker.params.description import describe
from worker.params.frozen import freeze
from worker.params.layers import Layer
from worker.params.request import GenerationRequest
from worker.params.resolve import resolve

Resolve = Callable[..., GenerationRequest]


@pytest.fixture
def incident(model: ModelDefinition, incident_layers: list[Layer]) -> GenerationRequest:
    """Return the incident's request."""
    return resolve(model, incident_layers, draw_seed=lambda: 4)


def used(request: GenerationRequest, name: str) -> tuple[Any, Any, str]:
    """Return a parameter's value, what was asked, and its source."""
    param = request.params[name]
    return param.value, param.asked, param.source


def test_the_incidents_size_is_rounded_once(incident: GenerationRequest) -> None:
    """902x508 becomes 896x496, with asked and used recorded."""
    assert (incident.width, incident.height) == (896, 496)
    assert used(incident, "resolution") == ("896x496", "902x508", "segment")
    assert incident.params["resolution"].change == "rounded"


def test_the_incidents_frames_stay(incident: GenerationRequest) -> None:
    """81 frames are 4N + 1 already."""
    assert incident.frames == 81
    assert used(incident, "video_length") == (81, 81, "segment")


def test_the_incidents_threshold_is_exact(incident: GenerationRequest) -> None:
    """The schedule and the parameter hold the same float32."""
    assert incident.schedule.switch_threshold == 826.0999755859375
    assert used(incident, "switch_threshold")[0] == 826.0999755859375


def test_the_incidents_multipliers_are_expanded(incident: GenerationRequest) -> None:
    """Three LoRAs over three and three steps."""
    assert [(lora.multipliers, lora.per_step) for lora in incident.loras] == [
        ("1.2;0", (1.2, 1.2, 1.2, 0.0, 0.0, 0.0)),
        ("1.05;1.05", (1.05,) * 6),
        ("0;1.0", (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)),
    ]


def test_the_incidents_steps_change_phase_and_expert_after_three(
    incident: GenerationRequest,
) -> None:
    """Three steps of the high-noise expert, then three of the low-noise one."""
    steps = [(step.phase, step.expert) for step in incident.schedule.steps]
    assert steps == [(1, "high")] * 3 + [(2, "low")] * 3


def test_every_default_is_among_the_params_in_order(
    incident: GenerationRequest, model: ModelDefinition
) -> None:
    """The first 32 params are the loop's, in the order of the loop."""
    assert list(incident.params)[:32] == list(model.defaults)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("settings_version", "model"),
        ("guidance_phases", "phase_config"),
        ("num_inference_steps", "phase_config"),
        ("guidance3_scale", "model"),
        ("seed", "segment"),
        ("fps", "orchestrator"),
        ("prompt", "segment"),
        ("activated_loras", "phase_config"),
    ],
)
def test_each_value_names_the_layer_that_set_it(
    incident: GenerationRequest, name: str, layer: str
) -> None:
    """Provenance of the incident's parameters."""
    assert incident.params[name].source == layer


def test_individual_params_win_over_segment_and_orchestrator(model: ModelDefinition) -> None:
    """The highest layer that says anything wins."""
    layers = [
        Layer(source="orchestrator", values={"flow_shift": 3, "steps": 8, "seed": 1}),
        Layer(source="segment", values={"flow_shift": 4, "steps": 9, "seed_to_use": 2}),
        Layer(source="individual_segment_params", values={"flow_shift": 5, "steps": None}),
    ]
    request = resolve(model, layers, draw_seed=lambda: 4)
    assert used(request, "flow_shift") == (5, 5, "individual_segment_params")
    assert used(request, "num_inference_steps") == (9, 9, "segment")
    assert request.seed == 2


def test_a_task_may_override_what_a_phase_config_passes_through(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """Another shift moves the threshold with it, so that the phases keep their steps."""
    request = resolve_task({"phase_config": phase_config, "flow_shift": 8})
    assert used(request, "flow_shift") == (8, 8, "task")
    assert [step.phase for step in request.schedule.steps] == [1, 1, 1, 2, 2, 2]
    assert request.schedule.switch_threshold != 826.0999755859375


@pytest.mark.parametrize("solver", ["euler", "unipc", "", "dpm++", "causvid"])
@pytest.mark.parametrize("steps", [[1, 1], [3, 3], [2, 3, 4], [1, 5, 2]])
def test_phases_keep_their_steps_for_every_solver(
    resolve_task: Resolve, solver: str, steps: list[int]
) -> None:
    """The request's own steps are counted, not the formula."""
    config = {
        "num_phases": len(steps),
        "steps_per_phase": steps,
        "flow_shift": 5,
        "sample_solver": solver,
        "model_switch_phase": 1,
        "phases": [{"guidance_scale": 1}] * len(steps),
    }
    phases = [step.phase for step in resolve_task({"phase_config": config}).schedule.steps]
    assert [phases.count(phase + 1) for phase in range(len(steps))] == steps


def test_without_a_phase_config_the_thresholds_decide(resolve_task: Resolve) -> None:
    """The model's own 883 and 558 split six euler steps of shift 5 into 2, 2 and 2."""
    steps = resolve_task({}).schedule.steps
    assert [(step.phase, step.expert) for step in steps] == [
        *[(1, "high")] * 2,
        *[(2, "high")] * 2,
        *[(3, "low")] * 2,
    ]
    assert [step.guidance_scale for step in steps] == [3.0, 3.0, 1.0, 1.0, 1.0, 1.0]


def test_one_phase_has_no_threshold(resolve_task: Resolve) -> None:
    """All steps are of phase 1, whatever the thresholds say."""
    schedule = resolve_task({"guidance_phases": 1}).schedule
    assert {step.phase for step in schedule.steps} == {1}
    assert schedule.switch_threshold is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_inference_steps", 25), ("steps", 25), ("guidance_phases", 3), ("switch_threshold", 500)],
)
def test_a_contradiction_with_the_phase_config_names_both_sides(
    resolve_task: Resolve, phase_config: dict[str, Any], key: str, value: int
) -> None:
    """What the phases are made of cannot be said differently beside them."""
    with pytest.raises(InvalidParameter, match="contradicts") as caught:
        resolve_task({"phase_config": phase_config, key: value})
    assert caught.value.field == key
    assert "phase_config.steps_per_phase = [3, 3]" in str(caught.value)


@pytest.mark.parametrize("value", [826.0999755859375, 826.1])
def test_the_same_threshold_written_out_is_no_contradiction(
    resolve_task: Resolve, phase_config: dict[str, Any], value: float
) -> None:
    """A threshold is compared as the float32 that it is."""
    request = resolve_task({"phase_config": phase_config, "switch_threshold": value})
    assert request.schedule.switch_threshold == 826.0999755859375


def test_two_names_of_one_parameter_must_agree(resolve_task: Resolve) -> None:
    """The refusal names both."""
    with pytest.raises(InvalidParameter) as caught:
        resolve_task({"video_length": 81, "num_frames": 49})
    assert "video_length = 81" in str(caught.value)
    assert "num_frames = 49" in str(caught.value)


def test_other_loras_beside_a_phase_config_are_refused(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """LoRAs are said in one place."""
    with pytest.raises(InvalidParameter, match=r"contradicts phase_config\.phases") as caught:
        resolve_task({"phase_config": phase_config, "additional_loras": {"x.safetensors": 1}})
    assert caught.value.field == "additional_loras"


@pytest.mark.parametrize("empty", [{"additional_loras": {}}, {"activated_loras": []}])
def test_empty_lists_leave_a_phase_configs_loras_alone(
    resolve_task: Resolve, phase_config: dict[str, Any], empty: dict[str, Any]
) -> None:
    """Applications send empty lists with every task."""
    assert len(resolve_task({"phase_config": phase_config, **empty}).loras) == 3


def test_an_empty_list_wins_over_the_models_loras(resolve_task: Resolve) -> None:
    """A task can say that it wants none."""
    defaults = {"activated_loras": ["a.safetensors"], "loras_multipliers": "0.5"}
    assert len(resolve_task({}, defaults=defaults).loras) == 1
    assert resolve_task({"activated_loras": []}, defaults=defaults).loras == ()


def test_a_default_of_none_is_skipped(resolve_task: Resolve) -> None:
    """The system's default stands in its place."""
    request = resolve_task({}, defaults={"guidance_scale": None})
    assert used(request, "guidance_scale") == (7.5, 7.5, "system")


def test_a_value_that_nobody_says_is_null(resolve_task: Resolve) -> None:
    """It is there, and says so."""
    request = resolve_task({}, defaults={"video_prompt_type": None})
    assert request.params["video_prompt_type"].is_null


@pytest.mark.parametrize(
    ("key", "value"),
    [("guidance_scale", "3"), ("seed", True), ("slg_layers", "9"), ("switch_threshold", [883])],
)
def test_a_default_of_a_wrong_type_is_refused_by_name(
    resolve_task: Resolve, key: str, value: Any
) -> None:
    """Also where the task overrides it: the model's definition is broken."""
    with pytest.raises(InvalidParameter) as caught:
        resolve_task({key: 1}, defaults={key: value})
    assert caught.value.field.startswith(f"defaults.{key}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slg_switch", 1),
        ("RIFLEx_setting", 1),
        ("skip_steps_cache_type", "tea"),
        ("multi_images_gen_type", 1),
        ("color_correction_strength", 0.5),
        ("video_prompt_type", "PV"),
        ("audio_prompt_type", "A"),
        ("image_prompt_type", "VL"),
    ],
)
def test_what_only_wgp_knows_is_refused_by_another_engine(
    resolve_task: Resolve, key: str, value: Any
) -> None:
    """Refused by name, and taken by WGP."""
    with pytest.raises(InvalidParameter, match="only the engine wan2gp knows") as caught:
        resolve_task({key: value})
    assert caught.value.field == key
    assert resolve_task({key: value}, engine="wan2gp").params[key].value == value


@pytest.mark.parametrize("engine", ["diffusers", "wan2gp"])
def test_a_task_makes_one_video(resolve_task: Resolve, engine: str) -> None:
    """Whatever the engine could do: a task has one place for its output."""
    assert resolve_task({"repeat_generation": 1}, engine=engine)
    with pytest.raises(InvalidParameter, match="repeat_generation = 2: must be 1"):
        resolve_task({"repeat_generation": 2}, engine=engine)


def test_a_default_of_none_of_wan2gp_is_skipped(resolve_task: Resolve) -> None:
    """As that of another engine: the system's own stands in."""
    request = resolve_task({}, engine="wan2gp", defaults={"sample_solver": None})
    assert used(request, "sample_solver") == ("euler", "euler", "system")


BAD: list[tuple[str, Any]] = [
    ("seed", -2),
    ("seed", 2**32),
    ("seed", 1.0),
    ("seed", "12"),
    ("seed_to_use", False),
    ("steps", 0),
    ("steps", 10**400),
    ("num_inference_steps", "6"),
    ("segment_frames_target", 0),
    ("num_frames", 81.0),
    ("parsed_resolution_wh", "902*508"),
    ("resolution", "8x8"),
    ("fps_helpers", 0),
    ("fps_final_video", float("nan")),
    ("fps", "16"),
    ("guidance_scale", float("inf")),
    ("guidance_scale", True),
    ("guidance2_scale", "1"),
    ("flow_shift", 0),
    ("sample_solver", "ddim"),
    ("guidance_phases", 4),
    ("model_switch_phase", 0),
    ("switch_threshold", 1001),
    ("negative_prompt", ["blurry"]),
    ("negative_prompt", "\ud800"),
    ("prompt", 7),
    ("prompt", "x" * 20_001),
    ("text_before_prompts", {}),
    ("phase_config", []),
    ("activated_loras", "a.safetensors"),
    ("additional_loras", "a.safetensors"),
    ("switch_threshold2", 900),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_bad_value_is_refused_by_the_name_that_the_task_used(
    resolve_task: Resolve, key: str, value: Any
) -> None:
    """Wrong types, limits, NaN, booleans for numbers, numbers as text."""
    with pytest.raises(InvalidParameter) as caught:
        resolve_task({key: value})
    assert caught.value.field == key


def test_multipliers_without_loras_are_refused(resolve_task: Resolve) -> None:
    """They would be ignored in silence."""
    with pytest.raises(InvalidParameter, match="stands without activated_loras"):
        resolve_task({"loras_multipliers": "1.0"})


def test_a_lora_list_must_fit_its_phase(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """Two values over three steps are refused where the multiplier stands."""
    phase_config["phases"][0]["loras"][0]["multiplier"] = "1.2,1.0"
    with pytest.raises(InvalidParameter, match="3 steps of phase 1") as caught:
        resolve_task({"phase_config": phase_config})
    assert caught.value.field == "phase_config.phases[0].loras[0].multiplier"


def test_a_switch_that_a_phase_config_leaves_out_must_fit_it(
    resolve_task: Resolve, phase_config: dict[str, Any]
) -> None:
    """The model's switch after phase 2 of three is no switch in two phases."""
    del phase_config["model_switch_phase"]
    with pytest.raises(InvalidParameter, match="low-noise expert") as caught:
        resolve_task({"phase_config": phase_config})
    assert caught.value.field == "defaults.model_switch_phase"


def test_a_seed_of_minus_one_is_drawn(resolve_task: Resolve) -> None:
    """What was asked and what was drawn are both recorded."""
    assert used(resolve_task({"seed": -1}), "seed") == (4, -1, "task")


def test_prompts_are_joined_with_the_texts_around_them(resolve_task: Resolve) -> None:
    """Before, prompt, after, with one blank between; blank parts are left out."""
    task = {"prompt": "a dog ", "text_before_prompts": "film:", "text_after_prompts": " "}
    assert resolve_task(task).prompt == "film: a dog"


def test_the_models_prompt_is_not_used(resolve_task: Resolve) -> None:
    """Every key but prompt is a default."""
    assert resolve_task({}).prompt == ""


def test_unknown_keys_are_passed_on(resolve_task: Resolve) -> None:
    """By default they stand among the params, frozen."""
    assert resolve_task({"film_grain": {"size": [1]}}).params["film_grain"].source == "task"


def test_unknown_keys_are_refused_with_the_nearest_name(resolve_task: Resolve) -> None:
    """By a setting."""
    with pytest.raises(InvalidParameter, match="did you mean guidance_scale") as caught:
        resolve_task({"guidence_scale": 3}, unknown="refuse")
    assert caught.value.field == "guidence_scale"


def test_the_incidents_payload_has_no_unknown_key(
    model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """What applications send today is known."""
    resolve(model, incident_layers, draw_seed=lambda: 4, unknown="refuse")


def test_the_request_is_frozen(incident: GenerationRequest) -> None:
    """Neither a field nor a param nor a list in a param can be changed."""
    with pytest.raises(FrozenInstanceError):
        incident.seed = 1  # type: ignore[misc]  # what the test is about
    with pytest.raises(TypeError):
        incident.params["seed"] = incident.params["fps"]  # type: ignore[index]  # as above
    assert incident.params["slg_layers"].value == (9,)


def test_nothing_that_is_given_is_changed(
    model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """Resolving is pure: twice the same, and the payload as it was."""
    before = copy.deepcopy([layer.values for layer in incident_layers])
    first = resolve(model, incident_layers, draw_seed=lambda: 4)
    assert resolve(model, incident_layers, draw_seed=lambda: 4) == first
    assert [layer.values for layer in incident_layers] == before


def test_defaults_that_change_during_the_loop_are_found_out(
    model: ModelDefinition, incident_layers: list[Layer]
) -> None:
    """The digest differs, and the message shows both."""
    defaults = dict(model.defaults)

    def draw() -> int:
        defaults["guidance_scale"] = 99
        return 4

    del incident_layers[1]
    layers = [*incident_layers, Layer(source="segment", values={"seed": -1})]
    with pytest.raises(DefaultsChanged) as caught:
        resolve(replace(model, defaults=defaults), layers, draw_seed=draw)
    assert caught.value.before != caught.value.after


def in_a_thread(change: Callable[[], object]) -> list[BaseException]:
    """Run a change in another thread, to its end, and return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            change()
        except TypeError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised


def test_a_thread_cannot_change_the_defaults_while_the_loop_runs(model: ModelDefinition) -> None:
    """A catalogue's defaults are read-only in the middle of the loop too."""
    frozen: Any = freeze(model.defaults)
    raised: list[BaseException] = []

    def draw() -> int:
        raised.extend(in_a_thread(lambda: setitem(frozen, "guidance_scale", 99)))
        return 4

    layers = [Layer(source="task", values={"seed": -1})]
    request = resolve(replace(model, defaults=frozen), layers, draw_seed=draw)
    assert len(raised) == 1
    assert request.params["guidance_scale"].value == 3


def test_a_change_deep_in_the_defaults_is_found_out(model: ModelDefinition) -> None:
    """A thread that writes into a list of unfrozen defaults meanwhile fails the task."""
    defaults = copy.deepcopy(dict(model.defaults))

    def draw() -> int:
        in_a_thread(lambda: defaults["slg_layers"].append(99))
        return 4

    layers = [Layer(source="task", values={"seed": -1})]
    with pytest.raises(DefaultsChanged, match="nothing may write"):
        resolve(replace(model, defaults=defaults), layers, draw_seed=draw)


def test_a_text_model_needs_a_prompt(model: ModelDefinition) -> None:
    """Text is all that a t2v model is given."""
    text_model = replace(model, kind="t2v")
    with pytest.raises(InvalidParameter, match="is empty"):
        resolve(text_model, [Layer(source="task", values={})], draw_seed=lambda: 4)


def test_a_request_is_described_in_plain_json(incident: GenerationRequest) -> None:
    """What is described survives JSON unchanged."""
    described = describe(incident)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["schedule"]["switch_threshold"] == 826.0999755859375
