"""Builds the Jaeger that tests ask: once, into the user's cache, of what go.mod and go.sum pin.

Run as a script it says what it does, and installs a Go of its own where the machine has none. It
needs nothing but Python, so that it can run while the environment of the tests is being made.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
GO_PINS = HERE.parents[2] / "requirements" / "go.txt"
PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
BUILD_S = 1800
INSTALL_S = 300


class Unavailable(Exception):
    """There is no Jaeger here, and none can be built; says why."""


def built(*, install_go: bool = False) -> Path:
    """Return the program, which is built if it is not there: some minutes, the first time.

    Raises `Unavailable` where there is no Go, and none may or can be installed, or no module can
    be reached.
    """
    pins = hashlib.sha256((HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes())
    program = cache() / f"jaeger-{pins.hexdigest()[:12]}-{platform.machine()}"
    if not program.exists():
        with _alone(program.with_suffix(".lock")):
            if not program.exists():
                _build(program, _go(install=install_go))
    return program


def cache() -> Path:
    """Return the folder in which tests keep what takes long to make."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loop26"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _build(program: Path, go: str) -> None:
    unfinished = program.with_suffix(".new")
    command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"]
    _run([*command, str(unfinished), PACKAGE], BUILD_S)
    unfinished.replace(program)


def _go(*, install: bool) -> str:
    found = shutil.which("go")
    if found:
        return found
    if not install:
        raise Unavailable(f"there is no Go here; run: {Path(sys.executable).name} {__file__}")
    environment = cache() / f"go-{hashlib.sha256(GO_PINS.read_bytes()).hexdigest()[:12]}"
    python = environment / "bin" / "python"
    _run([sys.executable, "-m", "venv", "--clear", str(environment)], INSTALL_S)
    pins = ["--quiet", "--require-hashes", "--requirement", str(GO_PINS)]
    _run([str(python), "-m", "pip", "install", *pins], INSTALL_S)
    return str(environment / "bin" / "go")


def _run(command: list[str], most_s: int) -> None:
    try:
        done = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, timeout=most_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as trouble:
        raise Unavailable(f"{command[0]} did not do it: {trouble}") from trouble
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-600:]
        raise Unavailable(f"{' '.join(command[:3])} failed: {said}")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time build."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build it, and say what was done. Asked to stop, it stops what it has started, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Jaeger: stopped while it was built"))
    began = time.monotonic()
    try:
        program = built(install_go=True)
    except Unavailable as reason:
        sys.exit(f"Jaeger: {reason}")
    size_mb = program.stat().st_size / 1e6
    print(f"Jaeger: {program} ({size_mb:.0f} MB), there after {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
