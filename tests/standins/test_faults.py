"""The faults of the stand-in checkouts: each is at its line, and ends as is said."""

import json
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.home import wait_for
from tests.standins.calling import DEADLINE_S, SETTINGS, TOGETHER, Came, called, driving
from tests.standins.checkouts import Checkout, make_checkout
from tests.standins.faults import FAULTS, Ends
from worker.video.files import read_frames

# The lines at which something may be None, or a picture wrong, are come by in every call.
ALWAYS = {
    *("none-at-frames", "none-at-fps", "none-at-dtype", "none-at-attention", "none-at-class"),
    *("none-at-state", "none-at-settings", "none-at-sliding-window", "validation"),
    *("in-thread", "in-finally"),
}
HAS_STACK: frozenset[Ends] = frozenset({"at-settings", "escapes", "told"})
# Of those that are not well, these list a file.
LISTED = {"in-thread", "few-frames", "wrong-size"}
LEAVES = [name for name, fault in FAULTS.items() if fault.ends == "leaves"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_at_one_line(fault: str, checkout: Checkout) -> None:
    """Which the checkout finds."""
    path, line = checkout.line_of(fault)
    assert path.read_text().splitlines()[line - 1].endswith(f"# fault: {fault}")


def test_every_mark_is_of_a_fault(checkout: Checkout) -> None:
    """Or says where one is seen."""
    assert {mark.partition(", ")[0] for mark in checkout.marks()} == set(FAULTS)


@pytest.mark.parametrize("fault", TOGETHER)
def test_a_fault_comes_by_its_line(
    fault: str, came: Mapping[str, Came], checkout: Checkout
) -> None:
    """And by that of no other; without a fault, none does."""
    met = {mark.partition(", ")[0] for mark in came[fault]["marks"]}
    # Python sets signals in the main thread alone.
    assert (fault in met) == ((fault, checkout.kind) != ("changes-signal", "session"))
    assert met <= {fault, *ALWAYS}
    assert set(came["well"]["marks"]) <= ALWAYS


@pytest.mark.parametrize("fault", TOGETHER)
def test_a_fault_ends_as_is_said(fault: str, came: Mapping[str, Came], checkout: Checkout) -> None:
    """Raised, told, silent, or with a file."""
    call, ends = came[fault], FAULTS[fault].ends
    if checkout.kind == "session":
        failed = {"at-settings", "escapes", "told", "told-later", "refused"}
        assert bool(call["errors"]) == (ends in failed)
    else:
        told = [bool(handled) for name, _, handled in call["heard"] if name == "error"]
        assert ("raised" in call) == (ends in {"at-settings", "escapes"})
        assert told == {"told": [True], "told-later": [False]}.get(ends, [])
    assert bool(call["files"]) == (ends == "leaves" or fault in LISTED)


@pytest.mark.parametrize("checkout", ["functions", "media_functions"], indirect=True)
@pytest.mark.parametrize("fault", [name for name in TOGETHER if FAULTS[name].ends in HAS_STACK])
def test_what_is_raised_names_the_line(
    fault: str, came: Mapping[str, Came], checkout: Checkout
) -> None:
    """Its own stack does, or that of what it came from."""
    path, line = checkout.line_of(fault)
    assert [str(path), line] in came[fault]["places"]


@pytest.mark.parametrize("checkout", ["functions"], indirect=True)
def test_a_finally_hides_what_was_under_way(came: Mapping[str, Came]) -> None:
    """It raises something of its own."""
    [told] = [data for name, data, _ in came["in-finally"]["heard"] if name == "error"]
    assert told.endswith("'NoneType' object does not support item deletion")


def test_a_file_that_is_listed_may_not_be_there(came: Mapping[str, Came]) -> None:
    """The thread that was to write it has died."""
    [path] = came["in-thread"]["files"]
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("fault", "shape"), [("few-frames", (5, 48, 64, 3)), ("wrong-size", (9, 24, 64, 3))]
)
def test_a_file_may_be_another_than_was_asked_for(
    fault: str, shape: tuple[int, ...], came: Mapping[str, Came]
) -> None:
    """Too short, or too low."""
    [path] = came[fault]["files"]
    assert read_frames(Path(path)).shape == shape


@pytest.mark.parametrize("fault", LEAVES)
def test_what_is_left_can_be_seen(fault: str, came: Mapping[str, Came], checkout: Checkout) -> None:
    """In the process, or in the checkout."""
    process = came[fault]["process"]
    session = checkout.kind == "session"
    kept = json.loads((checkout.root / "settings" / "i2v_standin_settings.json").read_text())
    seen = {
        "changes-directory": process["directory"] == str(checkout.root / "outputs"),
        "changes-signal": process["ignored"] != session,
        "leaves-stdout": process["stdout"] == session,
        "leaves-thread": "pinned-upload" in process["threads"],
        "leaves-abort-flag": came["afterwards"]["files"] == [],
        "mutates-defaults": (kept["seed"], kept["guidance_scale"]) == (7, 9.5),
        "mutates-primary-settings": process["strength"] == 0.25,
        "mutates-server-config": process["save_path"] == "elsewhere",
    }
    assert seen[fault]


def test_a_leftover_flag_ends_a_call_in_silence(came: Mapping[str, Came]) -> None:
    """No error, no progress, no status."""
    told = [one[0].removeprefix("on_") for one in came["afterwards"]["heard"]]
    assert set(told) <= {"stream", "complete"}


@pytest.mark.parametrize(
    ("fault", "code"), [("exit-now", 0), ("segfault", -11), ("abort", -6), ("no-cuda", 1)]
)
def test_a_process_ends_at_the_line(
    fault: str, code: int, standin_python: Path, tmp_path: Path
) -> None:
    """With no answer. What it wrote last names the line, but for one that says nothing."""
    checkout = make_checkout("functions", tmp_path / "checkout")
    checkout.break_with(fault)
    done, answers = called(standin_python, checkout, [{"settings": SETTINGS, "fault": fault}])
    path, line = checkout.line_of(fault)
    assert (done.returncode, answers) == (code, [])
    written = re.search(rf'File "{re.escape(str(path))}", line {line}\b', done.stderr)
    assert bool(written) == (fault != "exit-now")


@pytest.mark.parametrize("fault", [name for name, one in FAULTS.items() if one.ends == "hangs"])
def test_a_process_hangs_at_the_line(fault: str, standin_python: Path, tmp_path: Path) -> None:
    """No signal ends the wait, but one that ends the process."""
    checkout = make_checkout("session", tmp_path / "checkout")
    path, line = checkout.line_of(fault)
    place = f'File "{path}", line {line} in'
    call = {"settings": SETTINGS, "fault": fault}
    written = tmp_path / "stderr"
    with written.open("w") as stderr:
        command = driving(standin_python, checkout, [call], tmp_path / "answer.json")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)

    def stands(times: int) -> bool:
        """Ask where it is, once it has made a step; whether it was there so many times."""
        if "1/2 [t=" in written.read_text():
            process.send_signal(signal.SIGUSR1)
        return written.read_text().count(place) >= times

    try:
        wait_for(lambda: stands(2), f"two stacks at the line of {fault}", DEADLINE_S)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
