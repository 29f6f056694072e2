"""What every test may use, and `--no-skips` for machines on which everything must run."""

import os
from collections.abc import Generator

import pytest

# Models in tests are small: more threads than one only wait for each other. Read when torch loads,
# here and in every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--no-skips`, for `.ci/run`: there a skip hides a fault; `--kills`, `--deaths`."""
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a test that skips itself fails, unless it is marked gpu",
    )
    parser.addoption(
        "--kills",
        type=int,
        default=6,
        help="how many random kills the journeys of tests/acceptance must survive",
    )
    parser.addoption(
        "--deaths",
        choices=("few", "all"),
        default="few",
        help="each death once, or each death at each stage (minutes)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure under `--no-skips`; no machine can be given a GPU by a flag."""
    report = yield
    refused = item.config.getoption("--no-skips") and item.get_closest_marker("gpu") is None
    if refused and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped under --no-skips: {reason}"
    return report
