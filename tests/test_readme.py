"""The README's commands, run as they stand, from the first to the last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def commands(document: str) -> str:
    """Join a document's `sh` blocks into one script; make is tested where it is used."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL
    )
    lines = [line for block in blocks for line in block.splitlines()]
    return "\n".join(line for line in lines if not line.startswith("make "))


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
    assert (tmp_path / "trace.json").read_text().startswith("{")
