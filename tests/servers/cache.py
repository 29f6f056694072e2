"""What tests fetch or make once, and keep in the user's cache by what is pinned.

Needs nothing but Python, so that it can be used while the environment of the tests is being made.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL_S = 300
# Written last: what a killed install has left is made anew.
COMPLETE = "complete"


class Unavailable(Exception):
    """A server cannot be had here; says why."""


def cache() -> Path:
    """Return the folder in which tests keep what takes long to make."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loop26"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, which `make` fills if it is not there. Raises `Unavailable`."""
    folder = cache() / name
    if not (folder / COMPLETE).exists():
        with alone(name):
            if not (folder / COMPLETE).exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                (folder / COMPLETE).touch()
    return folder


def install(environment: Path, pins: Path) -> None:
    """Make a virtual environment of what is pinned, as pip is configured here."""
    python = environment / "bin" / "python"
    uv = [sys.executable, str(ROOT / "tools" / "uv_like_pip.py")]
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    run(
        [
            *(*uv, "pip", "install", "--python", str(python)),
            *("--quiet", "--require-hashes", "--requirement", str(pins)),
        ]
    )


def run(command: list[str], folder: Path = ROOT, most_s: float = INSTALL_S) -> str:
    """Run a command that makes or installs something; return what it printed.

    Raises `Unavailable` where it fails, or takes longer than `most_s` seconds.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=most_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as trouble:
        raise Unavailable(f"{command[0]} did not do it: {trouble}") from trouble
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-600:]
        raise Unavailable(f"{' '.join(command[:3])} failed: {said}")
    return done.stdout


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one process at a time make what has this name in the cache."""
    with (cache() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
