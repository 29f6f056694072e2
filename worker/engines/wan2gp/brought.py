"""What a task process needs in the operator's interpreter: the one list of it.

All but what only they can have is brought along, and found there behind everything of theirs: what
they have wins, and is refused by name where it is older than we can live with.
"""

import importlib.util
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package.

    Attributes:
        name: As it is imported.
        distribution: As it is installed.
        needed: What it is for, as people are told.
        oldest: The oldest version of theirs that will do; "" where any will.
        shown_by: The module whose presence says that theirs is there, where that is not its name.
        own: Whether it is loop26 itself: its name may be nobody else's there.
        brought: Whether it is brought along; else they must have it.
        compiled: Whether ours fits our own Python alone.
        early: Whether it is imported at start, so that one that is broken is named then.
    """

    name: str
    distribution: str
    needed: str
    oldest: str = ""
    shown_by: str = ""
    own: bool = False
    brought: bool = True
    compiled: bool = False
    early: bool = True


PACKAGES = (
    Package(name="worker", distribution="loop26", needed="the task process", own=True, early=False),
    Package(name="telemetry", distribution="loop26", needed="the record", own=True, early=False),
    Package(
        name="typing_extensions",
        distribution="typing-extensions",
        needed="OpenTelemetry's API",
        oldest="4.5",
    ),
    Package(
        name="msgspec",
        distribution="msgspec",
        needed="journal and control channel",
        oldest="0.19",
        compiled=True,
    ),
    Package(
        name="opentelemetry",
        distribution="opentelemetry-api",
        needed="spans",
        oldest="1.24",
        shown_by="opentelemetry.trace",
    ),
    Package(
        name="imageio_ffmpeg",
        distribution="imageio-ffmpeg",
        needed="the ffmpeg that videos are written and read with",
        oldest="0.4.9",
    ),
    Package(
        name="httpx",
        distribution="httpx",
        needed="inputs from the web",
        oldest="0.24",
        early=False,
    ),
    Package(
        name="httpcore",
        distribution="httpcore",
        needed="inputs from the web",
        oldest="0.17",
        early=False,
    ),
    Package(
        name="h11",
        distribution="h11",
        needed="inputs from the web",
        oldest="0.13",
        early=False,
    ),
    Package(name="certifi", distribution="certifi", needed="inputs from the web", early=False),
    Package(name="idna", distribution="idna", needed="inputs from the web", early=False),
    Package(name="numpy", distribution="numpy", needed="frames", brought=False, early=False),
    Package(name="PIL", distribution="pillow", needed="pictures", brought=False, early=False),
)


def order(beside: Path | None = None) -> list[dict[str, Any]]:
    """Say of each package what `start.py` must know, and where it is found in our own Python.

    `beside` is the folder of those compiled for theirs, where ours do not fit.
    """
    return [_told(package, beside if package.compiled else None) for package in PACKAGES]


def _told(package: Package, beside: Path | None) -> dict[str, Any]:
    place, metadata = (beside, beside) if beside else _places(package)
    return {
        "name": package.name,
        "distribution": package.distribution,
        "needed": package.needed,
        "oldest": package.oldest,
        "shown_by": package.shown_by or package.name,
        "own": package.own,
        "early": package.early,
        "brought": package.brought,
        "home": sys.prefix,
        "place": str(place or ""),
        "metadata": str(metadata or ""),
        "parts": _parts(package) if package.shown_by else [],
    }


def _places(package: Package) -> tuple[Path | None, Path | None]:
    """Return the folder that holds a package of ours, and the one with its metadata.

    They differ where loop26 is installed from its source, as an editable one.
    """
    found = importlib.util.find_spec(package.shown_by or package.name) if package.brought else None
    if found is None or found.origin is None:
        return None, None
    depth = (package.shown_by or package.name).count(".") + bool(found.submodule_search_locations)
    try:
        metadata = Path(str(distribution(package.distribution).locate_file("")))
    except PackageNotFoundError:
        metadata = None
    return Path(found.origin).parents[depth], metadata


def _parts(package: Package) -> list[str]:
    """Name what a distribution has in a package that it shares with others, as namespaces are."""
    files = distribution(package.distribution).files or []
    inside = {file.parts[1] for file in files if file.parts[0] == package.name and file.parts[2:]}
    return sorted(f"{package.name}.{part}" for part in inside)
