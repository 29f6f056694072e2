"""What is deployed is what the tests run: the same versions of everything, in every file."""

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.files import (
    BASE,
    compose_file,
    container,
    image,
    instructions,
    kustomization,
    last_stage,
    runpod_template,
    version,
)
from tests.servers.cache import ROOT
from tests.servers.supabase.postgrest import PACKAGE

if TYPE_CHECKING:
    from tests.servers.supabase.server import Supabase


def tag(service: str) -> str:
    """Return the version of a service's image."""
    return str(compose_file()["services"][service]["image"]).partition(":")[2]


def pinned(file: str) -> dict[str, str]:
    """Return the pins of a file of requirements; where one has several, they are by Python."""
    text = (ROOT / "requirements" / file).read_text()
    found: dict[str, Any] = {}
    for name, at, marker in re.findall(r"^([a-z0-9._-]+)==(\S+)( ;.*?)? \\$", text, re.MULTILINE):
        found[name] = found.get(name, "") + at + marker
    return found


def test_every_image_is_pinned_to_a_version() -> None:
    """None is whatever is newest today."""
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM" and ":" in rest]
    images = [service["image"] for service in compose_file()["services"].values()]
    images.append(container("collector")["image"])
    assert len(bases) == 1
    for found in [*bases, *images]:
        assert re.search(r":v?\d+\.\d+", found), found


def test_loop26_has_one_version() -> None:
    """That of its package."""
    for service in ("worker", "worker-cpu", "operator", "migrate"):
        assert tag(service) == version()
    [image_of_pods] = kustomization(BASE)["images"]
    assert image_of_pods == {"name": container("worker")["image"], "newTag": version()}
    assert runpod_template()["imageName"] == f"REGISTRY/loop26:{version()}-root"
    assert ("ARG", f"VERSION={version()}") in last_stage()
    assert 'image.version="$VERSION"' in image("LABEL")


def test_jaeger_is_the_one_that_is_built() -> None:
    """Release 2.N is the module v1.N+63."""
    module = (ROOT / "tests" / "servers" / "jaeger" / "go.mod").read_text()
    [built] = re.findall(r"github\.com/jaegertracing/jaeger v1\.(\d+)\.(\d+)", module)
    assert tag("jaeger") == f"2.{int(built[0]) - 63}.{built[1]}"


def test_the_collector_is_the_one_that_is_built() -> None:
    """Every component of it, and in Kubernetes too."""
    module = (ROOT / "tests" / "servers" / "collector" / "go.mod").read_text()
    built = set(re.findall(r"collector-contrib/\S+ v(\d\S+)", module.partition(")")[0]))
    assert built == {tag("collector")}
    assert container("collector")["image"] == compose_file()["services"]["collector"]["image"]


def test_bugsink_is_the_one_that_is_installed() -> None:
    """By its pin."""
    assert tag("bugsink") == pinned("bugsink.txt")["bugsink"]


def test_postgrest_is_the_one_that_is_fetched() -> None:
    """By its package, which counts its own builds after a dash."""
    assert f"v{PACKAGE.rpartition('@')[2].partition('-')[0]}" == tag("postgrest")


def test_postgresql_is_the_one_that_is_tested(supabase_server: "Supabase") -> None:
    """As it says itself."""
    with supabase_server.connect() as connection:
        found = connection.execute("show server_version").fetchone()
    assert found is not None
    assert tag("postgres") == tag("login") == found[0]


def test_the_image_has_the_libraries_that_are_tested() -> None:
    """What is pinned for it is pinned for the tests, and nothing else is in it."""
    image_pins, test_pins = pinned("worker.txt"), pinned("dev.txt")
    assert {"torch", "diffusers", "boto3"} <= set(image_pins)
    differing = {name: at for name, at in image_pins.items() if test_pins.get(name) != at}
    assert differing == {}


def test_the_image_has_all_that_loop26_asks_for() -> None:
    """`make lock` was run after the last change to pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["diffusers"], *extras["s3"]]
    names = {re.split(r"[<>=\[]", requirement)[0] for requirement in asked}
    assert names - set(pinned("worker.txt")) == set()


@pytest.mark.parametrize("name", ["worker.txt", "deploy.txt", "compose.txt"])
def test_requirements_are_pinned_with_hashes_and_name_no_address(name: str) -> None:
    """From whichever index."""
    text = (ROOT / "requirements" / name).read_text()
    assert pinned(name)
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pinned(name))


def test_cuda_of_the_base_is_no_newer_than_torchs() -> None:
    """A driver that is new enough for the base is then new enough for torch."""
    [base] = re.findall(r"nvidia/cuda:(\d+)\.(\d+)\.\d+-base-", str(instructions()[0]))
    torchs = pinned("worker.txt")["nvidia-cuda-runtime"].split(".")
    assert base[0] == torchs[0]
    assert int(base[1]) <= int(torchs[1])
