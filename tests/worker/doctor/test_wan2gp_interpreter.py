"""The interpreter of a checkout under examination: real ones, with stand-ins for its packages."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.cache import Unavailable
from tests.standins.checkouts import make_checkout
from tests.standins.interpreter import standin_python
from worker.doctor.engine import examine_engine
from worker.doctor.finding import Finding, Verdict
from worker.doctor.wan2gp_interpreter import examine_interpreter
from worker.settings import Settings

Examine = Callable[..., dict[str, Finding]]
TORCH = """
import warnings
__version__ = "2.7.1"
class version:
    cuda = "12.8"
class _Sum:
    def sum(self): return self
    def item(self): return 28
def arange(count, device): return _Sum()
class device:
    def __init__(self, name): self.index = int(name.partition(":")[2] or 0)
class cuda:
    def init(): ...
    def device_count(): return 2
    def get_device_name(index): return f"a stand-in's GPU {index}"
"""
TOO_OLD_DRIVER = """
def init():
    warnings.warn("CUDA initialization: the driver is too old (found version 11040)")
    raise RuntimeError("CUDA driver initialization failed")
cuda.init = init
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("interpreter") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


@pytest.fixture
def packages(environment: Path) -> Path:
    """Where its packages are, and none is yet."""
    [folder] = environment.glob("lib/python*/site-packages")
    for entry in folder.iterdir():  # Python leaves what it has compiled there, too
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return folder


@pytest.fixture
def examine(tmp_path: Path, environment: Path) -> Examine:
    """Examine it; return the findings by their names."""

    def examine(**said: object) -> dict[str, Finding]:
        given: dict[str, object] = {"wan2gp_python": environment / "bin" / "python"}
        settings = Settings.model_validate({"home": tmp_path, "engine": "wan2gp", **given, **said})
        return {found.name: found for found in examine_interpreter(settings)}

    return examine


@pytest.fixture(scope="session")
def standin() -> Path:
    """The interpreter of the stand-in checkouts, whose packages conflict with ours."""
    try:
        return standin_python()
    except Unavailable as reason:
        pytest.skip(str(reason))


def program(folder: Path, text: str) -> Path:
    """Make a program that stands for an interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_an_interpreter_that_is_not_set_is_an_error(examine: Examine) -> None:
    """With the setting's name, and nothing else is said."""
    found = examine(wan2gp_python=None)
    assert list(found) == ["interpreter"]
    assert found["interpreter"].verdict is Verdict.ERROR
    assert "LOOP26_WAN2GP_PYTHON" in found["interpreter"].advice


def test_one_that_is_not_there_is_an_error(examine: Examine, tmp_path: Path) -> None:
    """With its path."""
    found = examine(wan2gp_python=tmp_path / "none")
    assert list(found) == ["interpreter"]
    assert str(tmp_path / "none") in found["interpreter"].found


def test_what_is_no_interpreter_is_an_error(examine: Examine, tmp_path: Path) -> None:
    """It is told what it said."""
    found = examine(wan2gp_python=program(tmp_path, "echo no such thing >&2; exit 3"))
    assert "exit 3: no such thing" in found["interpreter"].found


def test_python_3_10_is_refused_by_name(examine: Examine, tmp_path: Path) -> None:
    """It is past its end of life; nothing more of it is looked at."""
    said = (
        '{"version": "3.10.14", "executable": "", "prefix": "", "base_prefix": "", '
        '"cache_tag": "cpython-310", "abi": "", "platform": ""}'
    )
    found = examine(wan2gp_python=program(tmp_path, f"echo 'loop26:{said}'"))
    assert list(found) == ["interpreter"]
    assert found["interpreter"].verdict is Verdict.ERROR
    assert "is Python 3.10.14, and loop26 needs 3.11" in found["interpreter"].found


def test_what_the_checkout_needs_is_the_operators_to_install(
    examine: Examine, packages: Path
) -> None:
    """An empty environment lacks it, and is told how to have it."""
    del packages
    found = examine()["packages"]
    assert found.verdict is Verdict.ERROR
    assert found.found.startswith("not there: numpy, PIL, torch, ")
    assert "-m pip install -r" in found.advice


def test_what_loop26_needs_it_brings_along(examine: Examine, packages: Path) -> None:
    """Into an empty environment all of it, from ours, with its version."""
    del packages
    found = examine()["what loop26 needs there"]
    assert found.verdict is Verdict.OK
    assert found.found.startswith("theirs: none; brought along: ")
    assert "msgspec 0." in found.found


