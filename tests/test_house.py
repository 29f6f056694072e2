"""The house: rules of the repository that no linter knows."""

import ast
import functools
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from worker.demo.story import NAMES

ROOT = Path(__file__).parents[1]
PACKAGES = ("worker", "telemetry")
MAX_LINES = 320  # the aim is 300
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
# What the supervisor and the command line must start without.
HEAVY = ("torch", "diffusers", "transformers", "peft")


def sources(*folders: str) -> list[Path]:
    """List the Python files of these folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def own_files() -> Iterator[Path]:
    """List every text file that is ours: what git knows, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".journal"}:
            yield path


def calls(path: Path) -> Iterator[str]:
    """Name what a module's attribute accesses spell, as in "os.environ"."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_short(path: Path) -> None:
    """One subject seldom needs more."""
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_no_module_is_a_drawer_for_everything() -> None:
    """A module is named for its subject."""
    named = {path: {path.stem, *path.relative_to(ROOT).parts} for path in sources(*PACKAGES)}
    assert [path for path, names in named.items() if names & BANNED_NAMES] == []


def test_only_the_settings_read_the_environment() -> None:
    """Everything else is given what it needs."""
    readers = {
        str(path.relative_to(ROOT))
        for path in sources(*PACKAGES)
        if {"os.environ", "os.getenv", "os.environb"} & set(calls(path))
    }
    assert readers <= {"worker/settings/environment.py"}


def imported(package: str) -> set[str]:
    """Name what a package imports, at its top or inside a function: "module" or "module.name"."""
    nodes = [node for path in sources(package) for node in ast.walk(ast.parse(path.read_text()))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def distribution_of(name: str) -> str:
    """Name the distribution that a third-party import comes with; "" for Python's and ours."""
    top = name.partition(".")[0]
    if top in {*PACKAGES, *sys.stdlib_module_names}:
        return ""
    owners = owners_of_packages()[top]
    if len(set(owners)) == 1:
        return normal(owners[0])
    origin = origin_of(name)  # several share a namespace, as in google.protobuf
    return next(
        normal(owner)
        for owner in owners
        if any(origin == file.locate() for file in importlib.metadata.files(owner) or ())
    )


@functools.cache
def owners_of_packages() -> Mapping[str, list[str]]:
    """Look up once which distributions each top-level package comes with."""
    return importlib.metadata.packages_distributions()


def normal(distribution: str) -> str:
    """Write a distribution's name as a requirement here has it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def origin_of(name: str) -> Path:
    """Find the file of the innermost module in a dotted name."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # its parent is a module, and it is something in there
        spec = None
    if spec is None or spec.origin is None:
        return origin_of(name.rpartition(".")[0])
    return Path(spec.origin)


def declared(requirements: list[str]) -> set[str]:
    """Name the distributions of a list of requirements."""
    return {re.split(r"[<>=~! \[]", requirement)[0] for requirement in requirements}


def test_telemetry_imports_nothing_of_the_worker_and_no_torch() -> None:
    """A task process of another interpreter can have it."""
    assert {name.partition(".")[0] for name in imported("telemetry")}.isdisjoint({"worker", *HEAVY})


@pytest.mark.parametrize(
    ("package", "extras"), [("telemetry", ()), ("worker", ("diffusers", "s3"))]
)
def test_every_import_is_of_a_declared_dependency(package: str, extras: tuple[str, ...]) -> None:
    """What another dependency happens to bring may be gone with its next version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = declared(project["dependencies"]).union(
        *(declared(project["optional-dependencies"][extra]) for extra in extras)
    )
    used = {distribution_of(name) for name in imported(package)} - {""}
    assert used - asked == set()


@pytest.mark.parametrize(
    "module",
    ["worker.cli", "worker.composition", "worker.supervisor.supervisor", "worker.cli.enqueue"],
)
def test_what_supervises_loads_no_torch(module: str) -> None:
    """Neither it nor anything that it imports."""
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_exception_from_a_rule_has_a_code_and_a_reason() -> None:
    """`noqa: CODE - reason`, `type: ignore[code]  # reason`."""
    marks = re.compile(r"# (noqa|type: ignore).*")
    right = re.compile(
        r"# (noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* [-(]|type: ignore\[[a-z, -]+\] +# \S)"
    )
    wrong = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in sources(*PACKAGES, "tools", "tests")
        for line in path.read_text().splitlines()
        if (found := marks.search(line)) and not right.match(found[0])
    ]
    assert wrong == []


def test_no_file_holds_a_path_of_this_machine() -> None:
    """A checkout works wherever it lies."""
    here = re.compile(rf"({re.escape(str(ROOT))}|{re.escape(str(Path.home()))})/\w")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in own_files()
        for line in path.read_text(errors="replace").splitlines()
        if here.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "tools.txt"])
def test_requirements_are_pinned_with_hashes_and_name_no_address(name: str) -> None:
    """What is installed is what was tested, from whichever index."""
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==\S+( ; .*)? \\$", pin), pin


def test_the_base_requirements_have_no_torch() -> None:
    """The supervisor's machine may be small."""
    text = (ROOT / "requirements" / "base.txt").read_text()
    assert not re.search(rf"^({'|'.join(HEAVY)})==", text, re.MULTILINE)


def test_everything_that_is_asked_for_is_pinned() -> None:
    """`make lock` was run after the last change to pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "base.txt": project["project"]["dependencies"],
        "dev.txt": [
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["diffusers"],
            *project["dependency-groups"]["dev"],
            *project["dependency-groups"]["tools"],
        ],
        "tools.txt": project["dependency-groups"]["tools"],
    }
    for name, requirements in asked.items():
        text = (ROOT / "requirements" / name).read_text()
        for requirement in requirements:
            [distribution] = declared([requirement])
            assert re.search(rf"^{re.escape(distribution)}==", text, re.MULTILINE), requirement


def test_the_demos_pictures_ship_with_the_package() -> None:
    """Those of its story and no others, small."""
    pictures = sorted((ROOT / "worker" / "demo" / "pictures").iterdir())
    assert [path.stem for path in pictures] == list(NAMES)
    assert all(path.stat().st_size < 50_000 for path in pictures)


def test_the_licence_is_the_one_that_the_project_names() -> None:
    """Whole."""
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_make_target_in_the_documents_exists() -> None:
    """A command that one copies must work."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for document in ROOT.glob("*.md"):
        named = re.findall(r"^(?:\$ )?make ([a-z]+)", document.read_text(), re.MULTILINE)
        assert set(named) <= targets, document.name
