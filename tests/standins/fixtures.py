"""Fixtures for tests that run a stand-in checkout; to be imported by a conftest.py."""

from pathlib import Path

import pytest

from tests.servers.cache import Unavailable
from tests.standins import interpreter


@pytest.fixture(scope="session")
def standin_python() -> Path:
    """Return the interpreter of the stand-in checkouts; skip where it cannot be made."""
    try:
        return interpreter.standin_python()
    except Unavailable as reason:
        pytest.skip(str(reason))
