"""Parameters by layer, the model, and its defaults."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from telemetry import Recorder, names
from telemetry.death import from_returncode
from telemetry.reports.case import TaskRow
from telemetry.reports.findings import Investigation, ParamFound
from telemetry.reports.parameters import model
from tests.telemetry.reports.recorded import DEFAULTS, MODEL, Attempted, dies, segment

ROW = TaskRow(id="segment", type="travel_segment", status="Failed")


def deciding(spool: Path, *decisions: dict[str, Any], outside: bool = False) -> Investigation:
    """Record these decisions, in the loop or outside of it."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("parameters") as stage:
            for index, said in enumerate(decisions, start=1):
                if outside:
                    stage.add_event(names.PARAM_EVENT, said)
                else:
                    begin = {names.PARAM_KEY: said[names.PARAM_KEY]}
                    with recorder.iteration(index, len(decisions), begin) as span:
                        span.end(attributes=said)

    return Attempted(spool=spool).run(work).found()


def decision(name: str, value: Any, **facts: Any) -> dict[str, Any]:
    """Make the attributes of a decision."""
    told = {"source": "segment", "asked": None, **facts}
    return {
        names.PARAM_KEY: name,
        names.PARAM_NEW: value,
        names.PARAM_ASKED: told["asked"],
        names.PARAM_SOURCE: told["source"],
    }


def test_every_parameter_is_told_in_the_order_of_the_loop(spool: Path) -> None:
    """With its value, the model's default, and the layer that won."""
    found = Attempted(spool=spool).run(segment).found()
    assert [param.name for param in found.params] == list(DEFAULTS)
    assert found.params[0] == ParamFound(
        name="settings_version", value=2.35, asked=None, default=2.35, source="model"
    )


def test_what_was_asked_is_told_beside_what_is_used(spool: Path) -> None:
    """The incident: 902x508 asked, 896x496 used."""
    [param] = deciding(spool, decision("resolution", "896x496", asked="902x508")).params
    assert (param.value, param.asked, param.source) == ("896x496", "902x508", "segment")


def test_a_parameter_outside_of_the_loop_is_told_too(spool: Path) -> None:
    """The model has no default of it."""
    [param] = deciding(spool, decision("fps", 16, source="system"), outside=True).params
    assert (param.name, param.value, param.default, param.source) == ("fps", 16, None, "system")


def test_none_is_a_value(spool: Path) -> None:
    """Not the word that it is recorded as; a text "null" stays a text."""
    found = deciding(spool, decision("a", None), decision("b", "null"))
    assert [param.value for param in found.params] == [None, "null"]


def test_an_iteration_that_never_ended_has_decided_nothing(spool: Path) -> None:
    """Its value is not known, and that is no None."""

    def work(recorder: Recorder) -> None:
        segment(recorder, stop=lambda index: dies(recorder) if index == 9 else None)

    params = Attempted(spool=spool).run(work, from_returncode(-9)).found().params
    assert (len(params), params[-1].name, params[-1].source) == (9, "guidance_scale", "")
    assert params[-1].default == DEFAULTS["guidance_scale"]


def test_the_defaults_are_told_with_call_type_count_and_digests(spool: Path) -> None:
    """As the engine gave them."""
    given = Attempted(spool=spool).run(segment).found().defaults
    assert (given.call, given.type, given.count) == (
        f"engine default_settings of {MODEL!r}",
        "dict",
        32,
    )
    assert given.values.keys() == DEFAULTS.keys()
    assert given.digest_before == given.digest_after == "d1" * 32


def test_the_count_of_defaults_is_not_what_has_arrived(spool: Path) -> None:
    """Two of nine iterations are in the record, and each says that there are nine."""

    def work(recorder: Recorder) -> None:
        with recorder.stage("parameters"):
            for index in (1, 2):
                with recorder.iteration(index, 9, {names.PARAM_KEY: f"key_{index}"}):
                    pass

    assert Attempted(spool=spool).run(work).found().defaults.count == 9


def test_the_model_is_told_with_what_people_look_at_first(spool: Path) -> None:
    """Resolution, frames, steps, phases, and the LoRAs with their multipliers."""
    found = deciding(
        spool,
        decision("resolution", "896x496"),
        decision("video_length", 81),
        decision("num_inference_steps", 6),
        decision("guidance_phases", 2),
        decision("activated_loras", ["high.safetensors", "motion", "low"]),
        decision("loras_multipliers", "1.2;0 1.05;1.05"),
    ).model
    assert (found.name, found.resolution, found.frames) == (MODEL, "896x496", 81)
    assert (found.steps, found.phases) == (6, 2)
    assert [(lora.name, lora.multiplier) for lora in found.loras] == [
        ("high.safetensors", "1.2;0"),
        ("motion", "1.05;1.05"),
        ("low", ""),
    ]
    assert found.key_params == {"num_inference_steps": 6, "guidance_phases": 2}


def test_multipliers_may_be_a_list(spool: Path) -> None:
    """Engines have them in either form."""
    found = deciding(
        spool, decision("activated_loras", ["a", "b"]), decision("loras_multipliers", ["1.2", "0"])
    )
    assert [lora.multiplier for lora in found.model.loras] == ["1.2", "0"]


@pytest.mark.parametrize("value", ["many", True, 1.5, None, [81]])
def test_a_count_that_is_no_number_is_not_told(spool: Path, value: Any) -> None:
    """A journal may come from anywhere."""
    assert deciding(spool, decision("video_length", value)).model.frames is None


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"model_name": "a"}, "a"),
        ({"model": "a"}, "a"),
        ({"orchestrator_details": {"model_name": "a"}}, "a"),
        ({"individual_segment_params": {"model": "b"}, "model_name": "a"}, "b"),
        ({"model_name": ""}, ""),
        ({"model_name": 7, "orchestrator_details": "text"}, ""),
    ],
)
def test_without_a_call_of_the_engine_the_tasks_own_model_is_told(
    params: dict[str, Any], name: str
) -> None:
    """In whichever layer it stands; the later ones win."""
    assert model(None, replace(ROW, params=params), []).name == name


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"num_phases": 2}, {"num_phases": 2}),
        ('{"num_phases": 2}', {"num_phases": 2}),
        ("no JSON", {}),
        ("[" * 100_000, {}),
        ([1], {}),
        (None, {}),
    ],
)
def test_the_phase_config_is_told_as_it_was_asked(config: Any, told: dict[str, Any]) -> None:
    """As an object, or as its JSON; what is neither is not told."""
    row = replace(ROW, params={"orchestrator_details": {"phase_config": config}})
    assert model(None, row, []).phase_config == told
