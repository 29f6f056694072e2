"""The stand-in checkouts: each has the shapes and the habits that it stands in for."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.standins.calling import DEADLINE_S, SETTINGS, Came, called
from tests.standins.checkouts import MODELS, VERSION, Checkout, make_checkout
from worker.video.files import read_frames

if TYPE_CHECKING:
    import numpy as np

INCIDENT = Path(__file__).parents[1] / "data" / "incident_defaults.json"


def frames_of(came: Came) -> "np.ndarray[Any, Any]":
    """Return the frames of the one file of a call: frames x height x width x 3."""
    [path] = came["files"]
    return read_frames(Path(path))


@pytest.mark.parametrize("call", ["well", "text"])
def test_a_call_makes_a_video(call: str, came: Mapping[str, Came]) -> None:
    """Of as many frames, and as large, as was asked; out of a picture, or of text alone."""
    assert frames_of(came[call]).shape == (9, 48, 64, 3)


def test_sizes_and_frames_are_rounded_down(came: Mapping[str, Came]) -> None:
    """To 16, and to four and one."""
    assert frames_of(came["larger"]).shape == (13, 80, 96, 3)


def test_frames_go_from_picture_to_picture(came: Mapping[str, Came]) -> None:
    """From black where there is no picture to start from."""
    colours = frames_of(came["pictures"]).mean((1, 2))
    assert (colours[0].argmax(), colours[-1].argmax()) == (0, 2)
    assert frames_of(came["well"])[0].mean() < 64


def test_the_seed_can_be_seen(came: Mapping[str, Came]) -> None:
    """The same one makes the same video, another one another."""
    well, again, other = (frames_of(came[call]) for call in ("well", "again", "another seed"))
    assert (well == again).all()
    assert abs(well.astype(int) - other).mean() > 1


def test_a_model_stays_loaded(came: Mapping[str, Came]) -> None:
    """The second call with it loads nothing."""
    first, second = (str(came[call]["heard"]) for call in ("well", "again"))
    assert "Loading model" in first
    assert "Loading model" not in second


def test_an_unknown_model_is_none_in_its_code(came: Mapping[str, Came], checkout: Checkout) -> None:
    """A session tells nothing but this."""
    text = "'NoneType' object has no attribute 'get'"
    if checkout.kind == "session":
        assert came["unknown"]["errors"] == [[text, "generation"]]
    else:
        assert came["unknown"]["raised"] == ["AttributeError", text]


def test_older_checkouts_take_no_path_of_a_lora(
    came: Mapping[str, Came], checkout: Checkout
) -> None:
    """They look for its base name in their own folder."""
    assert bool(came["a path"]["files"]) == (checkout.kind != "functions")


def test_the_process_is_in_another_directory(came: Mapping[str, Came], checkout: Checkout) -> None:
    """The checkout's, from the import on."""
    assert came["well"]["process"]["directory"] == str(checkout.root)


@pytest.mark.parametrize("checkout", ["session"], indirect=True)
def test_a_session_calls_back_in_a_thread_of_its_own(came: Mapping[str, Came]) -> None:
    """While what is printed goes to it, and not to where it went before."""
    heard = came["well"]["heard"]
    assert {thread for _, _, thread, _ in heard} == {"wangp-session-job"}
    assert {own for name, _, _, own in heard if name == "on_progress"} == {False}
    assert any(name == "on_stream" and "Prompt 1/1" in text for name, text, _, _ in heard)


@pytest.mark.parametrize("checkout", ["functions", "session"], indirect=True)
def test_a_call_that_is_cancelled_ends(standin_python: Path, checkout: Checkout) -> None:
    """After the step that runs, with no file."""
    settings = {**SETTINGS, "num_inference_steps": 50}
    call = {"settings": settings, "fault": "slow-steps", "cancel": True}
    _, [cancelled, following] = called(standin_python, checkout, [call, {"settings": SETTINGS}])
    assert cancelled["files"] == []
    if checkout.kind == "session":
        assert cancelled["errors"] == [["the job was cancelled", "cancelled"]]
    # Whoever sets the flag has to take it back: a session does.
    assert bool(following["files"]) == (checkout.kind == "session")


