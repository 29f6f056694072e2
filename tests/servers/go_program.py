"""Builds a server that tests ask out of Go modules: once, into the user's cache.

What is built is pinned, with hashes, by the go.mod and the go.sum of a folder here. Needs nothing
but Python, so that it can run while the environment of the tests is being made.
"""

import hashlib
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.cache import ROOT, Unavailable, alone, cache, kept, run

GO_PINS = ROOT / "requirements" / "go.txt"
SOURCES = ("go.mod", "go.sum", "*.go")
BUILD_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """A program, and where it is kept.

    Attributes:
        name: What it is called in the cache.
        folder: Where its go.mod lies.
        package: What is built there.
    """

    name: str
    folder: Path
    package: str = "."

    @property
    def path(self) -> Path:
        """Where it is, once it is built: what it is made of says when that is to be done again."""
        found = (path for pattern in SOURCES for path in sorted(self.folder.glob(pattern)))
        pins = hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()[:12]
        return cache() / f"{self.name}-{pins}-{platform.machine()}"

    def built(self, *, install_go: bool = False) -> Path:
        """Return the program, which is built if it is not there: some minutes, the first time.

        Raises `Unavailable` where there is no Go, and none may or can be installed, or no module
        can be reached.
        """
        path = self.path
        if not path.exists():
            with alone(path.name):
                if not path.exists():
                    self._build(path, _go(install=install_go))
        return path

    def _build(self, path: Path, go: str) -> None:
        unfinished = path.with_name(f"{path.name}.new")
        command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"]
        run([*command, str(unfinished), self.package], self.folder, BUILD_S)
        unfinished.replace(path)


def _go(*, install: bool) -> str:
    found = shutil.which("go")
    if found:
        return found
    if not install:
        raise Unavailable("there is no Go here to build it with; run: make servers")
    pins = hashlib.sha256(GO_PINS.read_bytes()).hexdigest()[:12]
    return str(kept(f"go-{pins}-{platform.machine()}", _install_go) / "bin" / "go")


def _install_go(environment: Path) -> None:
    run([sys.executable, "-m", "venv", str(environment)])
    pins = ["--quiet", "--require-hashes", "--requirement", str(GO_PINS)]
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install"]
    run([*pip, *pins])