def test_what_they_have_wins(examine: Examine, standin: Path) -> None:
    """Whose copy it gets is said of each."""
    theirs, _, brought = examine(wan2gp_python=standin)["what loop26 needs there"].found.partition(
        "; brought along: "
    )
    assert "typing-extensions 4.9.0" in theirs
    assert "typing-extensions" not in brought
    assert "msgspec" in brought


def test_a_name_of_ours_that_they_have_is_an_error(examine: Examine, packages: Path) -> None:
    """Ours would not be found behind it."""
    (packages / "telemetry.py").touch()
    found = examine()["what loop26 needs there"]
    assert found.verdict is Verdict.ERROR
    assert "has the name 'telemetry', which is loop26's own" in found.found


def test_one_that_is_too_old_is_named(examine: Examine, packages: Path) -> None:
    """With where it is, and which version would do."""
    (packages / "msgspec.py").touch()
    metadata = packages.parent / "told"  # beside: the fixture removes files
    metadata.mkdir()
    (packages / "told.pth").write_text(f"{metadata}\n")
    (metadata / "msgspec-0.9.dist-info").mkdir()
    said = "Metadata-Version: 2.1\nName: msgspec\nVersion: 0.9\n"
    (metadata / "msgspec-0.9.dist-info" / "METADATA").write_text(said)
    found = examine()["what loop26 needs there"]
    assert found.verdict is Verdict.ERROR
    assert f"msgspec 0.9 at {packages / 'msgspec.py'} is too old" in found.found


def test_without_torch_there_is_no_gpu(examine: Examine, packages: Path) -> None:
    """With what to install."""
    del packages
    found = examine()["GPU"]
    assert found.verdict is Verdict.ERROR
    assert "No module named 'torch'" in found.found
    assert "built for CUDA" in found.advice


def test_a_gpu_that_computes_is_named(examine: Examine, packages: Path) -> None:
    """With torch's version, what it is built for, and how many there are."""
    (packages / "torch.py").write_text(TORCH)
    found = examine()["GPU"]
    assert found.verdict is Verdict.OK
    assert found.found == "torch 2.7.1 for CUDA 12.8 computes on a stand-in's GPU 0, number 0 of 2"


def test_the_device_that_is_set_is_asked(examine: Examine, packages: Path) -> None:
    """By its number."""
    (packages / "torch.py").write_text(TORCH)
    assert "on a stand-in's GPU 1, " in examine(device="cuda:1")["GPU"].found


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("version.cuda = None", "is built without CUDA"),
        (TOO_OLD_DRIVER, "the driver is too old (found version 11040)"),
        ("_Sum.item = lambda self: 0", "it adds 0 to 7 up to 0"),
        ("import os; os.abort()", "Aborted (signal 6)"),
        ("raise SystemExit(3)", "exit 3"),
        ("raise SystemExit(0)", "exit 0"),
        ("raise OSError('libcudart.so.12: no such file')", "libcudart.so.12: no such file"),
        ("print('loop26', end='')\nversion.cuda = None", "is built without CUDA"),
    ],
)
def test_what_torch_says_is_told(examine: Examine, packages: Path, more: str, said: str) -> None:
    """Also where it takes its process along."""
    (packages / "torch.py").write_text(f"{TORCH}\n{more}\n")
    found = examine()["GPU"]
    assert found.verdict is Verdict.ERROR
    assert said in found.found
    assert found.advice


def test_a_torch_that_does_not_answer_is_not_waited_for(
    examine: Examine, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ever, that is."""
    monkeypatch.setattr("worker.doctor.wan2gp_interpreter._CUDA_ANSWER_S", 0.5)
    (packages / "torch.py").write_text("import threading; threading.Event().wait()")
    assert "does not answer within" in examine()["GPU"].found


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("functions", "generate_video with 107 parameters"),
        ("media_functions", "generate_media with 118 parameters"),
        ("session", "official session (shared/api.py), over generate_media with 118 parameters"),
    ],
)
def test_each_generation_is_found_by_looking(
    tmp_path: Path, standin: Path, kind: str, api: str
) -> None:
    """In whole checkouts, with version and commit, and their models."""
    checkout = make_checkout(kind, tmp_path / "checkout")  # type: ignore[arg-type]  # one of its kinds
    settings = Settings(
        home=tmp_path / "home",
        engine="wan2gp",
        wan2gp_checkout=checkout.root,
        wan2gp_python=standin,
    )
    found = {each.name: each for each in examine_engine(settings)}
    assert found["API"].found == api
    assert found["version"].found.endswith(f"commit {checkout.commit[:12]}")
    assert found["models"].found == "3 models"
    assert found["interpreter"].found.startswith(f"{standin}, Python 3.11.")
