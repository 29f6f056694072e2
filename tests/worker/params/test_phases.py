"""Phase configs: what they say, and what is refused by name."""

import copy
from typing import Any

import pytest

from worker.errors import InvalidParameter
from worker.params.phases import parse_phase_config

Config = dict[str, Any]


def put(config: Config, path: str, value: Any) -> Config:
    """Return a copy of a config with the value at a dotted path replaced, or removed (`...`)."""
    changed = copy.deepcopy(config)
    *parents, last = path.split(".")
    place: Any = changed
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    key: Any = int(last) if last.isdigit() else last
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return changed


def test_the_incidents_config_says_its_parameters(phase_config: Config) -> None:
    """Two phases of three steps set seven parameters."""
    assert parse_phase_config(phase_config).values == {
        "guidance_phases": 2,
        "num_inference_steps": 6,
        "guidance_scale": 1,
        "guidance2_scale": 1,
        "flow_shift": 5,
        "sample_solver": "euler",
        "model_switch_phase": 1,
    }


def test_loras_are_listed_once_with_a_part_for_each_phase(phase_config: Config) -> None:
    """Distinct URLs in order of first appearance, "0" in a phase that does not list one."""
    table = [
        (lora.url.rpartition("/")[2], lora.multipliers)
        for lora in parse_phase_config(phase_config).loras
    ]
    assert table == [
        ("high_noise.safetensors", "1.2;0"),
        ("motion.safetensors", "1.05;1.05"),
        ("low_noise.safetensors", "0;1.0"),
    ]


def test_a_multiplier_that_is_a_number_is_taken_as_it_prints(phase_config: Config) -> None:
    """1.2 and "1.2" are the same multiplier."""
    config = put(phase_config, "phases.0.loras.0.multiplier", 1.2)
    assert parse_phase_config(config).loras[0].multipliers == "1.2;0"


def test_what_is_passed_through_may_be_left_out(phase_config: Config) -> None:
    """A config without a shift leaves it to the layers below."""
    config = put(phase_config, "flow_shift", ...)
    assert "flow_shift" not in parse_phase_config(config).values


