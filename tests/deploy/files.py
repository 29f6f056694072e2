"""The deployment files, read as what they are."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from tests.servers.cache import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
SCALING = KUBERNETES / "scaling"


def compose_file() -> dict[str, Any]:
    """Return docker-compose.yml as it is written, nothing filled in."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def version() -> str:
    """Return the version of loop26."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each on one line: its keyword, and what follows."""
    text = (ROOT / "Dockerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(word, rest) for line in joined.splitlines() if line for word, _, rest in [_cut(line)]]


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of what is shipped: those after the last FROM."""
    found = instructions()
    begin = max(at for at, (word, _) in enumerate(found) if word == "FROM")
    return found[begin:]


def image(keyword: str) -> str:
    """Return what an instruction of the last stage says."""
    [found] = [rest for word, rest in last_stage() if word == keyword]
    return found


def manifests() -> list[dict[str, Any]]:
    """Return every object that Kubernetes is given, but for those that kustomize makes."""
    named = [BASE / name for name in kustomization(BASE)["resources"]]
    named += [SCALING / name for name in kustomization(SCALING)["resources"] if name != "../base"]
    return [found for path in named for found in yaml.safe_load_all(path.read_text())]


def manifest(kind: str, name: str) -> dict[str, Any]:
    """Return one of them."""
    [found] = [
        each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)
    ]
    return found


def kustomization(folder: Any) -> dict[str, Any]:
    """Return what kustomize is told of a folder."""
    found: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


def container(name: str) -> dict[str, Any]:
    """Return the only container of a Deployment."""
    [found] = manifest("Deployment", name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def variables(path: str, *, unset: bool = True) -> dict[str, str]:
    """Return what a file of NAME=value says; with `unset` also what it shows commented out."""
    mark = "#?" if unset else ""
    text = (ROOT / path).read_text()
    return dict(re.findall(rf"^{mark}([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def interpolated(value: Any) -> Iterator[tuple[str, str]]:
    """Find `${NAME}` and `${NAME:-default}` in all texts of a value; the name, and the default."""
    text = json.dumps(value).replace("$$", "")
    yield from re.findall(r"\$\{(\w+)(?::-([^}]*))?\}", text)


def runpod_template() -> dict[str, Any]:
    """Return what RunPod is told."""
    found: dict[str, Any] = json.loads((ROOT / "deploy" / "runpod" / "template.json").read_text())
    return found


def _cut(line: str) -> tuple[str, str, str]:
    return line.partition(" ")
