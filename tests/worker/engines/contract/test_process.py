"""An engine is a guest in its process: it leaves all as it was."""

import random
import threading

import pytest

from tests.worker.engines.contract.driven import Driven, Watching
from tests.worker.engines.contract.process_state import ProcessState
from worker.errors import TaskCancelled


def test_the_first_video_leaves_the_process_as_it_was(driven: Driven) -> None:
    """Though the engine has been made, and has imported all that it needs, for that one."""
    assert driven.first_changed == []


def test_two_generations_leave_the_process_as_it_was(driven: Driven) -> None:
    """Its directory, command line, streams, signal handlers, logging, hooks, environment."""
    before = ProcessState()
    for seed in (1, 2):
        driven.generate(driven.request(seed=seed))
    assert before.changed() == []


def test_so_does_one_that_is_cancelled(driven: Driven) -> None:
    """However a call ends."""
    before = ProcessState()
    with pytest.raises(TaskCancelled):
        driven.generate(observer=Watching(cancel_after=2))
    assert before.changed() == []


def test_so_do_the_calls_that_generate_nothing(driven: Driven) -> None:
    """A look-up, a load, an unloading."""
    before = ProcessState()
    driven.engine.device()
    driven.engine.model_def(driven.model)
    driven.engine.default_settings(driven.model)
    driven.engine.unload()
    driven.engine.load(driven.model)
    assert before.changed() == []


def test_nothing_is_printed(driven: Driven, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither by Python nor past it: stderr is for the last words of native code."""
    driven.engine.unload()
    driven.engine.load(driven.model)
    driven.generate()
    assert tuple(capfd.readouterr()) == ("", "")


def test_no_thread_is_left(driven: Driven) -> None:
    """All that a generation has begun have ended with it."""
    driven.generate()
    before = set(threading.enumerate())
    driven.generate()
    assert set(threading.enumerate()) <= before


def test_a_seed_of_one_task_is_not_the_next_ones(driven: Driven) -> None:
    """The global generator of chance is not set to what a task asked."""
    driven.generate(driven.request(seed=3))
    one = random.random()
    driven.generate(driven.request(seed=3))
    assert random.random() != one
