"""Code that is our own: by its package, and by the folder of an operator's checkout."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from telemetry.recorder import Recorder
from telemetry.recorder.own_code import OwnCode
from telemetry.records import Error

WGP = """
from shared.entry import entry
from helper_of_checkout import call


class State:
    def __init__(self):
        self.gen = {"abort": True}


def get_model_def(name):
    return None


def frames_minimum(name, state=None):
    return get_model_def(name).get("frames_minimum")


def in_a_library(name, state=None):
    return call(name)


@entry
def generate_video(function, **given):
    return globals()[function](**given)
"""
ENTRY = """
def entry(function):
    def called(*args, **given):
        return function(*args, **given)

    return called
"""
LIBRARY = """
def call(name):
    return None.get(name)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout that has an environment of its own, and a library in that."""
    root = tmp_path / "checkout of theirs"
    files = {
        "wgp_of_test.py": WGP.replace("shared.entry", "shared_of_test.entry"),
        "shared_of_test/entry.py": ENTRY,
        "venv/lib/python3.11/site-packages/helper_of_checkout.py": LIBRARY,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def wgp(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the checkout's module as an engine does."""
    monkeypatch.syspath_prepend(checkout / "venv/lib/python3.11/site-packages")
    monkeypatch.syspath_prepend(checkout)
    yield importlib.import_module("wgp_of_test")
    for name in ("wgp_of_test", "shared_of_test", "shared_of_test.entry", "helper_of_checkout"):
        sys.modules.pop(name, None)


@pytest.fixture
def recorder(tmp_path: Path, checkout: Path) -> Iterator[Recorder]:
    """Open a recorder to which the checkout's code is its own."""
    recorder = Recorder.open(tmp_path / "spool", role="task", own_code=(str(checkout),))
    yield recorder
    recorder.close()


def taken(
    recorder: Recorder, wgp: ModuleType, function: str, index: int = 0, **given: Any
) -> Error:
    """Fail in a function of the checkout; return what is written."""
    try:
        with recorder.stage("parameters"), recorder.iteration(index, 32):
            wgp.generate_video(function, **given)
    except AttributeError as exc:
        return recorder.error(exc)
    raise AssertionError("it did not raise")


def test_frames_of_the_checkout_are_our_own_and_those_of_its_environment_are_not(
    recorder: Recorder, wgp: ModuleType
) -> None:
    """A library fails inside of the checkout's call: all its lines are told apart."""
    error = taken(recorder, wgp, "in_a_library", name="x")
    frames = [(frame.function, frame.in_app) for frame in error.chain[0].frames]
    assert frames[1:] == [
        ("entry.<locals>.called", True),
        ("generate_video", True),
        ("in_a_library", True),
        ("call", False),
    ]


def test_two_failures_in_two_functions_of_the_checkout_are_two(
    recorder: Recorder, wgp: ModuleType
) -> None:
    """Of one type, and both called by the same line of ours."""
    one = taken(recorder, wgp, "frames_minimum", name="")
    other = taken(recorder, wgp, "in_a_library", name="")
    assert (one.type, one.message, one.stage) == (other.type, other.message, other.stage)
    assert one.fingerprint != other.fingerprint


def test_one_failure_at_two_iterations_is_one(recorder: Recorder, wgp: ModuleType) -> None:
    """At LOOP 9 and at LOOP 26, as the incident's."""
    found = [taken(recorder, wgp, "frames_minimum", at, name="") for at in (9, 26)]
    assert [error.loop_index for error in found] == [9, 26]
    assert found[0].fingerprint == found[1].fingerprint


def test_the_place_and_the_locals_are_those_of_the_checkouts_line(
    recorder: Recorder, wgp: ModuleType, checkout: Path
) -> None:
    """With the fields of its objects, as those of ours."""
    error = taken(recorder, wgp, "frames_minimum", name="", state=wgp.State())
    lines = WGP.splitlines()
    line = next(
        at for at, text in enumerate(lines, 1) if "frames_minimum" in text and ".get" in text
    )
    assert (error.file, error.line) == (str(checkout / "wgp_of_test.py"), line)
    assert error.function == "frames_minimum"
    assert error.chain[0].frames[-1].locals == {
        "name": "",
        "state": {"<class>": "wgp_of_test.State", "gen": {"abort": True}},
    }


