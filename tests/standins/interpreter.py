"""The interpreter that stand-in checkouts run in: its packages are older than ours, and conflict.

It lies in the user's cache, by the hash of what is pinned. Nothing is fetched when it is there.
"""

import hashlib
import sys
from pathlib import Path

from tests.servers.cache import ROOT, install, kept

PINS = ROOT / "requirements" / "standin.txt"
# To be raised when what is made of the pins is another.
MAKING = 1


def standin_python() -> Path:
    """Return its path: a link, to be used as it is. It is made if it is not there.

    Raises `Unavailable` when it cannot be: no index can be reached, as a rule.
    """
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return kept(f"standin-{pins}-{MAKING}-{python}", _make) / "env" / "bin" / "python"


def _make(folder: Path) -> None:
    install(folder / "env", PINS)
