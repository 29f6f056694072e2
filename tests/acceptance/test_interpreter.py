"""A worker whose checkout's interpreter will not do ends at once, and says what would."""

import json
from pathlib import Path

import pytest

from tests.acceptance.home import Home, a_quick_task
from tests.worker.engines.wan2gp.pythons import THEIRS, installed, separate
from worker.errors import EXIT_CONFIGURATION
from worker.task import TaskStatus


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Give options that name a checkout and an interpreter that are both only begun."""
    python = separate(tmp_path / "env", *THEIRS)
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "wgp.py").touch()
    given = ("engine=wan2gp", f"wan2gp_checkout={tmp_path}/checkout", f"wan2gp_python={python}")
    return [part for one in given for part in ("--set", one)]


def test_a_package_that_is_too_old_there_ends_the_worker_by_its_name(
    home: Home, tmp_path: Path, options: list[str]
) -> None:
    """After one start, not three; the task is nobody's."""
    [task] = home.enqueue(a_quick_task())
    installed(tmp_path / "env" / "bin" / "python", "msgspec", "0.11.0")
    done = home.run(*options, "run")
    assert done.returncode == EXIT_CONFIGURATION
    errors = [
        said["message"]
        for said in map(json.loads, done.stdout.splitlines())
        if said["level"] == "error"
    ]
    assert len(errors) == 1
    assert errors[0].startswith("the task process cannot start: wan2gp_python = ")
    assert "msgspec 0.11.0 at " in errors[0]
    assert (home.task(task).status, home.task(task).attempts) == (TaskStatus.QUEUED, 0)
