"""A video that shows nothing fails its task before it is encoded; a dark one does not."""

import dataclasses
from typing import TYPE_CHECKING

import pytest

from worker.errors import BlankOutput
from worker.handlers.registry import handler_for
from worker.task import Done, Outcome

if TYPE_CHECKING:
    from tests.worker.handlers.conftest import Bench

BLACK, GREY, DARKEST = (0, 0, 0), (128, 128, 127), (0, 0, 1)
Colour = tuple[int, int, int]


def made(bench: "Bench", start: Colour, end: Colour, *, refuse: bool = True) -> Outcome:
    """Do a task whose video fades from one colour to another."""
    params = {"model_name": "fade_i2v", "prompt": "a night", "seed": 3}
    params |= {"image_start": bench.picture("a", start), "image_end": bench.picture("b", end)}
    context = bench.context("i2v", params)
    return handler_for("i2v").run(dataclasses.replace(context, refuse_blank_output=refuse))


@pytest.mark.parametrize(
    ("colour", "said"),
    [(BLACK, "all 9 frames are black"), (GREY, r"the one colour rgb\(128, 128, 127\)")],
    ids=["black", "grey"],
)
def test_a_video_of_one_colour_is_refused(bench: "Bench", colour: Colour, said: str) -> None:
    """It names the colour, what is known to do that, and the setting that lets it pass."""
    with pytest.raises(BlankOutput, match=said) as caught:
        made(bench, colour, colour)
    assert "refuse_blank_output" in str(caught.value)


def test_a_video_that_is_not_black_in_one_frame_is_done(bench: "Bench") -> None:
    """How dark it may be is for people to say: this one's last frame has the darkest blue."""
    assert isinstance(made(bench, BLACK, DARKEST), Done)


def test_the_check_can_be_switched_off(bench: "Bench") -> None:
    """By a setting."""
    assert isinstance(made(bench, BLACK, BLACK, refuse=False), Done)
