"""Interpreters that tests run `start.py` in: a separate one, real others, and one that pretends."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# What a checkout's environment has and loop26 does not bring.
THEIRS = ("numpy", "numpy.libs", "PIL", "pillow.libs")


def separate(folder: Path, *packages: str) -> Path:
    """Make an environment of our Python's version, with these packages; return its python.

    Nothing is fetched: they are linked from our own environment.
    """
    make = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    [site] = folder.glob("lib/python3*/site-packages")
    ours = importlib.util.find_spec("numpy")
    assert ours is not None
    assert ours.origin is not None
    for name in packages:
        found = Path(ours.origin).parents[1] / name
        if found.exists():
            (site / name).symlink_to(found)
    return folder / "bin" / "python"


def installed(python: Path, name: str, version: str, text: str = "") -> None:
    """Put a package of one module into an environment of `separate`."""
    [site] = python.parents[1].glob("lib/python3*/site-packages")
    module = name.replace("-", "_")
    (site / module).mkdir(parents=True, exist_ok=True)
    (site / module / "__init__.py").write_text(text)
    metadata = site / f"{module}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def script(path: Path, text: str) -> Path:
    """Write an executable that is run by our Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


def real(*minors: int) -> Iterator[Path]:
    """Yield the Pythons 3.MINOR of this machine, on the path or pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in minors:
        found = [shutil.which(f"python3.{minor}"), *root.glob(f"versions/3.{minor}.*/bin/python")]
        for python in filter(None, found):
            if _runs(Path(python), minor):
                yield Path(python)
                break


def _runs(python: Path, minor: int) -> bool:
    """Whether it is what it is called: a shim may lead nowhere."""
    code = "import sys; print(sys.version_info[1])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == str(minor)
