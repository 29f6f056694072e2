"""The engine under examination: which one it is, and whether this machine has what it needs."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from worker.doctor.finding import Finding, Verdict
from worker.doctor.wan2gp import examine_wan2gp
from worker.params.defaults import WGP
from worker.settings import Settings

# What would be missed first of what the extra installs.
_SHOWN: Final = ("diffusers", "torch", "transformers")


def examine_engine(settings: Settings) -> Iterator[Finding]:
    """Yield how the engine is that the settings name. Nothing is loaded, and nothing raised."""
    if settings.engine != WGP:
        yield _installed(settings.engine)
        return
    yield Finding(name="engine", verdict=Verdict.OK, found="wan2gp, from the operator's checkout")
    yield from examine_wan2gp(settings)


def _installed(engine: str) -> Finding:
    there = {name: found for name in _SHOWN if (found := _version(name))}
    missing = [name for name in _SHOWN if name not in there]
    if not missing:
        found = ", ".join(f"{name} {number}" for name, number in there.items())
        return Finding(name="engine", verdict=Verdict.OK, found=found)
    return Finding(
        name="engine",
        # Where tasks are only enqueued and looked at, nobody needs it.
        verdict=Verdict.WARNING,
        found=f"{engine}; not installed here: {', '.join(missing)}",
        advice=f"where tasks are to run: `pip install 'loop26[{engine}]'`",
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
