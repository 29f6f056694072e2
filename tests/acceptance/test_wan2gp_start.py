"""A checkout that will not do is refused before anything is claimed; what is odd in it is said."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry import names
from tests.acceptance.home import Home
from tests.acceptance.wan2gp_home import Driven, driven, ended, logs_of, spans_by_task
from tests.standins.checkouts import KINDS, Kind
from tests.worker.engines.wan2gp import pythons
from worker.task import TaskStatus

pytestmark = pytest.mark.timeout(900)

CHECKOUT, PYTHON = "LOOP26_WAN2GP_CHECKOUT", "LOOP26_WAN2GP_PYTHON"
# An executable that says of itself that it is one that is too old, where there is none to be had.
OLD = """
import json
told = dict.fromkeys(("executable", "prefix", "base_prefix", "cache_tag", "abi", "platform"), "")
print("loop26:" + json.dumps({**told, "version": "3.10.13"}))
"""


@pytest.fixture
def driving(tmp_path: Path, standin_python: Path) -> Iterator[Driven]:
    """Give a home and a new checkout."""
    with driven("functions", tmp_path, standin_python) as made:
        yield made


def refused(driving: Driven) -> str:
    """Run a worker that must refuse to start; return the one line that says why."""
    (task_id,) = driving.insert(driving.video())
    worker = driving.worker()
    assert worker.process.wait(timeout=120) == 78, worker.lines()
    [said] = [line for line in worker.lines() if line.get("level") != "info"]
    assert driving.home.task(task_id).status is TaskStatus.QUEUED
    assert driving.home.told(task_id) == ["inserted"]
    return str(said.get("message", said["event"]))


def test_no_checkout_is_refused(driving: Driven) -> None:
    """With the setting's name, and what to give it."""
    del driving.home.environment[CHECKOUT]
    said = refused(driving)
    assert "wan2gp_checkout" in said
    assert CHECKOUT in said


def test_a_folder_that_is_no_checkout_is_refused(driving: Driven, tmp_path: Path) -> None:
    """By its path: it holds no wgp.py."""
    driving.home.environment[CHECKOUT] = str(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    said = refused(driving)
    assert str(tmp_path / "empty") in said
    assert "wgp.py" in said


def test_python_3_10_is_refused_by_name(driving: Driven, tmp_path: Path) -> None:
    """With what it is, what is needed, and what to do."""
    old = next(pythons.real(10), None) or pythons.script(tmp_path / "python3.10", OLD)
    driving.home.environment[PYTHON] = str(old)
    said = refused(driving)
    assert "3.10." in said
    assert "3.11" in said
    assert str(old) in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_that_cannot_be_imported_is_refused(
    kind: Kind, tmp_path: Path, standin_python: Path
) -> None:
    """With what it raised, and its line."""
    with driven(kind, tmp_path, standin_python) as driving:
        driving.checkout.break_with("no-cuda")
        file, line = driving.checkout.line_of("no-cuda")
        said = refused(driving)
        assert "RuntimeError: No CUDA GPUs are available" in said
        assert f"{file}:{line}" in said


def test_a_stale_cache_of_settings_is_said(driving: Driven) -> None:
    """In the task's log and on the call, by the file's name; the task is done."""
    cache = driving.checkout.root / "settings" / "i2v_standin_settings.json"
    worker = driving.worker()
    driving.settled(worker, driving.video())
    definition = driving.checkout.root / "defaults" / "i2v_standin.json"
    newer = cache.stat().st_mtime_ns + 10**9
    os.utime(definition, ns=(newer, newer))
    task = driving.settled(worker, driving.video())
    ended(worker)
    assert task.status is TaskStatus.COMPLETE
    [call] = [
        span
        for span in spans_by_task(driving.home)[str(task.id)]
        if span.name == names.engine("default_settings")
    ]
    said = call.attributes[f"{names.ENGINE_RESULT}cache_stale"]
    assert str(cache) in said
    assert any(said in log.message for log in logs_of(driving.home, task.id))


def test_an_unknown_parameter_is_passed_over_with_a_warning(driving: Driven) -> None:
    """It is named on the call, too."""
    worker = driving.worker()
    task = driving.settled(worker, driving.video(guidence_scale=3))
    ended(worker)
    assert task.status is TaskStatus.COMPLETE
    assert warned(driving.home, task.id, "guidence_scale")


def test_an_unknown_parameter_is_refused_where_that_is_asked(driving: Driven) -> None:
    """By its name, with the nearest that there is."""
    worker = driving.worker("--set", "unknown_params=refuse")
    task = driving.settled(worker, driving.video(guidence_scale=3))
    ended(worker)
    assert task.status is TaskStatus.FAILED
    assert "guidence_scale" in (task.error_message or "")
    assert "guidance_scale" in (task.error_message or "")


def warned(home: Home, task_id: Any, word: str) -> bool:
    """Whether a warning of a task has a word in it."""
    warnings = [log for log in logs_of(home, task_id) if log.severity >= 13]
    return any(word in log.message for log in warnings)
