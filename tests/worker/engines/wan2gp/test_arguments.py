"""What the entry is called with: every parameter it has, from the layer that speaks of it last."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from worker.engines.base import Inputs
from worker.engines.wan2gp.arguments import Arguments, Entry, arguments_of, in_its_terms
from worker.errors import EngineError, InvalidParameter
from worker.params.request import GenerationRequest, LoraUse, ParamValue

from .conftest import REQUEST, asking, scheduled, with_params

OURS = ("task", "send_cmd", "state", "plugin_data")


def entry_with(count: int) -> Callable[..., Any]:
    """Return a function of so many parameters, of which the last has a default."""
    names = ["task", "send_cmd", "prompt", "seed", *(f"one_{n}" for n in range(count - 7))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in (*names, "state", "mode")]
    parameters.append(inspect.Parameter("plugin_data", kind, default=None))

    def generate(**given: Any) -> dict[str, Any]:
        return given

    generate.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # as it is
    return generate


def generate_video(  # noqa: PLR0913, PLR0917 - as its kind is
    task: Any,
    send_cmd: Any,
    prompt: str,
    seed: int,
    guidance_scale: float,
    flow_shift: float,
    slg_layers: Any,
    image_start: Any,
    image_end: Any,
    state: Any,
    film_grain: float = 0.5,
) -> None:
    """Be an entry."""


def open_entry(task: Any, send_cmd: Any, *, prompt: str, seed: int, **others: Any) -> None:
    """Be an entry that takes anything by name."""


def arguments(
    request: GenerationRequest = REQUEST,
    function: Callable[..., Any] = generate_video,
    *,
    primary: Mapping[str, Any] | None = None,
    terms: Mapping[str, Any] | None = None,
    unknown: Any = "pass",
) -> Arguments:
    """Put the arguments of a function together."""
    return arguments_of(
        request,
        entry=Entry.of(function.__name__, function),
        primary=primary or {},
        terms=terms or {},
        unknown=unknown,
        ours=OURS,
    )


@pytest.mark.parametrize("count", [97, 107, 118])
def test_every_parameter_is_given(count: int) -> None:
    """However many there are: all but those that are given beside."""
    function = entry_with(count)
    given = arguments(function=function, terms={"prompt": "a lake"})
    inspect.signature(function).bind(None, None, state={}, **given.values)
    assert len(given.values) == count - len(OURS)
    assert given.values["prompt"] == "a lake"


def test_the_signature_says_what_is_needed() -> None:
    """A parameter with a default may be left out."""
    entry = Entry.of("generate_media", entry_with(118))
    assert (len(entry.taken), len(entry.needed), entry.open) == (118, 117, False)


def test_those_that_are_only_taken_by_name_count() -> None:
    """And whoever takes any others is open."""
    entry = Entry.of("open_entry", open_entry)
    assert (entry.taken, entry.needed) == (
        ("task", "send_cmd", "prompt", "seed"),
        ("task", "send_cmd", "prompt", "seed"),
    )
    assert entry.open


def test_what_cannot_be_given_by_name_is_no_parameter() -> None:
    """Nor are the others that are only counted."""

    def odd(first: int, /, second: int, *rest: int) -> None: ...

    assert Entry.of("odd", odd).taken == ("second",)


@pytest.mark.parametrize(
    ("source", "terms", "expected"),
    [
        (None, {}, 1.0),
        ("model", {}, 2.0),
        ("task", {}, 2.0),
        ("task", {"guidance_scale": 3.0}, 3.0),
        (None, {"guidance_scale": 3.0}, 3.0),
    ],
)
def test_the_last_that_speaks_wins(
    source: str | None, terms: Mapping[str, Any], expected: float
) -> None:
    """The engine's own settings, then the request's, then what is told in the engine's terms."""
    request = asking(source, guidance_scale=2.0) if source else REQUEST
    given = arguments(request, primary={"guidance_scale": 1.0}, terms=terms)
    assert given.values["guidance_scale"] == expected


