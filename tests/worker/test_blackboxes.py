"""Black boxes are kept beside outputs, and cost the supervisor nothing."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from telemetry.reports.sources import blackbox
from worker.blackboxes import BlackBoxes
from worker.errors import QueueUnavailable
from worker.output.storage import black_box_of
from worker.settings import Settings
from worker.settings.home import prepare_home
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Have a home ready."""
    made = Settings(home=tmp_path / "home")
    prepare_home(made)
    return made


@pytest.fixture
def opener(settings: Settings) -> Callable[[], LocalStore]:
    """Return what opens its queue."""
    return lambda: LocalStore(settings.queue_path)


def failed(store: LocalStore) -> UUID:
    """Have a task fail; return its id."""
    (task_id,) = store.insert([NewTask(task_type="t2v", params={"model_name": "wan"})])
    claim = store.claim(
        ClaimRequest(
            worker_id="gpu-1",
            token=uuid4(),
            task_types=["t2v"],
            lease_s=60,
            trace_id="ab" * 16,
            span_id="cd" * 8,
        )
    )
    assert claim is not None
    store.fail(claim.token, Failure(kind="exception", type="E", message="no", sentence="no"))
    return task_id


def test_a_failed_task_has_one_beside_its_outputs(
    settings: Settings, opener: Callable[[], LocalStore]
) -> None:
    """Written when the block has ended, and read without the queue."""
    task_id = failed(opener())
    with BlackBoxes(settings, opener) as boxes:
        boxes.keep(task_id)
    case = blackbox.read(black_box_of(settings.outputs_dir, task_id))
    assert (case.task.id, case.task.status) == (str(task_id), "Failed")
    assert "black box" in case.source


def test_one_that_cannot_be_written_costs_the_next_one_nothing(
    settings: Settings, opener: Callable[[], LocalStore], caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, with why; the worker goes on."""
    task_id = failed(opener())
    troubles = [QueueUnavailable("the disk is gone")]

    def open_in_trouble() -> LocalStore:
        if troubles:
            raise troubles.pop()
        return opener()

    with BlackBoxes(settings, open_in_trouble) as boxes:
        boxes.keep(uuid4())
        boxes.keep(task_id)
    assert "the disk is gone" in caplog.text
    assert black_box_of(settings.outputs_dir, task_id).is_file()


def test_who_wants_none_gets_none(settings: Settings, opener: Callable[[], LocalStore]) -> None:
    """They hold parameters and locals."""
    task_id = failed(opener())
    with BlackBoxes(settings.model_copy(update={"black_boxes": False}), opener) as boxes:
        boxes.keep(task_id)
    assert not black_box_of(settings.outputs_dir, task_id).exists()


def test_one_that_is_late_is_given_up(settings: Settings, opener: Callable[[], LocalStore]) -> None:
    """Who cuts a record, or moves outputs, after a worker has ended is not overtaken by it."""
    task_id, opened, before = failed(opener()), threading.Event(), set(threading.enumerate())

    def open_late() -> LocalStore:
        opened.wait()
        return opener()

    with BlackBoxes(settings, open_late, end_wait_s=0.01) as boxes:
        boxes.keep(task_id)
        (thread,) = set(threading.enumerate()) - before
    opened.set()
    thread.join()
    assert not black_box_of(settings.outputs_dir, task_id).exists()


def test_a_worker_that_keeps_none_ends_at_once(
    settings: Settings, opener: Callable[[], LocalStore]
) -> None:
    """However long the end may take."""
    began = time.monotonic()
    with BlackBoxes(settings, opener, end_wait_s=60.0):
        pass
    assert time.monotonic() - began < 5.0


def test_a_task_that_goes_on_has_none(settings: Settings, opener: Callable[[], LocalStore]) -> None:
    """Another worker has it by now: what it will end with is not known."""
    with contextlib.closing(opener()) as store:
        [task_id] = store.insert([NewTask(task_type="t2v", params={"model_name": "wan"})])
    with BlackBoxes(settings, opener) as boxes:
        boxes.keep(task_id)
    assert not black_box_of(settings.outputs_dir, task_id).exists()
