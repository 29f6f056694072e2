"""Calls a checkout in a process of its own interpreter."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.standins.checkouts import Checkout
from tests.standins.faults import FAULTS, Ends

DEADLINE_S: Final = 120
SETTINGS: Final[Mapping[str, Any]] = {
    "model_type": "i2v_standin",
    "prompt": "a lake",
    "seed": 5,
    "num_inference_steps": 2,
}
# What ends the process, or goes on for long, is not asked for among the others.
_ALONE: Final[frozenset[Ends]] = frozenset({"at-import", "dies", "hangs", "slow"})
TOGETHER: Final = tuple(name for name, fault in FAULTS.items() if fault.ends not in _ALONE)

Came: TypeAlias = dict[str, Any]


def called(
    python: Path, checkout: Checkout, calls: Sequence[Mapping[str, Any]]
) -> tuple[subprocess.CompletedProcess[str], list[Came]]:
    """Make calls, as `drive.py` has them; return the process that has ended, and what came."""
    answer = checkout.root.parent / "answer.json"
    answer.unlink(missing_ok=True)
    done = subprocess.run(
        driving(python, checkout, calls, answer),
        cwd=checkout.root.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done, json.loads(answer.read_text()) if answer.exists() else []


def driving(
    python: Path, checkout: Checkout, calls: Sequence[Mapping[str, Any]], answer: Path
) -> list[str]:
    """Return the command that makes calls, and writes what came of them as an answer."""
    asked = json.dumps([dict(call) for call in calls])
    driver = Path(__file__).with_name("drive.py")
    return [
        *(str(python), "-X", "faulthandler", str(driver)),
        str(checkout.root),
        asked,
        str(answer),
    ]
