"""Fixtures of the acceptance tests."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.home import Home, home_at
from tests.standins.fixtures import standin_python

__all__ = ["standin_python"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give an empty home; whatever runs in it is ended with the test."""
    with home_at(tmp_path) as home:
        yield home


@pytest.fixture
def dice() -> random.Random:
    """Give random numbers that are the same in every run."""
    return random.Random(26)


@pytest.fixture(scope="session")
def collector_program() -> Path:
    """Build the OpenTelemetry collector; skip where none is built and there is no Go."""
    from tests.servers.cache import Unavailable
    from tests.servers.collector.build import built

    try:
        return built()
    except Unavailable as reason:
        pytest.skip(str(reason))
