"""The folder of drills is their own: the real queue is not seen, one drill runs at a time."""

from contextlib import closing
from pathlib import Path

import pytest

from worker.drill.folder import DrillBusy, drill_folder
from worker.settings import Settings
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, NewTask, TaskStatus


def test_it_lies_in_the_home_and_changes_nothing_there(tmp_path: Path) -> None:
    """No queue and no outputs are made beside it."""
    with drill_folder(Settings(home=tmp_path)) as own:
        assert own.home == tmp_path / "drill"
        assert own.spool_dir.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["drill"]


def test_the_deployments_settings_hold_but_for_what_would_keep_a_drill_from_running(
    tmp_path: Path,
) -> None:
    """Device, addresses and limits are the real ones."""
    settings = Settings(
        home=tmp_path,
        device="cpu",
        otlp_endpoint="http://127.0.0.1:4318",
        task_types=("t2v",),
        max_deaths=9,
        lease_s=99,
    )
    with drill_folder(settings) as own:
        assert (own.device, own.otlp_endpoint) == ("cpu", "http://127.0.0.1:4318")
        assert own.lease_s == 99
        assert (own.task_types, own.max_deaths) == (TASK_TYPES, 1)


def test_a_second_drill_in_it_is_refused(tmp_path: Path) -> None:
    """Until the first is over."""
    settings = Settings(home=tmp_path)
    with drill_folder(settings), pytest.raises(DrillBusy, match="another drill"):
        drill_folder(settings).__enter__()
    with drill_folder(settings):
        pass


def test_tasks_that_a_drill_left_are_cancelled(tmp_path: Path) -> None:
    """One that was killed must not fail into the next."""
    settings = Settings(home=tmp_path)
    with drill_folder(settings) as own, closing(LocalStore(own.queue_path)) as store:
        (left,) = store.insert([NewTask(task_type="t2v", params={})])
    with drill_folder(settings) as own, closing(LocalStore(own.queue_path)) as store:
        assert store.get(left).status is TaskStatus.CANCELLED