THREE = [{"guidance_scale": 1}] * 3
REFUSED: list[tuple[str, Any, str]] = [
    ("num_phases", 1, "num_phases"),
    ("num_phases", 4, "num_phases"),
    ("num_phases", 3, "steps_per_phase"),
    ("num_phases", True, "num_phases"),
    ("num_phases", "2", "num_phases"),
    ("num_phases", 2.0, "num_phases"),
    ("num_phases", None, "num_phases"),
    ("num_phases", ..., "num_phases"),
    ("steps_per_phase", None, "steps_per_phase"),
    ("steps_per_phase", ..., "steps_per_phase"),
    ("steps_per_phase", "3,3", "steps_per_phase"),
    ("steps_per_phase", {"0": 3}, "steps_per_phase"),
    ("steps_per_phase", [6], "steps_per_phase"),
    ("steps_per_phase", [0, 6], "steps_per_phase[0]"),
    ("steps_per_phase", [6, 0], "steps_per_phase[1]"),
    ("steps_per_phase", [-3, 3], "steps_per_phase[0]"),
    ("steps_per_phase", [3.5, 3], "steps_per_phase[0]"),
    ("steps_per_phase", [3, None], "steps_per_phase[1]"),
    ("steps_per_phase", [3, True], "steps_per_phase[1]"),
    ("steps_per_phase", [3, "3"], "steps_per_phase[1]"),
    ("steps_per_phase", [3, 10**400], "steps_per_phase[1]"),
    ("steps_per_phase", [600, 600], "steps_per_phase"),
    ("phases", None, "phases"),
    ("phases", ..., "phases"),
    ("phases", {}, "phases"),
    ("phases", THREE, "phases"),
    ("phases.1", None, "phases[1]"),
    ("phases.1", [], "phases[1]"),
    ("phases.1.phase", 1, "phases[1].phase"),
    ("phases.1.phase", None, "phases[1].phase"),
    ("phases.0.guidance_scale", None, "phases[0].guidance_scale"),
    ("phases.0.guidance_scale", ..., "phases[0].guidance_scale"),
    ("phases.0.guidance_scale", "1", "phases[0].guidance_scale"),
    ("phases.0.guidance_scale", False, "phases[0].guidance_scale"),
    ("phases.0.guidance_scale", float("nan"), "phases[0].guidance_scale"),
    ("phases.0.guidance_scale", float("inf"), "phases[0].guidance_scale"),
    ("phases.0.loras", None, "phases[0].loras"),
    ("phases.0.loras", {}, "phases[0].loras"),
    ("phases.0.loras.1", None, "phases[0].loras[1]"),
    ("phases.0.loras.1.url", None, "phases[0].loras[1].url"),
    ("phases.0.loras.1.url", ..., "phases[0].loras[1].url"),
    ("phases.0.loras.1.url", "", "phases[0].loras[1].url"),
    ("phases.0.loras.1.url", 7, "phases[0].loras[1].url"),
    ("phases.0.loras.1.multiplier", None, "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", ..., "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "strong", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "nan", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "1e999", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "1 2", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "1;0", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", "1,,1", "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", True, "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.multiplier", float("nan"), "phases[0].loras[1].multiplier"),
    ("phases.0.loras.1.sha256", "abc", "phases[0].loras[1].sha256"),
    ("flow_shift", 0, "flow_shift"),
    ("flow_shift", -5, "flow_shift"),
    ("flow_shift", "5", "flow_shift"),
    ("flow_shift", float("nan"), "flow_shift"),
    ("sample_solver", "ddim", "sample_solver"),
    ("sample_solver", 5, "sample_solver"),
    ("model_switch_phase", 2, "model_switch_phase"),
    ("model_switch_phase", 0, "model_switch_phase"),
    ("model_switch_phase", True, "model_switch_phase"),
]


@pytest.mark.parametrize(("path", "value", "field"), REFUSED)
def test_a_bad_config_is_refused_by_name(
    phase_config: Config, path: str, value: Any, field: str
) -> None:
    """Each bad value is refused with the dotted path of the value at fault."""
    with pytest.raises(InvalidParameter) as caught:
        parse_phase_config(put(phase_config, path, value))
    assert caught.value.field == f"phase_config.{field}"


@pytest.mark.parametrize("config", [None, [], "euler", 2, True])
def test_a_config_that_is_no_object_is_refused(config: Any) -> None:
    """Only an object is a phase config."""
    with pytest.raises(InvalidParameter, match="must be an object"):
        parse_phase_config(config)


def test_a_lora_twice_in_a_phase_is_refused(phase_config: Config) -> None:
    """One phase has one strength for a LoRA."""
    entry = phase_config["phases"][0]["loras"][0]
    config = put(phase_config, "phases.0.loras.1", entry)
    with pytest.raises(InvalidParameter, match="twice in one phase") as caught:
        parse_phase_config(config)
    assert caught.value.field == "phase_config.phases[0].loras[1].url"


def test_three_phases_with_two_counts_name_both_sides(phase_config: Config) -> None:
    """The refusal shows the counts and the number of phases that they contradict."""
    config = {**phase_config, "num_phases": 3, "phases": THREE}
    with pytest.raises(InvalidParameter) as caught:
        parse_phase_config(config)
    assert "steps_per_phase = [3, 3]" in str(caught.value)
    assert "phase_config.num_phases = 3" in str(caught.value)


def test_two_hashes_of_one_lora_are_refused(phase_config: Config) -> None:
    """A LoRA that two phases list has one sha256."""
    config = put(phase_config, "phases.0.loras.1.sha256", "a" * 64)
    config = put(config, "phases.1.loras.0.sha256", "b" * 64)
    with pytest.raises(InvalidParameter, match="contradicts the sha256") as caught:
        parse_phase_config(config)
    assert caught.value.field == "phase_config.phases[1].loras[0].sha256"
