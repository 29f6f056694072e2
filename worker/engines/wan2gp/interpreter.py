"""The operator's interpreter: what it is, whether it will do, and what is installed in it."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from worker.engines.wan2gp.start import OLDEST
from worker.errors import SettingsError

PYTHON_SETTING: Final = "wan2gp_python"
PYTHON_ADVICE: Final = (
    "give the Python of the checkout's own environment, as in /srv/Wan2GP/.venv/bin/python"
)
_ANSWER_S = 60
_MARK = "loop26:"
# Read by any Python that there ever was, so that one that is too old can say what it is.
_FACTS = """
import json, platform, sys, sysconfig
print("loop26:" + json.dumps({
    "version": ".".join(map(str, sys.version_info[:3])),
    "executable": sys.executable,
    "prefix": sys.prefix,
    "base_prefix": getattr(sys, "base_prefix", sys.prefix),
    "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", "") or "",
    "abi": sysconfig.get_config_var("SOABI") or "",
    "platform": sysconfig.get_platform(),
}))
"""
# Nothing is imported but what has a part that is asked for; the folder `-c` looks in comes off.
_PACKAGES = """
import importlib.metadata, importlib.util, json, sys
sys.path[:] = [place for place in sys.path if place]
found, of = {}, importlib.metadata.packages_distributions()
for name in sys.argv[1:]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        continue
    version, inside = "", name.replace(".", "/")
    for distribution in of.get(name.partition(".")[0], [name]):
        try:
            files = importlib.metadata.files(distribution) or ()
            if version == "" or any(str(file).startswith(inside + "/") for file in files):
                version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            pass
    place = spec.origin or ", ".join(spec.submodule_search_locations or ())
    found[name] = {"version": version, "place": place}
print("loop26:" + json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpreterFacts:
    """What an interpreter says of itself.

    Attributes:
        python: Its path as it was given: in a virtual environment a link, which is never followed.
        version: As in "3.11.7".
        executable: Where it says that it is.
        prefix: Of its environment; of a virtual one another than `base_prefix`.
        cache_tag: As in "cpython-311".
        abi: What compiled packages must fit: "cpython-311-x86_64-linux-gnu".
        platform: As in "linux-x86_64".
    """

    python: Path
    version: str
    executable: str
    prefix: str
    base_prefix: str
    cache_tag: str
    abi: str
    platform: str

    @property
    def too_old(self) -> str:
        """Why it is refused, and what to do; "" for one that is new enough."""
        if tuple(int(part) for part in self.version.split(".")[:2]) >= OLDEST:
            return ""
        needed = ".".join(map(str, OLDEST))
        return (
            f"is Python {self.version}, and loop26 needs {needed} or later there; make an "
            "environment of that with the checkout's packages"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """A package that an interpreter finds; `version` is "" where that is not known."""

    version: str
    place: str


def examine(python: Path, *, environment: Mapping[str, str] | None = None) -> InterpreterFacts:
    """Run an interpreter and have it say what it is; it may be too old, which is for the caller.

    Args:
        python: Its path.
        environment: That it is run in; ours where none is given.

    Raises:
        SettingsError: There is no interpreter at the path, or it does not answer.
    """
    if not python.is_file():
        raise SettingsError(f"{PYTHON_SETTING} = {str(python)!r}: is no file; {PYTHON_ADVICE}")
    if not os.access(python, os.X_OK):
        raise SettingsError(
            f"{PYTHON_SETTING} = {str(python)!r}: may not be executed; {PYTHON_ADVICE}"
        )
    told = _ask(python, ["-I", "-c", _FACTS], environment)
    try:
        facts = InterpreterFacts(python=python, **told)
        facts.too_old  # noqa: B018 - reads its version
    except (TypeError, ValueError, AttributeError) as error:
        raise SettingsError(
            f"{PYTHON_SETTING} = {str(python)!r}: says of itself {told!r}; {PYTHON_ADVICE}"
        ) from error
    return facts


def packages_in(
    python: Path, names: Iterable[str], *, environment: Mapping[str, str] | None = None
) -> dict[str, PackageFacts | None]:
    """Say of each module by its name where an interpreter finds it; None where it does not.

    None of them is imported. Raises `SettingsError` where it does not answer.
    """
    wanted = list(names)
    told = _ask(python, ["-c", _PACKAGES, *wanted], environment)
    return {name: PackageFacts(**told[name]) if name in told else None for name in wanted}


def run_in(
    command: list[str],
    *,
    environment: Mapping[str, str] | None,
    seconds: float,
    folder: str | None = "/",
) -> "subprocess.CompletedProcess[str]":
    """Run a program that has to do with an interpreter of theirs; what it says is text.

    Raises `OSError` and `subprocess.TimeoutExpired`.
    """
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
        env=environment,
        cwd=folder,
    )


def _ask(python: Path, arguments: list[str], environment: Mapping[str, str] | None) -> Any:
    named = f"{PYTHON_SETTING} = {str(python)!r}"
    try:
        done = run_in([str(python), *arguments], environment=environment, seconds=_ANSWER_S)
    except subprocess.TimeoutExpired as error:
        raise SettingsError(
            f"{named}: does not answer within {_ANSWER_S} s; {PYTHON_ADVICE}"
        ) from error
    except OSError as error:
        raise SettingsError(f"{named}: cannot be run: {error.strerror}; {PYTHON_ADVICE}") from error
    answers = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not answers:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise SettingsError(
            f"{named}: does not say what it is (exit {done.returncode}: {said}); {PYTHON_ADVICE}"
        )
    return json.loads(answers[-1].removeprefix(_MARK))
