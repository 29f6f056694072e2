"""What every test may use, and `--no-skips` for machines on which everything must run."""

from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--no-skips`, for `.ci/run`: there a skip hides a fault; and `--kills`."""
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
