"""The README's commands, run as they stand, from the first to the last."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from worker import errors
from worker.cli.run import run
from worker.engines.wan2gp import licence
from worker.settings import Settings

ROOT = Path(__file__).parents[1]
NO_SETTINGS = {"name", "eta_s", "quiet_s"}  # a placeholder, fields of an event and of a row


def commands(document: str) -> str:
    """Join a document's `sh` blocks into one script; make is tested where it is used."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL
    )
    lines = [line for block in blocks for line in block.splitlines()]
    return "\n".join(line for line in lines if not line.startswith("make "))


@pytest.mark.parametrize(
    "document",
    [
        "CONTRIBUTING.md",
        "README.md",
        "docs/benchmarks.md",
        "docs/collector.md",
        "docs/demo-model.md",
        "docs/deploying.md",
        "docs/drills.md",
        "docs/first-gpu-run.md",
        "docs/investigating.md",
        "docs/jaeger.md",
        "docs/metrics.md",
        "docs/operating.md",
        "docs/outputs.md",
        "docs/parameters.md",
        "docs/replay.md",
        "docs/shared-queue.md",
        "docs/tasks.md",
        "docs/wan2gp.md",
    ],
)
def test_every_path_in_the_documents_is_there(document: str) -> None:
    """Modules move; what tells where they are moves with them."""
    named = re.findall(
        r"`((?:worker|telemetry|tests|docs|tools|engines|handlers)/[\w./]*)`",
        (ROOT / document).read_text(),
    )
    assert [
        path for path in named if not any((top / path).exists() for top in (ROOT, ROOT / "worker"))
    ] == []


def test_every_picture_of_the_readme_is_there_and_small() -> None:
    """`python -m tools.draw_readme_pictures` makes them out of what the demo left."""
    shown = re.findall(r"!\[[^\]]+\]\((.+)\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == ["docs/pictures/contact-sheet.png", "docs/pictures/report.png"]
    for picture in shown:
        assert (ROOT / picture).stat().st_size <= 250_000, picture
        with Image.open(ROOT / picture) as opened:
            assert opened.width > 1000


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Those into the checkout."""
    linked = re.findall(r"\]\(([^):]+)\)", (ROOT / "README.md").read_text())
    assert len(linked) > 10
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_the_tables_of_the_parameters_are_those_of_the_code() -> None:
    """`make docs` writes them."""
    tool = runpy.run_path(str(ROOT / "tools" / "write_parameter_tables.py"))
    page = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["written"](page) == page
    assert page.count("<!-- generated: ") == len(tool["_TABLES"])


def test_the_schema_of_a_report_is_that_of_the_code() -> None:
    """`make docs` writes it."""
    tool = runpy.run_path(str(ROOT / "tools" / "write_report_schema.py"))
    assert tool["written"]() == tool["PAGE"].read_text(encoding="utf-8")


def test_every_exit_code_of_a_worker_is_explained() -> None:
    """In the table for operators, and in the command's own help."""
    codes = {str(value) for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert len(codes) == 6
    table = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE)
    helped = re.findall(r"^ +(\d+)  ", run.__doc__ or "", re.MULTILINE)
    assert codes <= set(table)
    assert codes == set(helped)


@pytest.mark.parametrize("document", ["README.md", "docs/wan2gp.md"])
def test_what_is_told_of_a_licence_is_told_in_its_words(document: str) -> None:
    """Those that `loop26 --version`, `run` and `doctor` have, too."""
    text = " ".join((ROOT / document).read_text().split())
    assert licence.DISCLOSURE in text
    assert licence.NOTICE in text


def test_the_first_checks_are_the_same_everywhere() -> None:
    """The README has each that docs/wan2gp.md explains."""
    listed = re.findall(r"^(\d+)\. ", (ROOT / "README.md").read_text(), re.MULTILINE)
    explained = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "wan2gp.md").read_text(), re.MULTILINE)
    assert listed == explained != []


def test_every_setting_in_the_documents_exists() -> None:
    """By the settings' names in the text, their variables, and what follows `--set`."""
    text = "\n".join(
        (ROOT / name).read_text() for name in ("README.md", "docs/operating.md", "docs/wan2gp.md")
    )
    named = re.findall(r"`(\w+_(?:s|mb|days|tasks|deaths|dirs|roots|prompts|addresses))\b", text)
    named += [name.lower() for name in re.findall(r"\bLOOP26_(\w+)", text)]
    named += re.findall(r"--set (\w+)=\w", text)
    assert len(named) > 10
    assert set(named) - {*Settings.model_fields, *NO_SETTINGS} == set()


@pytest.mark.timeout(300)
def test_the_commands_of_the_readme_work(tmp_path: Path) -> None:
    """Each of them, in an empty folder, and they leave what the text says."""
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands("README.md")],
        cwd=tmp_path,
        env={"PATH": search, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Four pictures became a video" in done.stdout
    assert "refused with exit code 2" in done.stdout
    assert "'t2w'" in done.stderr
    assert len(list((tmp_path / ".demo" / "outputs").glob("*/*.mp4"))) == 5
    assert str(tmp_path / ".demo" / "incident.html") in done.stdout
    with Image.open(tmp_path / ".demo" / "contact-sheet.png") as sheet:
        assert min(sheet.size) > 500
    assert (tmp_path / "trace.json").read_text().startswith("{")
    assert "'NoneType' object has no attribute 'get'" in done.stdout
    assert "Drill segfault: right" in done.stdout
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
