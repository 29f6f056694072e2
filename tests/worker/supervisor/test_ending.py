"""A supervisor ends once, with the code that was said first, and takes no more time than it may."""

import io
import json
import signal

import pytest

from worker.console import JsonConsole
from worker.errors import EXIT_DRAINED, EXIT_GPU
from worker.supervisor.ending import Ending
from worker.supervisor.signals import StopAsked


@pytest.fixture
def said() -> io.StringIO:
    """Give what keeps what people are told."""
    return io.StringIO()


@pytest.fixture
def ending(said: io.StringIO) -> Ending:
    """Give an end that is not near, with time enough for any test."""
    return Ending(3600.0, JsonConsole(said))


def test_the_first_exit_code_counts(ending: Ending) -> None:
    """What follows is of its making."""
    ending.stop(EXIT_GPU)
    ending.stop(EXIT_DRAINED)
    assert ending.code == EXIT_GPU


def test_a_signal_leaves_what_is_in_hand_its_time(ending: Ending) -> None:
    """Nothing new is begun."""
    ending.ask(StopAsked(number=signal.SIGTERM))
    assert (ending.is_near, ending.is_due, ending.code) == (True, False, None)


def test_a_second_signal_takes_the_time_away(ending: Ending, said: io.StringIO) -> None:
    """Each is told."""
    for _ in range(2):
        ending.ask(StopAsked(number=signal.SIGTERM))
    assert ending.is_due
    told = [json.loads(line)["message"] for line in said.getvalue().splitlines()]
    assert told == ["SIGTERM: finishing the task in hand", "SIGTERM again: giving the task back"]


def test_an_end_that_is_near_comes_no_later(ending: Ending) -> None:
    """Whatever draws it near once more."""
    ending.draw_near()
    by = ending.by
    ending.draw_near()
    assert ending.by == by
