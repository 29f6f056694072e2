"""The contract of engines where it is driven into a checkout: in that one's own interpreter.

There runs what runs here, the same files, by the pytest that is installed there: one process for a
kind of checkout, as it is imported once.
"""

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.cache import ROOT
from tests.standins.checkouts import KINDS
from worker.engines.wan2gp import start
from worker.engines.wan2gp.brought import order
from worker.settings.environment import interpreter_environment
from worker.task_program import ffmpeg_for

HERE = Path(__file__).parent
# The tests themselves are brought along as loop26 is: found behind all that the checkout has.
TESTS = {
    **order()[0],
    "name": "tests",
    "needed": "the contract",
    "shown_by": "tests",
    "place": str(ROOT),
    "metadata": "",
}
MOST_S = 240


def contract() -> list[Path]:
    """Name the files that hold it."""
    return [path for path in sorted(HERE.glob("test_*.py")) if path != Path(__file__)]


def functions(path: Path) -> Iterator[str]:
    """Name the tests of a file."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"{path.relative_to(ROOT)}::{node.name}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_keeps_the_contract(kind: str, standin_python: Path, tmp_path: Path) -> None:
    """All of it: each test has been run there, at least once, and has passed."""
    said, results = run(kind, standin_python, tmp_path)
    failed = [
        f"{one['test']}: {one['outcome']}\n{one['why']}" for one in results if not passed(one)
    ]
    assert not failed, "\n\n".join([f"{len(failed)} of {len(results)} failed", *failed, said])
    run_there = {one["test"].partition("[")[0] for one in results}
    assert run_there == {test for path in contract() for test in functions(path)}, said


def passed(result: dict[str, Any]) -> bool:
    """Whether a test has passed: one that was skipped has not."""
    return bool(result["outcome"] == "passed")


def run(kind: str, python: Path, folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """Run the contract there; return what was printed, and what came of each test."""
    told = folder / "told.jsonl"
    arguments = [
        *("-p", "tests.worker.engines.contract.in_checkout", "--checkout", kind, "--told", told),
        *("--ffmpeg", ffmpeg_for("wan2gp")),
        *("--noconftest", "-p", "no:cacheprovider", "--import-mode", "importlib", "-W", "error"),
        # An engine's folder is locked for as long as its process lives.
        *("-W", "ignore:unclosed file:ResourceWarning"),
        *("-c", "/dev/null", "--rootdir", ROOT, "--basetemp", folder / "temporary"),
        *("--strict-markers", "--quiet"),
        *contract(),
    ]
    done = subprocess.run(
        [python, start.__file__, json.dumps([*order(), TESTS]), "pytest", *map(str, arguments)],
        cwd=folder,
        env=interpreter_environment(python),
        capture_output=True,
        text=True,
        timeout=MOST_S,
        check=False,
    )
    said = f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert told.is_file(), said
    results = [json.loads(line) for line in told.read_text().splitlines()]
    assert (done.returncode == 0) == all(map(passed, results)), said
    return said, results
