"""Resolution and frames: rounded down, once."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engines.base import ModelDefinition
from worker.errors import InvalidParameter
from worker.params.frames import round_frames
from worker.params.layers import Layer
from worker.params.resolution import parse_resolution, round_resolution
from worker.params.resolve import resolve


@pytest.mark.parametrize(
    ("asked", "used"), [(81, 81), (60, 57), (80, 77), (5, 5), (8, 5), (9, 9), (1, 5)]
)
def test_frames_round_down_to_four_n_plus_one(asked: int, used: int) -> None:
    """Never up, but to the minimum of five."""
    assert round_frames(asked) == used


@given(st.integers(1, 10_000))
def test_rounding_frames_twice_is_rounding_once(frames: int) -> None:
    """What is rounded stays."""
    assert round_frames(round_frames(frames)) == round_frames(frames)


def test_sides_are_floored_to_sixteen() -> None:
    """The incident asked 902x508 and got 896x496."""
    assert round_resolution(*parse_resolution("902x508")) == (896, 496)


@pytest.mark.parametrize(
    "text",
    [
        *("", "902", "902x", "x508", "902*508", "-16x16", "902.5x508", "902x508x3", "9x\u0668"),
        *(" 902x508", "902x508\n", "99999999x16", "16x8208", 902, None, True, [902, 508]),
    ],
)
def test_what_is_no_resolution_is_refused(text: Any) -> None:
    """The refusal names the field by which the task passed it."""
    with pytest.raises(InvalidParameter) as caught:
        parse_resolution(text, field="parsed_resolution_wh")
    assert caught.value.field == "parsed_resolution_wh"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("resolution", "8192x16", "1024 pixels a side"),
        ("resolution", "16x1040", "1024 pixels a side"),
        ("video_length", 102, "97 frames"),
    ],
)
def test_more_than_the_model_can_do_is_refused(
    model: ModelDefinition, key: str, value: Any, problem: str
) -> None:
    """Before its weights are looked at; what rounds to its limit passes."""
    small = replace(model, max_side=1024, max_frames=97)
    layer = Layer(source="task", values={key: value})
    with pytest.raises(InvalidParameter, match=problem) as caught:
        resolve(small, [layer], draw_seed=int)
    assert caught.value.field == key
    most = Layer(source="task", values={"resolution": "1039x1024", "video_length": 100})
    assert resolve(small, [most], draw_seed=int).frames == 97


def test_a_side_under_sixteen_is_refused() -> None:
    """Flooring it would leave nothing."""
    with pytest.raises(InvalidParameter, match="under 16 pixels"):
        round_resolution(15, 480)