class EngineReported(Exception):
    """As the worker's own, of which one line raises all."""


def reported(recorder: Recorder, wgp: ModuleType, function: str, how: str) -> Error:
    """Fail in the checkout, and have a line of ours say so in its own way."""
    with recorder.task(task_id="t", attempt=1, task_type="i2v", trace_id=b"t" * 16, worker_id="w"):
        with pytest.raises(AttributeError) as caught:
            wgp.generate_video(function, name="")
        if how == "handled":
            recorder.errors.handled(caught.value, "callback")
        with pytest.raises(EngineReported) as told:
            raise EngineReported("no output") from (caught.value if how == "from" else None)
        return recorder.error(told.value)


@pytest.mark.parametrize("how", ["handled", "from"])
def test_what_ours_says_of_the_checkouts_failure_is_known_by_that(
    recorder: Recorder, wgp: ModuleType, how: str
) -> None:
    """One line of ours tells of all that the engine keeps to itself."""
    found = {
        (function, reported(recorder, wgp, function, how).fingerprint)
        for function in ("frames_minimum", "in_a_library", "frames_minimum")
    }
    assert len(found) == len({fingerprint for _, fingerprint in found}) == 2


def test_without_a_folder_it_is_the_code_of_a_library(tmp_path: Path, wgp: ModuleType) -> None:
    """Then the innermost line of ours, or of nobody's, is what a failure is known by."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    error = taken(recorder, wgp, "frames_minimum", name="")
    assert not any(frame.in_app for frame in error.chain[0].frames)
    assert "own_code" not in recorder.writer.facts.facts
    recorder.close()


def test_the_folders_stand_in_the_journals_facts(recorder: Recorder, checkout: Path) -> None:
    """Whoever reads what a death has left knows the code by them."""
    own = OwnCode.of(recorder.writer.facts.facts)
    assert own.folders == (str(checkout),)
    assert own.has(str(checkout / "wgp.py"), "wgp")
    assert own.has("/any/where.py", "worker.process")


@pytest.mark.parametrize("told", [None, "text", [1, None], {}])
def test_facts_that_say_something_else_name_no_folder(told: Any) -> None:
    """A journal may be anybody's."""
    assert OwnCode.of({"own_code": told}).folders == ()


@pytest.mark.parametrize(
    ("file", "is_own"),
    [
        ("wgp.py", True),
        ("./wgp.py", True),
        ("models/../wgp.py", True),
        ("models/wan/any2video.py", True),
        ("lib/python.py", True),
        ("venv/lib/python3.11/site-packages/torch/nn.py", False),
        ("env/lib64/python3.12/os.py", False),
        ("tools/dist-packages/apt.py", False),
        (".venv/Scripts/x.py", False),
        (".cache/x.py", False),
        ("made/src/editable/x.py", False),
        ("../wgp.py", False),
        ("../checkout of theirs and more/wgp.py", False),
    ],
)
def test_what_is_installed_below_a_folder_is_not_our_own(
    checkout: Path, file: str, *, is_own: bool
) -> None:
    """Environments by their names or by what stands in them, hidden folders, neighbours."""
    (checkout / "made").mkdir()
    (checkout / "made/pyvenv.cfg").touch()
    assert OwnCode(folders=[str(checkout)]).has(f"{checkout}/{file}", "x") is is_own


def test_a_folder_is_known_by_what_it_is_a_link_to(tmp_path: Path, checkout: Path) -> None:
    """Code may name its file by either."""
    (tmp_path / "link").symlink_to(checkout)
    own = OwnCode(folders=[str(tmp_path / "link")])
    assert own.has(str(tmp_path / "link/wgp.py"), "wgp")
    assert own.has(str(checkout / "wgp.py"), "wgp")


@pytest.mark.parametrize("file", ["", "<string>", "wgp.py", "/" + "a" * 5000, "/x\\0y", "\\udcff"])
def test_what_is_no_path_is_in_no_folder(file: str) -> None:
    """Nothing is raised."""
    assert not OwnCode(folders=["/opt/checkout", ""]).has(file, "")
