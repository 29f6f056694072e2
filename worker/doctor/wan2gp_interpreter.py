"""The interpreter of a checkout under examination: its packages, those brought along, its GPU."""

import json
import re
import signal
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from worker.doctor import cuda_probe
from worker.doctor.cuda_probe import MARK
from worker.doctor.finding import Finding, Verdict
from worker.engines.wan2gp.brought import PACKAGES, Package
from worker.engines.wan2gp.interpreter import (
    PYTHON_ADVICE,
    InterpreterFacts,
    PackageFacts,
    examine,
    packages_in,
    run_in,
)
from worker.errors import SettingsError
from worker.settings import Settings
from worker.settings.environment import interpreter_environment

# What a checkout imports when it is imported itself.
_ITS_OWN: Final = ("numpy", "PIL", "torch", "diffusers", "transformers", "mmgp", "gradio")
_CUDA_ANSWER_S: Final = 180.0  # torch on a cold disk takes a minute
_WHOLE: Final = Path(__file__).parents[2]  # holds worker and telemetry
Found = Mapping[str, PackageFacts | None]


def examine_interpreter(settings: Settings) -> Iterator[Finding]:
    """Yield how the interpreter is, as far as it can be had. Nothing is raised."""
    python = settings.wan2gp_python
    if python is None:
        yield _unusable("none is set", f"set wan2gp_python (LOOP26_WAN2GP_PYTHON): {PYTHON_ADVICE}")
        return
    environment = interpreter_environment(python)
    try:
        facts = examine(python, environment=environment)
        names = [*_ITS_OWN, *(_shown_by(package) for package in PACKAGES)]
        found = {} if facts.too_old else packages_in(python, names, environment=environment)
    except SettingsError as trouble:
        yield _unusable(str(trouble), PYTHON_ADVICE)
        return
    if facts.too_old:
        yield _unusable(f"{python} {facts.too_old}", PYTHON_ADVICE)
        return
    yield _interpreter(facts)
    yield _its_own(found, facts, settings.wan2gp_checkout)
    yield _brought(found, facts)
    yield _cuda(python, environment, settings.device)


def _unusable(found: str, advice: str) -> Finding:
    advice = "" if advice in found else advice
    return Finding(name="interpreter", verdict=Verdict.ERROR, found=found, advice=advice)


def _interpreter(facts: InterpreterFacts) -> Finding:
    found = f"{facts.python}, Python {facts.version}"
    return Finding(name="interpreter", verdict=Verdict.OK, found=found)


def _its_own(found: Found, facts: InterpreterFacts, checkout: Path | None) -> Finding:
    """Say which packages of the checkout's own are there; that is the operator's to see to."""
    missing = [name for name in _ITS_OWN if found[name] is None]
    there = [f"{name} {has.version}".strip() for name in _ITS_OWN if (has := found[name])]
    said = ", ".join(there) or "none"
    if not missing:
        return Finding(name="packages", verdict=Verdict.OK, found=said)
    return Finding(
        name="packages",
        verdict=Verdict.ERROR,
        found=f"not there: {', '.join(missing)}; there: {said}",
        advice=f"install what the checkout asks for there: {facts.python} -m pip install -r "
        f"{(checkout or Path('CHECKOUT')) / 'requirements.txt'}",
    )


def _brought(found: Found, facts: InterpreterFacts) -> Finding:
    """Say of each package that loop26 needs there whose copy it gets."""
    theirs: list[str] = []
    ours: list[str] = []
    wrong: list[str] = []
    for package in PACKAGES:
        has = found[_shown_by(package)]
        if has is not None and not (package.own and _is_ours(has)):
            theirs.append(f"{package.distribution} {has.version}".strip())
            wrong += _objections(package, has)
        elif package.brought and not package.own:
            ours.append(f"{package.distribution} {version(package.distribution)}")
    said = f"theirs: {', '.join(theirs) or 'none'}; brought along: {', '.join(ours) or 'none'}"
    if wrong:
        return Finding(
            name="what loop26 needs there",
            verdict=Verdict.ERROR,
            found="; ".join([*wrong, said]),
            advice="upgrade or remove it there: what is not there, loop26 brings along",
        )
    said += _beside(found, facts)
    return Finding(name="what loop26 needs there", verdict=Verdict.OK, found=said)


