"""The interpreter that has logfire: an environment of its own, for its plugins load themselves.

Beside it every pydantic and every pytest would import all of it. It lies in the user's cache, by
the hash of what is pinned.
"""

import hashlib
import sys
from pathlib import Path

from tests.servers.cache import ROOT, install, kept

PINS = ROOT / "requirements" / "logfire.txt"


def logfire_python() -> Path:
    """Return its path; it is made if it is not there. Raises `Unavailable` when it cannot be."""
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return kept(f"logfire-{pins}-{python}", _make) / "env" / "bin" / "python"


def _make(folder: Path) -> None:
    install(folder / "env", PINS)
