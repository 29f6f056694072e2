"""The contract of engines, for those that run in our own interpreter."""

import pytest

from tests.standins.fixtures import standin_python
from tests.worker.engines.contract.fixtures import (
    choose,
    driven,
    engines,
    pytest_generate_tests,
    spans,
)
from tests.worker.engines.contract.subjects import OURS

__all__ = ["driven", "engines", "pytest_generate_tests", "spans", "standin_python"]

# What is true of checkouts alone: run by `test_in_checkouts.py` in an interpreter of theirs.
collect_ignore = ["test_of_checkouts.py"]


def pytest_configure(config: pytest.Config) -> None:
    """Choose the engines."""
    choose(config, OURS)