def _beside(found: Found, facts: InterpreterFacts) -> str:
    """Say what of ours is compiled for another Python than theirs; "" where all fits."""
    brought = [each for each in PACKAGES if each.compiled and found[_shown_by(each)] is None]
    if not brought or facts.abi == sysconfig.get_config_var("SOABI"):
        return ""
    named = ", ".join(package.distribution for package in brought)
    return f"; loop26 runs in another Python: for this one {named} is fetched at the first start"


def _objections(package: Package, has: PackageFacts) -> Iterator[str]:
    if package.own:
        yield f"{has.place} has the name {package.name!r}, which is loop26's own"
    elif package.oldest and has.version and _numbers(has.version) < _numbers(package.oldest):
        yield (
            f"{package.distribution} {has.version} at {has.place} is too old: loop26 needs "
            f"{package.oldest} or later (for {package.needed})"
        )


def _cuda(python: Path, environment: Mapping[str, str], device: str) -> Finding:
    """Have their torch say what it computes on, in a process of its own: it may take that along."""
    asked = device if device.startswith("cuda") else "cuda"
    # By -P nothing is imported from the probe's own folder.
    command = [str(python), "-P", cuda_probe.__file__, asked]
    try:
        done = run_in(command, environment=environment, seconds=_CUDA_ANSWER_S)
    except subprocess.TimeoutExpired as error:
        return _no_cuda(f"torch does not answer within {error.timeout:g} s")
    except OSError as error:
        return _no_cuda(f"torch cannot be asked: {error}")
    answers = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not answers:
        return _no_cuda(f"the process that asked torch died: {_death(done)}")
    return _answered(json.loads(answers[-1].removeprefix(MARK)))


def _answered(answer: Mapping[str, Any]) -> Finding:
    if "torch" not in answer:
        advice = "install the checkout's torch there, built for CUDA: without it, it does nothing"
        return _no_cuda(f"torch cannot be imported: {answer['problem']}", advice)
    torch = f"torch {answer['torch']}"
    if not answer["built_for"]:
        return _no_cuda(f"{torch} is built without CUDA", "install a torch that is built for CUDA")
    torch += f" for {answer['built_for']}"
    if problem := answer.get("problem"):
        return _no_cuda("; ".join([f"{torch}: {problem}", *answer["warnings"]]))
    place = (
        "the only one"
        if answer["devices"] == 1
        else f"number {answer['index']} of {answer['devices']}"
    )
    found = f"{torch} computes on {answer['name']}, {place}"
    return Finding(name="GPU", verdict=Verdict.OK, found=found)


def _no_cuda(found: str, advice: str = "") -> Finding:
    return Finding(
        name="GPU",
        verdict=Verdict.ERROR,
        found=found,
        advice=advice
        or "see what `nvidia-smi` says here, whether its driver is as new as that torch needs, and "
        "in a container whether the GPU is handed in",
    )


def _death(done: "subprocess.CompletedProcess[str]") -> str:
    code = done.returncode
    how = f"exit {code}" if code >= 0 else f"{signal.strsignal(-code)} (signal {-code})"
    said = done.stderr.strip().splitlines()
    return f"{how}: {said[-1]}" if said else how


def _shown_by(package: Package) -> str:
    return package.shown_by or package.name


def _is_ours(has: PackageFacts) -> bool:
    return Path(has.place).resolve().is_relative_to(_WHOLE)


def _numbers(text: str) -> tuple[int, ...]:
    found: Iterable[str] = re.findall(r"\d+", text.partition("+")[0])
    return tuple(map(int, found))