def test_none_is_no_value() -> None:
    """The engine's own setting stands."""
    given = arguments(asking(flow_shift=None), primary={"flow_shift": 7.0})
    assert given.values["flow_shift"] == 7.0


def test_what_nobody_speaks_of_is_given_none_and_named() -> None:
    """The entry needs it all the same."""
    given = arguments(terms={"prompt": "a"}, primary={"seed": 1, "guidance_scale": 5.0})
    assert given.filled == ("flow_shift", "slg_layers", "image_start", "image_end")
    assert [given.values[name] for name in given.filled] == [None] * 4


def test_a_default_of_the_entry_stays() -> None:
    """It is left out where nobody speaks of it."""
    assert "film_grain" not in arguments().values


def test_what_is_given_beside_is_not_in_there() -> None:
    """Nobody's value for it is, either."""
    given = arguments(asking(state="mine"), primary={"task": 1, "state": 2})
    assert not set(OURS) & {*given.values, *given.filled}


@pytest.mark.parametrize("source", ["task", "segment", "orchestrator", "phase_config"])
def test_an_unknown_parameter_of_a_task_is_refused(source: str) -> None:
    """By its name and its value, with the nearest that there is."""
    with pytest.raises(InvalidParameter) as caught:
        arguments(asking(source, flow_shft=3.5), unknown="refuse")
    said = str(caught.value)
    assert "flow_shft" in said
    assert "3.5" in said
    assert "did you mean 'flow_shift'?" in said
    assert "generate_video, which has 11" in said


def test_an_unknown_parameter_may_be_passed_over() -> None:
    """It is named."""
    given = arguments(asking(flow_shft=3.5, prompt="a"))
    assert given.unused == ("flow_shft",)
    assert "flow_shft" not in given.values


@pytest.mark.parametrize("source", ["model", "system"])
def test_an_unknown_default_is_said_and_not_refused(source: str) -> None:
    """Nobody asked for it: the engine's own defaults have some that its entry has not."""
    given = arguments(asking(source, settings_version=2.35), unknown="refuse")
    assert given.unused == ("settings_version",)


def test_the_rate_is_told_by_another_name() -> None:
    """It is not unused."""
    assert arguments(asking(fps=24.0), unknown="refuse").unused == ()


def test_a_rate_that_cannot_be_told_is_named() -> None:
    """An entry without it makes its own."""
    assert arguments(terms={"force_fps": "24"}).unused == ("force_fps",)
    assert arguments(terms={"force_fps": ""}).unused == ()


def test_a_picture_that_cannot_be_given_is_refused() -> None:
    """Without it the video would be of something else."""

    def generate_media(task: Any, send_cmd: Any, prompt: str, image_start: Any) -> None: ...

    picture = Image.new("RGB", (8, 8))
    with pytest.raises(EngineError, match="generate_media has no image_end"):
        arguments(function=generate_media, terms={"image_end": picture})
    assert arguments(function=generate_media, terms={"image_end": None}).unused == ()


def test_what_an_open_entry_does_not_name_is_passed_on() -> None:
    """But of the engine's own settings only what it names: the rest is for others."""
    given = arguments(
        asking(flow_shft=3.5),
        open_entry,
        primary={"seed": 1, "film_grain": 0.1},
        terms={"prompt": "a", "video_length": 9},
        unknown="refuse",
    )
    assert given.values == {"seed": 1, "flow_shft": 3.5, "prompt": "a", "video_length": 9}
    assert given.unused == ()


def test_lists_are_the_engines_to_change() -> None:
    """They are frozen in the request."""
    request = asking(slg_layers=[9, [1, {"a": [2]}]])
    given = arguments(request).values["slg_layers"]
    assert given == [9, [1, {"a": [2]}]]
    given[1].append(3)
    assert arguments(request).values["slg_layers"] == [9, [1, {"a": [2]}]]


def test_the_engines_own_settings_are_copied() -> None:
    """What the entry does to a list in there, it does to a list of its own."""
    primary = {"slg_layers": [9]}
    arguments(primary=primary).values["slg_layers"].append(10)
    assert primary == {"slg_layers": [9]}


