"""What tests of videos write."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture
def frames() -> "np.ndarray[Any, Any]":
    """Return pictures, each of one grey."""
    greys = np.linspace(20, 220, 9).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (9, 48, 64, 3)).copy()
