"""An operator's checkout is imported as it expects to be, and says why where it cannot."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.engines.wan2gp.checkout import Checkout
from worker.engines.wan2gp.errors import CheckoutUnusable

DEADLINE_S = 60
REPOSITORY = Path(__file__).parents[4]
IMPORTING = """
import json, sys
from pathlib import Path
from worker.engines.wan2gp.checkout import Checkout
root, args = Path(sys.argv[1]), tuple(json.loads(sys.argv[2]))
checkout = Checkout(root=root, config=None, args=args, outputs=root / "out")
before = sys.argv, sys.stdout, str(Path.cwd())
try:
    found = checkout.find("wgp")
    said = {"told": found.told, "facts": checkout.facts(found)}
except Exception as exc:
    cause = type(exc.__cause__).__name__
    said = {"type": type(exc).__name__, "text": str(exc), "cause": cause}
print(json.dumps({**said, "same": before == (sys.argv, sys.stdout, str(Path.cwd()))}))
"""


def checkout(root: Path, **changes: Any) -> Checkout:
    """Name a checkout."""
    given: dict[str, Any] = {"config": None, "args": (), "outputs": root / "out"} | changes
    return Checkout(root=root, **given)


def imported(root: Path, source: str, *args: str) -> dict[str, Any]:
    """Import a checkout's module in a process; return what came of it."""
    (root / "wgp.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING, str(root), json.dumps(args)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_its_command_line_is_what_the_settings_say(tmp_path: Path) -> None:
    """With the folder of its configuration, where that is another."""
    assert checkout(tmp_path, args=("--profile", "4")).argv == ["wgp.py", "--profile", "4"]
    elsewhere = checkout(tmp_path, config=tmp_path / "config")
    assert elsewhere.argv == ["wgp.py", "--config", str(tmp_path / "config")]
    assert elsewhere.config_file == tmp_path / "config" / "wgp_config.json"
    assert checkout(tmp_path).config_file == tmp_path / "wgp_config.json"


def test_whether_it_has_a_session_is_found_by_looking(tmp_path: Path) -> None:
    """At its file."""
    assert not checkout(tmp_path).has_session
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "api.py").touch()
    assert checkout(tmp_path).has_session


def test_it_is_imported_in_its_folder_with_its_command_line(tmp_path: Path) -> None:
    """Its own modules are found; the process is as it was afterwards."""
    (tmp_path / "beside.py").write_text("name = 'beside'")
    source = """
import os, sys
import beside
print("a line that is logged")
told = [beside.name, os.getcwd(), list(sys.argv)]
os.chdir("/")
sys.argv.append("more")
sys.stdout = None
WanGP_version = "9.9"
"""
    found = imported(tmp_path, source, "--profile", "4")
    assert found["told"] == ["beside", str(tmp_path), ["wgp.py", "--profile", "4"]]
    assert found["facts"] == {"checkout": str(tmp_path), "version": "9.9", "commit": ""}
    assert found["same"]


@pytest.mark.parametrize(
    ("source", "cause", "text"),
    [
        ("raise RuntimeError('no device')", "RuntimeError", "RuntimeError: no device"),
        ("raise SystemExit(2)", "SystemExit", "SystemExit: 2"),
        ("import sys; sys.exit()", "SystemExit", "SystemExit: it said nothing more"),
        ("import nothing_of_the_kind", "ModuleNotFoundError", "nothing_of_the_kind"),
        ("1 +", "SyntaxError", "invalid syntax"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "it said nothing more"),
        (
            "import argparse\nargparse.ArgumentParser().parse_args()",
            "SystemExit",
            '["wgp.py", "--unknown"]',
        ),
    ],
)
def test_what_it_raises_says_why_it_cannot_be_used(
    tmp_path: Path, source: str, cause: str, text: str
) -> None:
    """Whatever it is; the command line is named, and the process is as it was."""
    found = imported(tmp_path, source, "--unknown")
    assert (found["type"], found["cause"], found["same"]) == ("CheckoutUnusable", cause, True)
    assert text in found["text"]
    assert str(tmp_path) in found["text"]


def test_a_checkout_that_is_not_there_cannot_be_used(tmp_path: Path) -> None:
    """It is named."""
    with (
        pytest.raises(CheckoutUnusable, match="none' cannot be imported: FileNotFoundError"),
        checkout(tmp_path / "none").importing(),
    ):
        pass


def test_what_is_said_already_is_not_said_twice(tmp_path: Path) -> None:
    """A part of it that has said why is left to say it."""
    told = CheckoutUnusable(tmp_path, "has no init")
    with pytest.raises(CheckoutUnusable) as caught, checkout(tmp_path).importing():
        raise told
    assert caught.value is told
