"""Runs one of our modules in the operator's interpreter: `PYTHON start.py ORDER MODULE …`.

This file is run by its path and imports nothing of ours. Python 3.6 can read it, so that one that
is too old is refused in words. What loop26 brings along is found behind all that they have.
"""

import importlib.abc
import importlib.util
import json
import re
import runpy
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

OLDEST = (3, 11)
EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h; the supervisor takes the last line for the why


class Unusable(Exception):
    """Raised where this interpreter will not do; says why, and what to do."""


class Bringer(importlib.abc.MetaPathFinder):
    """Finds what loop26 brings along. It is asked last: what they have has been found before."""

    def __init__(self, packages: "list[dict[str, Any]]") -> None:
        self._packages = {package["name"]: package for package in packages}

    def find_spec(
        self, fullname: str, path: "Any" = None, target: "Any" = None
    ) -> "ModuleSpec | None":
        """Find a package; what is inside one is then found in its folder, as always."""
        del path, target
        package = self._packages.get(fullname.partition(".")[0])
        if package is None:
            return None
        if package["parts"]:
            return _part_of(package, fullname)
        whole = fullname == package["name"]
        return PathFinder.find_spec(fullname, [package["place"]]) if whole else None

    def find_distributions(self, context: "Any" = None) -> "Any":
        """Tell `importlib.metadata` of what is brought, unless it asks for other folders."""
        from importlib.metadata import DistributionFinder, MetadataPathFinder

        context = context or DistributionFinder.Context()
        if "path" in vars(context):
            return
        places = {each["distribution"]: each["metadata"] for each in self._packages.values()}
        for name, place in places.items():
            if place and (context.name is None or _plain(context.name) == _plain(name)):
                inside = DistributionFinder.Context(name=name, path=[place])
                yield from MetadataPathFinder.find_distributions(inside)


def main(argv: "list[str]") -> None:
    """Check this interpreter, then run the module as if `-m` had named it."""
    try:
        refuse_old()
        leave_folder()
        provide(json.loads(argv[1]))
    except Unusable as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(EXIT_CONFIGURATION)
    sys.argv = argv[2:]
    # To all others this file stays `__main__`: what multiprocessing spawns imports that again, and
    # would find no module of ours.
    runpy.run_module(argv[2], run_name="__main__")


def refuse_old() -> None:
    """Raise `Unusable` for a Python that is older than ours can be."""
    if sys.version_info[:2] < OLDEST:
        found = "{}.{}.{}".format(*sys.version_info)
        needed = "{}.{}".format(*OLDEST)
        raise Unusable(
            f"Python {found} at {sys.executable} is too old: loop26 needs {needed} or later in "
            "wan2gp_python; make an environment of that with the checkout's packages"
        )


def leave_folder() -> None:
    """Have nothing be imported from this file's folder, where Python looks first."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != here]


def provide(packages: "list[dict[str, Any]]") -> None:
    """Have each package be found: theirs, or else ours. Raises `Unusable` with all that is wrong.

    A package is theirs as a whole, or ours as a whole.
    """
    problems = []
    brought = []
    for package in packages:
        spec = _theirs(package)
        if spec is not None:
            problems.append(_objection(package, spec))
        elif package["place"]:
            brought.append(package)
        else:
            problems.append(_missing(package))
    sys.meta_path.append(Bringer(brought))
    if not any(problems):
        problems = [_broken(package) for package in packages if package["early"]]
    if any(problems):
        said = "; ".join(filter(None, problems))
        raise Unusable(f"wan2gp_python = {sys.executable}: {said}")


def _theirs(package: "dict[str, Any]") -> "ModuleSpec | None":
    try:
        return importlib.util.find_spec(package["shown_by"])
    except (ImportError, ValueError):  # not even what it is a part of is there
        return None


def _part_of(package: "dict[str, Any]", fullname: str) -> "ModuleSpec | None":
    """Find a part of a namespace: they may have others of it, and not all of ours are meant."""
    if fullname == package["name"]:
        return ModuleSpec(fullname, None, is_package=True)
    if not any(f"{fullname}.".startswith(f"{part}.") for part in package["parts"]):
        return None
    folder = Path(package["place"], *fullname.split(".")[:-1])
    return PathFinder.find_spec(fullname, [str(folder)])


def _objection(package: "dict[str, Any]", spec: ModuleSpec) -> str:
    """Say why what they have of a package will not do, or ""."""
    where = spec.origin or ", ".join(spec.submodule_search_locations or ())
    if package["own"]:
        ours = Path(package["place"], package["name"]).resolve()
        if Path(where).resolve().parent == ours:
            return ""
        return f"{where} has the name {package['name']!r}, which is loop26's own; remove it there"
    version = _version(package["distribution"])
    if not version or _numbers(version) >= _numbers(package["oldest"]):
        return ""
    return (
        f"{package['distribution']} {version} at {where} is too old: loop26 needs "
        f"{package['oldest']} or later (for {package['needed']}); upgrade it there, or remove it "
        "and loop26 brings its own"
    )


def _missing(package: "dict[str, Any]") -> str:
    said = f"{package['distribution']} is missing (for {package['needed']})"
    if not package["brought"]:
        return f"{said}; install it there, as the checkout asks"
    return f"{said}, and is not installed beside loop26 either; install it in {package['home']}"


def _broken(package: "dict[str, Any]") -> str:
    """Import a package; say what it raised, or ""."""
    try:
        importlib.import_module(package["shown_by"])
    except Exception as trouble:  # noqa: BLE001 - a package that is broken may raise anything
        name, version = package["distribution"], _version(package["distribution"])
        why = " ".join(f"{type(trouble).__name__}: {trouble}".split())
        return f"{name} {version} (for {package['needed']}) cannot be imported: {why}"
    return ""


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution) or ""
    except PackageNotFoundError:
        return ""


def _numbers(version: str) -> "tuple[int, ...]":
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(sys.argv)
