"""Fixtures of the benchmarks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give an empty home; whatever runs in it is ended with the test."""
    home = Home(tmp_path / "home")
    home.path.mkdir()
    yield home
    home.close()
