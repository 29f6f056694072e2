"""The commands where the engine is an operator's checkout of Wan2GP."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from worker.engines.wan2gp.licence import DISCLOSURE, NOTICE

from .conftest import Run
from .test_commands import refused, written

if TYPE_CHECKING:
    from worker.store.local import LocalStore

TASK: dict[str, Any] = {"task_type": "t2v", "params": {"model": "lake", "prompt": "a lake"}}
STITCH: dict[str, Any] = {
    "task_type": "travel_stitch",
    "params": {"num_total_segments_generated": 2},
    "dependant_on": ["00000000-0000-0000-0000-000000000001"],
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one model, named by the settings."""
    folder = tmp_path / "checkout"
    (folder / "defaults").mkdir(parents=True)
    (folder / "wgp.py").write_text("def generate_media(task, send_cmd, state): ...\n")
    model = {"model": {"name": "A lake", "architecture": "t2v"}, "num_inference_steps": 7}
    (folder / "defaults" / "lake.json").write_text(json.dumps(model))
    monkeypatch.setenv("LOOP26_ENGINE", "wan2gp")
    monkeypatch.setenv("LOOP26_WAN2GP_CHECKOUT", str(folder))
    return folder


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The checkout is on another machine."""
    monkeypatch.setenv("LOOP26_ENGINE", "wan2gp")
    monkeypatch.setenv("LOOP26_WAN2GP_CHECKOUT", str(tmp_path / "none"))


def resolved(run: Run, tmp_path: Path, task: Any) -> Any:
    """Resolve a task."""
    return json.loads(run("resolve", "--json", written(tmp_path, task)).out)


def test_a_task_is_planned_by_the_checkouts_files(run: Run, tmp_path: Path, checkout: Path) -> None:
    """With the defaults that stand there."""
    del checkout
    answer = resolved(run, tmp_path, TASK)
    said = {param["name"]: (param["value"], param["source"]) for param in answer["params"]}
    assert said["num_inference_steps"] == (7, "model")
    assert answer["warnings"] == []


def test_a_model_that_the_checkout_lacks_is_refused(
    run: Run, tmp_path: Path, checkout: Path
) -> None:
    """Before anything is inserted, with the nearest."""
    del checkout
    task = {**TASK, "params": {**TASK["params"], "model": "laek"}}
    refused(run("enqueue", written(tmp_path, task)), "'laek'", "did you mean 'lake'?")


def test_a_damaged_model_file_is_named(run: Run, tmp_path: Path, checkout: Path) -> None:
    """Where a task names its model."""
    (checkout / "defaults" / "lake.json").write_text("{")
    refused(run("enqueue", written(tmp_path, TASK)), "lake.json")


def test_what_only_the_engine_knows_is_left_to_it(
    run: Run, tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that no file names is not refused here, whatever unknown_params says."""
    del checkout
    monkeypatch.setenv("LOOP26_UNKNOWN_PARAMS", "refuse")
    task = {**TASK, "params": {**TASK["params"], "its_own_key": 3}}
    assert run("enqueue", written(tmp_path, task)).code == 0


@pytest.mark.usefixtures("elsewhere")
def test_where_the_checkout_is_not_any_model_is_taken(
    run: Run, tmp_path: Path, store: "LocalStore"
) -> None:
    """And it is said that none could be looked up."""
    done = run("enqueue", written(tmp_path, TASK))
    assert done.code == 0
    assert done.err.startswith("warning: no model could be looked up here")
    assert len(store.list_tasks()) == 1
    [warning] = resolved(run, tmp_path, TASK)["warnings"]
    assert warning.startswith("no model could be looked up here")


@pytest.mark.usefixtures("elsewhere")
def test_an_empty_name_is_refused_there_too(run: Run, tmp_path: Path) -> None:
    """It is no model's anywhere."""
    task = {**TASK, "params": {**TASK["params"], "model": ""}}
    refused(run("enqueue", written(tmp_path, task)), "unknown model ''")


@pytest.mark.usefixtures("elsewhere")
def test_a_task_without_a_model_needs_none_looked_up(run: Run, tmp_path: Path) -> None:
    """A stitch generates nothing."""
    assert resolved(run, tmp_path, STITCH)["warnings"] == []


def test_the_doctor_looks_at_it_without_a_queue(run: Run, checkout: Path, home: Path) -> None:
    """The queue that is not there is one finding among them; exit code 1, and no home is made."""
    done = run("doctor")
    assert done.code == 1
    verdict_of = {
        line[8:].partition(":")[0]: line[:8].strip() for line in done.lines if line[0] > " "
    }
    assert verdict_of["checkout"] == "ok"
    assert verdict_of["API"] == "ok"
    assert verdict_of["interpreter"] == "error"
    assert verdict_of["queue"] == "error"
    assert str(checkout) in done.out
    assert not home.exists()


def test_the_version_discloses_what_may_be_used(run: Run) -> None:
    """One more line, always."""
    done = run("--version")
    assert done.lines[0].startswith("loop26 ")
    assert done.lines[1:] == [DISCLOSURE]


@pytest.mark.usefixtures("elsewhere")
def test_a_worker_tells_of_the_licence_at_its_start(run: Run, tmp_path: Path) -> None:
    """Once, and goes on: that there is no checkout is another matter."""
    run("enqueue", written(tmp_path, TASK))
    lines = run("run", "--until-idle").lines
    told = [json.loads(line)["message"] for line in lines if "commercial" in line]
    assert told == [f"{DISCLOSURE}. {NOTICE}"]
