"""The Dockerfile: linted, and each of its steps that runs without a Docker is run."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.conftest import Checked
from tests.deploy.files import image, instructions, last_stage
from tests.servers.cache import ROOT, Unavailable, run

# Of the base image, Ubuntu 24.04.
PYTHON = "3.12"
GLIBC = "x86_64-manylinux_2_39"


def copied() -> list[list[str]]:
    """Return what is copied from the repository: the sources of each COPY, and its destination."""
    return [
        rest.split()
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from=")
    ]


def steps(begin: str) -> list[str]:
    """Return the RUN instructions in which a command begins so, without what only Docker knows."""
    lines = [re.sub(r"--mount=\S+ *", "", rest) for word, rest in instructions() if word == "RUN"]
    return [line for line in lines if begin in line]


def run_environment(*unset: str) -> dict[str, str]:
    """Return what the image's ENV says."""
    found = dict(re.findall(r'(\w+)="?([^" ]+)', image("ENV")))
    return {name: value for name, value in found.items() if name not in unset}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty folder, and copy into it what the image gets, as .dockerignore lets it."""
    folder = tmp_path_factory.mktemp("context")
    for *sources, _ in copied():
        for source in sources:
            into = folder / source
            into.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, into)
    return folder


@pytest.fixture(scope="module")
def package(context: Path) -> Path:
    """Build the package by the Dockerfile's own command; return the folder of the wheel."""
    [command] = steps("pip wheel")
    pip, *rest = shlex.split(command)
    assert pip == "/opt/tools/bin/pip"
    wheels = context / "wheels"
    said = [str(wheels) if part == "/wheels" else part for part in rest]
    run([sys.executable, "-m", "pip", *said], context)
    return wheels


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel by the Dockerfile's options, into a folder of its own."""
    [command] = steps("pip install --no-cache-dir")
    _, _, *options, _ = shlex.split(command)
    folder = tmp_path_factory.mktemp("installed")
    [wheel] = package.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    run([*pip, *options, "--target", str(folder), str(wheel)], folder)
    return folder


def test_hadolint_has_nothing_to_say(tools: Checked) -> None:
    """And is told to pass over one rule alone, with a reason beside it."""
    done = tools("hadolint", "Dockerfile", cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")
    ignored = re.findall(r"hadolint ignore=(\S+)", (ROOT / "Dockerfile").read_text())
    assert set(ignored) == {"DL3008"}


def test_everything_that_is_copied_is_there_and_let_in() -> None:
    """.dockerignore keeps out all but what the Dockerfile copies."""
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    sources = {source for *sources, _ in copied() for source in sources}
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert {source.partition("/")[0] for source in sources} == let_in


def test_everything_that_is_copied_between_stages_is_made_in_one() -> None:
    """By their names."""
    stages = {rest.split()[-1] for word, rest in instructions() if word == "FROM"}
    froms = re.findall(r"(?:--from=|from=)(\w+)", "\n".join(rest for _, rest in instructions()))
    assert set(froms) == {"dependencies", "package"}
    assert set(froms) <= stages


def test_it_does_not_run_as_root() -> None:
    """By number, and unless it is built to."""
    assert image("USER") == "${WORKER_UID}:10001"
    assert ("ARG", "WORKER_UID=10001") in last_stage()


def test_it_runs_a_worker_under_an_init() -> None:
    """Which gets the signals, and has the command that loop26 has."""
    assert json.loads(image("ENTRYPOINT")) == ["tini", "--", "loop26"]
    assert json.loads(image("CMD")) == ["run"]
    assert any("tini" in step for step in steps("apt-get install"))


def test_the_home_and_the_models_are_volumes() -> None:
    """So that neither is gone with the container."""
    volumes = json.loads(image("VOLUME"))
    environment = run_environment()
    assert environment["LOOP26_HOME"] in volumes
    for name in ("HF_HOME", "XDG_CACHE_HOME"):
        assert any(Path(environment[name]).is_relative_to(volume) for volume in volumes), name
    [made] = steps("install --directory")
    assert all(volume in made for volume in volumes)


def test_dependencies_come_before_the_package() -> None:
    """A change of ours installs nothing of others anew, and moves one small layer."""
    rests = [rest for _, rest in instructions()]
    assert rests.index("requirements/worker.txt /requirements/") < rests.index("worker worker")
    late = [rest for word, rest in last_stage() if word in {"COPY", "RUN"}]
    assert [("/opt/loop26" in rest, "/wheels" in rest) for rest in late][-2:] == [
        (True, False),
        (True, True),
    ]


@pytest.mark.timeout(600)
def test_the_pins_can_be_installed_in_the_base_image(tmp_path: Path) -> None:
    """Each has a wheel for its Python and its libc, by hash. It is some GB: none is installed."""
    uv = [sys.executable, str(ROOT / "tools" / "uv_like_pip.py"), "pip", "install"]
    platform = ["--python-version", PYTHON, "--python-platform", GLIBC]
    strict = ["--require-hashes", "--only-binary", ":all:", "--dry-run"]
    pins = ["--target", str(tmp_path), "--requirement", "requirements/worker.txt"]
    try:
        run([*uv, *platform, *strict, *pins], ROOT)
    except Unavailable as reason:
        if "Failed to fetch" not in str(reason):
            raise
        pytest.skip("no index of packages can be reached")


@pytest.mark.timeout(600)
def test_the_entry_point_starts(installed: Path) -> None:
    """From the wheel, in an empty folder, with the image's environment."""
    done = command(installed, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: loop26" in done.stdout


@pytest.mark.timeout(600)
def test_a_worker_starts(installed: Path) -> None:
    """What the image runs, as far as the end of an empty queue."""
    done = command(installed, *json.loads(image("CMD")), "--until-idle")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"event":"ready"' in done.stdout.replace('": "', '":"')


@pytest.mark.timeout(600)
def test_the_health_check_runs_where_no_worker_does(installed: Path) -> None:
    """And says so by its exit code."""
    _, _, said = image("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(said)
    assert program == "loop26"
    done = command(installed, *arguments)
    assert done.returncode == 1
    assert "no worker runs here" in done.stdout


@pytest.mark.timeout(600)
def test_the_package_has_what_is_no_python(package: Path, installed: Path) -> None:
    """The migrations, the definitions of models, the demo's pictures, model and LoRAs."""
    assert list(package.glob("*.whl"))
    assert list(installed.glob("worker/store/supabase/migrations/0001_queue/*/tasks.sql"))
    assert list(installed.glob("worker/engines/definitions/*.json"))
    assert list(installed.glob("worker/demo/pictures/*"))
    assert list(installed.glob("worker/engines/trained/shapes_i2v/*/*.safetensors"))
    assert len(list(installed.glob("worker/engines/trained/shapes_loras/*.safetensors"))) == 3


def command(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run loop26 as it is in the wheel, with the dependencies of the tests."""
    home = installed / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, installed / "bin" / "loop26", *arguments],
        cwd=home,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(installed),
            "HOME": str(home),
            **run_environment("PATH", "LOOP26_HOME", "HF_HOME", "XDG_CACHE_HOME"),
            "LOOP26_HOME": str(home),
        },
        capture_output=True,
        text=True,
        check=False,
    )
