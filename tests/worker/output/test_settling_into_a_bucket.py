"""What becomes of a task when its output goes into a bucket, and of a black box."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telemetry.reports.sources import blackbox
from tests.servers.proxy import Fault
from tests.worker.casework.laptop import record
from tests.worker.output.conftest import Rig
from tests.worker.supervisor.conftest import Desk
from worker.blackboxes import BlackBoxes
from worker.output.storage import black_box_name
from worker.settings.settings import Settings
from worker.store.local import LocalStore
from worker.supervisor.settling import SUPERSEDED
from worker.task import Claim, Done, Failure, TaskStatus

FAILURE = Failure(kind="exception", type="E", message="no", sentence="no")


@pytest.fixture
def desk(rig: Rig, tmp_path: Path) -> Iterator[Desk]:
    """Give a supervisor's desk whose outputs go into the bucket."""
    desk = Desk(tmp_path)
    desk.settler = replace(desk.settler, storage=rig.storage)
    yield desk
    desk.recorder.close()
    desk.store.close()


def test_the_row_has_the_address_and_this_machine_no_copy(desk: Desk, rig: Rig) -> None:
    """The console's line is without the signature: whoever has that can read the output."""
    claim = desk.claim()
    video = desk.video(claim)
    settled = desk.settler.settle(claim, Done(files=(video,)), {})
    task = desk.store.get(claim.task.id)
    assert task.status == TaskStatus.COMPLETE
    assert task.output_location is not None
    assert f"/fleet/{task.id}/video.mp4?" in task.output_location
    assert (task.result_data or {})["files"] == [task.output_location]
    assert settled.location == f"{task.output_location.partition('?')[0]}?…"
    assert list(rig.storage.local.outputs_dir.iterdir()) == []


def test_a_storage_that_stays_away_costs_an_attempt(desk: Desk, rig: Rig) -> None:
    """And not the task."""
    claim = desk.claim()
    video = desk.video(claim)
    rig.proxy.faults = [Fault(503, times=10**6)]
    settled = desk.settler.settle(claim, Done(files=(video,)), {})
    assert settled.status == TaskStatus.QUEUED
    assert "answered 503" in settled.sentence


def test_a_storage_that_refuses_fails_the_task_in_one_line(desk: Desk, rig: Rig) -> None:
    """With the way out."""
    claim = desk.claim()
    video = desk.video(claim)
    rig.proxy.faults = [Fault(403, times=10**6)]
    settled = desk.settler.settle(claim, Done(files=(video,)), {})
    task = desk.store.get(claim.task.id)
    assert task.status == TaskStatus.FAILED
    assert task.error_message == settled.sentence
    assert "the key may not do this" in settled.sentence
    assert "\n" not in settled.sentence


def test_who_loses_the_task_while_it_uploads_publishes_nothing(desk: Desk, rig: Rig) -> None:
    """Cancelled in the middle: nothing is visible, and nothing is left."""
    claim = desk.claim()
    video = desk.video(claim)
    cancelled: list[str] = []

    def cancel(method: str, path: str) -> None:
        if method in {"PUT", "POST"} and ".attempts" in path and not cancelled:
            cancelled.append(path)
            desk.store.cancel(claim.task.id)

    rig.proxy.on_request = cancel
    settled = desk.settler.settle(claim, Done(files=(video,)), {})
    assert settled.status == SUPERSEDED
    assert "cancelled" in settled.sentence
    assert cancelled
    assert rig.objects() == {}


def test_a_black_box_is_put_beside_the_outputs_too(desk: Desk, rig: Rig, tmp_path: Path) -> None:
    """The same file as on this machine."""
    task_id = kept(desk, rig, tmp_path).task.id
    here = tmp_path / "outputs" / str(task_id) / "failure.blackbox"
    [(key, body)] = rig.objects().items()
    assert key.startswith(f"fleet/{task_id}/failure-")
    assert body == here.read_bytes()
    assert blackbox.read(here).task.id == str(task_id)


def test_its_name_in_the_bucket_is_known_to_the_queue_alone(
    desk: Desk, rig: Rig, tmp_path: Path
) -> None:
    """Made from what was drawn for the claim and is not on the row, which applications watch."""
    claim = kept(desk, rig, tmp_path)
    [key] = rig.objects()
    name = key.rpartition("/")[2]
    [claimed] = [one for one in desk.store.events(claim.task.id) if one.name == "claimed"]
    assert name == black_box_name(claimed.data["drawn"])
    assert claimed.data["drawn"] not in f"{claim} {desk.store.get(claim.task.id)}"
    digits = name.removeprefix("failure-").removesuffix(".blackbox")
    assert len(digits) == 32
    assert digits not in str(claim)


def test_a_black_box_without_a_record_is_kept_here_alone(
    desk: Desk, rig: Rig, tmp_path: Path
) -> None:
    """It would take the place of that of the worker which has it."""
    claim = kept(desk, rig, tmp_path, recorded=False)
    assert (tmp_path / "outputs" / str(claim.task.id) / "failure.blackbox").is_file()
    assert rig.objects() == {}


def test_a_black_box_that_the_storage_refuses_is_kept_here(
    desk: Desk, rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is said."""
    rig.proxy.faults = [Fault(403, times=10**6)]
    claim = kept(desk, rig, tmp_path)
    assert (tmp_path / "outputs" / str(claim.task.id) / "failure.blackbox").is_file()
    assert "is kept here alone" in caplog.text


def test_a_worker_that_ends_waits_for_what_is_being_sent(
    desk: Desk, rig: Rig, tmp_path: Path
) -> None:
    """Its journals may go with its machine."""
    sending = threading.Event()
    rig.proxy.on_request = lambda _method, _path: sending.set()
    claim = failed(desk, tmp_path)
    with boxes_of(rig, tmp_path, end_wait_s=0.0) as boxes:
        boxes.keep(claim.task.id)
        assert sending.wait(60)
    assert len(rig.objects()) == 1


def failed(desk: Desk, home: Path, *, recorded: bool = True) -> Claim:
    """Have a task fail, whose attempt is recorded."""
    claim = desk.claim()
    if recorded:
        record(Settings(home=home), claim)
    desk.store.fail(claim.token, FAILURE)
    return claim


def kept(desk: Desk, rig: Rig, home: Path, *, recorded: bool = True) -> Claim:
    """Have a task fail, and its black box kept."""
    claim = failed(desk, home, recorded=recorded)
    with boxes_of(rig, home, end_wait_s=60) as boxes:
        boxes.keep(claim.task.id)
    return claim


def boxes_of(rig: Rig, home: Path, *, end_wait_s: float) -> BlackBoxes:
    """Keep black boxes in the bucket too."""
    opener = LocalStore(home / "queue.db", busy_timeout_s=0.1)
    settings = Settings(home=home)
    return BlackBoxes(settings, lambda: opener, storage=rig.storage, end_wait_s=end_wait_s)
