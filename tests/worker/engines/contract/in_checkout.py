"""The contract of engines, for one that drives a stand-in checkout: a plugin for pytest there.

It is loaded by name, in the checkout's interpreter, by `test_in_checkouts.py`.
"""

import json
from pathlib import Path

import pytest

from tests.worker.engines.contract.fixtures import (
    choose,
    driven,
    engines,
    pytest_generate_tests,
    spans,
)
from tests.worker.engines.contract.subjects import of_checkout
from worker.video import ffmpeg

__all__ = ["driven", "engines", "pytest_generate_tests", "spans"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add which checkout it is, where to tell what came of each test, and our own ffmpeg."""
    parser.addoption("--checkout", required=True)
    parser.addoption("--told", required=True, type=Path)
    parser.addoption("--ffmpeg", required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the engine, and tell what comes of its tests."""
    choose(config, [of_checkout(config.getoption("--checkout"))])
    ffmpeg.use(config.getoption("--ffmpeg"))  # as the task process does
    config.pluginmanager.register(_Told(config.getoption("--told")))


class _Told:
    """Writes a line of JSON for each test that has ended, or has failed before it began or after.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write it."""
        if report.when != "call" and report.passed:
            return
        line = {"test": report.nodeid, "outcome": report.outcome, "why": report.longreprtext}
        with self._path.open("a") as told:
            told.write(f"{json.dumps(line)}\n")