def test_the_value_used_is_given_and_not_the_one_asked() -> None:
    """As when a seed has been drawn."""
    drawn = ParamValue(name="seed", value=77, asked=-1, source="system", change="drawn")
    assert arguments(with_params(drawn)).values["seed"] == 77


def terms(request: GenerationRequest = REQUEST, **inputs: Any) -> dict[str, Any]:
    """Say a request in the engine's terms."""
    return in_its_terms(request, Inputs(**inputs), loras=(), model_fps=16.0)


def test_a_request_is_said_in_the_engines_terms() -> None:
    """Each as it wants it."""
    said = terms()
    expected = {
        "model_type": "i2v_standin",
        "prompt": "a lake",
        "negative_prompt": "blurry",
        "resolution": "64x48",
        "video_length": 9,
        "seed": 5,
        "num_inference_steps": 3,
        "image_mode": 0,
        "repeat_generation": 1,
        "batch_size": 1,
    }
    assert expected.items() <= said.items()


def test_pictures_are_cut_to_the_frame() -> None:
    """The engine takes a video's shape from its picture: evenly, and in RGB."""
    picture = Image.new("RGBA", (200, 48), (255, 0, 0, 255))
    picture.paste((0, 0, 255, 255), (0, 0, 20, 48))
    said = terms(start_image=picture, end_image=Image.new("L", (7, 90)))
    assert [(said[name].size, said[name].mode) for name in ("image_start", "image_end")] == [
        ((64, 48), "RGB"),
        ((64, 48), "RGB"),
    ]
    assert said["image_start"].getpixel((0, 24)) == (255, 0, 0)
    assert picture.size == (200, 48)


@pytest.mark.parametrize(
    ("given", "letters"),
    [
        ((), ""),
        (("start_image",), "S"),
        (("end_image",), "E"),
        (("start_image", "end_image"), "SE"),
    ],
)
def test_which_pictures_there_are_is_said(given: tuple[str, ...], letters: str) -> None:
    """By one letter each."""
    picture = Image.new("RGB", (64, 48))
    said = terms(**dict.fromkeys(given, picture))
    assert said["image_prompt_type"] == letters
    assert (said["image_start"] is None) == ("start_image" not in given)


def test_thresholds_are_those_of_the_plan() -> None:
    """In float32, to the last digit."""
    said = terms(scheduled(switch_threshold2=556.7879028320312))
    assert said["switch_threshold"] == 826.0999755859375
    assert said["switch_threshold2"] == 556.7879028320312


def test_a_plan_without_thresholds_says_none() -> None:
    """What others say of them stands."""
    said = terms(scheduled(switch_threshold=None))
    assert not {"switch_threshold", "switch_threshold2"} & set(said)


def test_loras_are_told_with_their_multipliers(tmp_path: Path) -> None:
    """As they were written, one text for all, in the order of the files."""
    uses = tuple(
        LoraUse(url=str(tmp_path / text), multipliers=text, per_step=())
        for text in ("1.2;0", "1.05;1.05", "0;1.0,0.5")
    )
    request = dataclasses.replace(REQUEST, loras=uses)
    said = in_its_terms(request, Inputs(), loras=("a", "b", "c"), model_fps=16.0)
    assert said["activated_loras"] == ["a", "b", "c"]
    assert said["loras_multipliers"] == "1.2;0 1.05;1.05 0;1.0,0.5"


def test_no_lora_is_said_too() -> None:
    """Those of the engine's own settings are not to be used."""
    said = terms()
    assert (said["activated_loras"], said["loras_multipliers"]) == ([], "")


@pytest.mark.parametrize(("fps", "told"), [(16.0, ""), (24.0, "24"), (23.976, "23.976")])
def test_a_rate_is_told_where_it_is_not_the_models(fps: float, told: str) -> None:
    """As a text, without a fraction that is none."""
    assert terms(dataclasses.replace(REQUEST, fps=fps))["force_fps"] == told