def test_phases_and_loras_arrive(standin_python: Path, tmp_path: Path) -> None:
    """Each step has its guidance, expert and LoRAs; and every parameter can be read again."""
    checkout = make_checkout("functions", tmp_path / "checkout")
    (checkout.root / "loras" / "standin_i2v" / "style.safetensors").write_bytes(b"")
    settings = {
        "model_type": "two_expert_standin",
        "num_inference_steps": 6,
        "guidance_scale": 3.5,
        "activated_loras": ["style.safetensors"],
        "loras_multipliers": "1,2,3;0.5",
        "guidance_phases": 2,
        "switch_threshold": 826.0999755859375,
        "guidance2_scale": 1,
    }
    called(standin_python, checkout, [{"settings": settings}])
    last = checkout.last_call()
    assert settings.items() <= last.items()
    plan = [(one["guidance"], one["expert"], one["loras"]) for one in last["plan"]]
    first = [(3.5, "high", [1.0]), (3.5, "high", [2.0]), (3.5, "high", [3.0])]
    assert plan == [*first, *[(1, "low", [0.5])] * 3]
    times = [one["timestep"] for one in last["plan"]]
    assert times[3:] == [769.6741333007812, 556.7879028320312, 4.9800801277160645]


def test_a_checkout_has_a_version_and_a_commit(checkout: Checkout) -> None:
    """The one in wgp.py, the other where there is git."""
    assert f'\nWanGP_version = "{VERSION}"\n' in (checkout.root / "wgp.py").read_text()
    assert (len(checkout.commit) == 40) == (checkout.root / ".git").exists()


def test_every_parameter_has_to_be_given(checkout: Checkout) -> None:
    """As many as the generation has; only the newer one's last has a default."""
    text = (checkout.root / "wgp.py").read_text()
    [(name, listed)] = re.findall(r"def (generate_(?:video|media))\(\n(.*?)\n\):", text, re.DOTALL)
    parameters = [line.strip(" ,") for line in listed.splitlines()]
    older = checkout.kind == "functions"
    assert (name, len(parameters)) == ("generate_video", 107) if older else ("generate_media", 118)
    assert [one for one in parameters if "=" in one] == ([] if older else ["plugin_data=None"])


def test_settings_stay_as_they_once_were(standin_python: Path, tmp_path: Path) -> None:
    """A definition file that was changed since says nothing."""
    checkout = make_checkout("functions", tmp_path / "checkout")
    call = {"settings": {"model_type": "i2v_standin", "num_inference_steps": 2}}
    called(standin_python, checkout, [call])
    definition = checkout.root / "defaults" / "i2v_standin.json"
    definition.write_text(json.dumps({**json.loads(definition.read_text()), "flow_shift": 9}))
    called(standin_python, checkout, [call])
    assert checkout.last_call()["flow_shift"] == 5


def test_the_defaults_are_those_of_the_incident_and_more(
    came: Mapping[str, Came], checkout: Checkout
) -> None:
    """In that order."""
    assert came["well"]["files"]
    kept = json.loads((checkout.root / "settings" / "i2v_standin_settings.json").read_text())
    incident = json.loads(INCIDENT.read_text())
    assert list(kept)[: len(incident)] == list(incident)


def test_an_argument_that_is_not_known_ends_the_process(
    standin_python: Path, tmp_path: Path
) -> None:
    """It reads the command line of whatever imports it."""
    checkout = make_checkout("functions", tmp_path / "checkout")
    done = subprocess.run(
        [standin_python, "-c", "import sys; sys.argv = ['x', '--nonsense']; import wgp"],
        cwd=checkout.root,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 2
    assert "unrecognized arguments: --nonsense" in done.stderr


def test_the_models_are_those_that_are_named(checkout: Checkout) -> None:
    """A definition file each."""
    assert {path.stem for path in (checkout.root / "defaults").iterdir()} == set(MODELS)
