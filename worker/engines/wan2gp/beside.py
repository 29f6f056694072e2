"""What of loop26 is compiled for another Python than the operator's: installed beside, once."""

import hashlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from worker.engines.wan2gp.interpreter import InterpreterFacts, run_in
from worker.errors import SettingsError

PINS: Final = Path(__file__).with_name("beside.txt")
_INSTALL_S = 600


def compiled_for(
    facts: InterpreterFacts,
    folder: Path,
    *,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
) -> Path | None:
    """Return the folder of what is compiled for an interpreter, or None where our own fits.

    It is filled when it is not there, from the package index that pip is set to here. Nothing is
    installed into the interpreter's own environment.

    Args:
        facts: Of the interpreter.
        folder: In which there is one folder for each kind of interpreter.
        environment: Of what installs.
        tell: Is told when something is installed.

    Raises:
        SettingsError: It cannot be installed; holds the command to run by hand.
    """
    if facts.abi == sysconfig.get_config_var("SOABI"):
        return None
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:8]
    ready = folder / f"{facts.abi or facts.cache_tag}-{pins}"
    if not ready.is_dir():
        tell(
            f"{facts.python} is Python {facts.version}, and loop26 runs in another: what it needs "
            f"there is installed into {ready}, once"
        )
        _fill(facts, ready, environment)
    return ready


def _fill(facts: InterpreterFacts, ready: Path, environment: Mapping[str, str]) -> None:
    """Install what is pinned into a folder, which is there as a whole or not at all."""
    try:
        ready.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ready.parent, prefix=".installing-") as temporary:
            whole = Path(temporary) / "packages"
            why = _installed(facts.python, whole, environment)
            if why is None:
                _publish(whole, ready)
                return
    except OSError as error:
        why = f"{error.strerror or error}"
    by_hand = shlex.join(_pip(facts.python, ready))
    raise SettingsError(
        f"what loop26 needs in {facts.python} (Python {facts.version}) cannot be installed beside "
        f"it: {why}; where a package index is reached, run: {by_hand}"
    )


def _publish(whole: Path, ready: Path) -> None:
    try:
        whole.rename(ready)
    except OSError:
        if not ready.is_dir():  # another worker was first
            raise


def _installed(python: Path, folder: Path, environment: Mapping[str, str]) -> str | None:
    """Try one installer after the other; return why the last did not do it, or None."""
    why = "there is no pip"
    for command in _installers(python, folder):
        try:
            done = run_in(command, environment=environment, seconds=_INSTALL_S, folder=None)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"{command[0]}: {error}"
            continue
        if done.returncode == 0 and folder.is_dir():
            return None
        said = (
            done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}"
        ).splitlines()
        why = said[-1]
        shutil.rmtree(folder, ignore_errors=True)
    return why


def _installers(python: Path, folder: Path) -> list[list[str]]:
    """Name what may install for an interpreter, its own pip first."""
    ours = [sys.executable, "-m", "pip", "--python", str(python), *_install(folder)]
    found = [_pip(python, folder), ours]
    if uv := shutil.which("uv"):
        found.append([uv, "pip", *_install(folder), "--python", str(python)])
    return found


def _pip(python: Path, folder: Path) -> list[str]:
    return [str(python), "-m", "pip", *_install(folder)]


def _install(folder: Path) -> list[str]:
    return [
        *("install", "--quiet", "--target", str(folder)),
        *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(PINS)),
    ]
