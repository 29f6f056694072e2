"""The package as a stranger installs it: a wheel, the base requirements, an empty environment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"


def done(*argv: object, cwd: Path) -> str:
    """Run a program that must succeed; return what it printed."""
    process = subprocess.run(
        [str(part) for part in argv], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def uv(*argv: object) -> str:
    """Run uv with what pip is configured with here."""
    return done(sys.executable, ROOT / "tools" / "uv_like_pip.py", *argv, cwd=ROOT)


@pytest.mark.skipif(not UV.exists(), reason="needs uv beside python: `make setup` installs it")
@pytest.mark.timeout(600)
def test_the_base_install_works_without_torch(tmp_path: Path) -> None:
    """`loop26 --help`, the queue and the demo's clear refusal, from a wheel."""
    python = ("--python", sys.executable)
    uv("build", "--wheel", *python, "--no-build-isolation", "--out-dir", tmp_path / "dist", ROOT)
    [wheel] = (tmp_path / "dist").glob("loop26-*.whl")
    venv = tmp_path / "venv"
    uv("venv", "--quiet", *python, venv)
    installed = venv / "bin" / "python"
    requirements = ROOT / "requirements" / "base.txt"
    uv("pip", "install", "--quiet", "--python", installed, "--require-hashes", "-r", requirements)
    uv("pip", "install", "--quiet", "--python", installed, "--no-deps", wheel)
    loop26 = venv / "bin" / "loop26"
    assert "loop26 demo" in done(loop26, "--help", cwd=tmp_path)
    params = {"model": "tiny_t2v", "prompt": "a lake"}
    (tmp_path / "task.json").write_text(json.dumps({"task_type": "t2v", "params": params}))
    done(loop26, "--home", "home", "enqueue", "task.json", cwd=tmp_path)
    assert "t2v" in done(loop26, "--home", "home", "tasks", cwd=tmp_path)
    listed = done(
        installed, "-c", "import importlib.util as u; print(u.find_spec('torch'))", cwd=venv
    )
    assert listed.strip() == "None"
    demo = subprocess.run(
        [loop26, "--home", "home", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode != 0
    assert "Traceback" not in demo.stderr
    assert "loop26[diffusers]" in demo.stderr
