"""A task done again: in the program it is given, which writes into the replay's folder alone."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.worker.engines.wan2gp.pythons import script
from worker.composition import configure
from worker.replay.again import Again, Setup, do_again
from worker.replay.order import read
from worker.replay.watch import Limits
from worker.settings import Settings
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.supervisor.child import TaskProgram
from worker.task import Claim, NewTask


@pytest.fixture
def claim(tmp_path: Path) -> Claim:
    """Give a task that was claimed."""
    store = LocalStore(tmp_path / "queue.db")
    store.insert([NewTask(task_type="t2v", params={})])
    claim = store.claim(
        ClaimRequest(
            worker_id="gpu",
            token=uuid4(),
            task_types=("t2v",),
            lease_s=60,
            trace_id="a" * 32,
            span_id="b" * 16,
        )
    )
    store.close()
    assert claim is not None
    return claim


def again(claim: Claim, folder: Path, program: str, engine: str = "diffusers") -> Again:
    """Have a program do it again."""
    settings = Settings(home=folder / "home", engine=engine, wan2gp_checkout=folder)
    argv = (str(script(folder / "program", program)),)
    setup = Setup(
        home=settings.home,
        configure=configure(settings, "replay"),
        program=TaskProgram(argv=argv, environment=os.environ),
        limits=Limits(start_s=60, hang_after_s={}),
    )
    return do_again(claim, setup, folder, engine="", snapshot=None, show=lambda _: None)


def test_an_interpreter_that_will_not_do_is_said_in_its_own_words(
    claim: Claim, tmp_path: Path
) -> None:
    """It is nothing that the task did."""
    done = again(claim, tmp_path, "import sys; print('numpy is missing'); sys.exit(78)")
    assert done.problem == "the fresh process cannot start: numpy is missing"


def test_another_end_before_it_is_ready_is_told_as_one(claim: Claim, tmp_path: Path) -> None:
    """With its last words."""
    done = again(claim, tmp_path, "import sys; print('no room'); sys.exit(3)")
    assert done.problem.startswith("the fresh process did not get ready: ")
    assert done.problem.endswith("; its last words: no room")


def test_the_module_follows_what_the_program_begins_with(claim: Claim, tmp_path: Path) -> None:
    """Then its socket, then its order."""
    done = again(claim, tmp_path, "import sys; print(sys.argv[1], len(sys.argv)); sys.exit(3)")
    assert done.problem.endswith("worker.replay.process 4")


def test_ours_fetches_nothing(claim: Claim, tmp_path: Path) -> None:
    """And gets no option that it does not know."""
    again(claim, tmp_path, "")
    options = read(tmp_path / "order.json").configure.engine_options
    assert options["local_files_only"] is True
    assert "outputs" not in options


def test_a_checkouts_engine_writes_into_the_replays_folder(claim: Claim, tmp_path: Path) -> None:
    """Its outputs too, and it gets no option that it does not know."""
    again(claim, tmp_path, "", engine="wan2gp")
    options = read(tmp_path / "order.json").configure.engine_options
    assert options["outputs"] == str(tmp_path / "engine")
    assert "local_files_only" not in options
    assert options["checkout"] == str(tmp_path)
