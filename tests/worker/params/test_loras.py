"""LoRA multipliers: read, checked against the phases, expanded per step."""

from typing import Any

import pytest

from worker.errors import InvalidParameter
from worker.params.loras import LoraText, expand, parse_activated, parse_additional


def lora(multipliers: str) -> LoraText:
    """Return a LoRA with these multipliers."""
    return LoraText(
        url="a.safetensors",
        multipliers=multipliers,
        field="loras_multipliers",
        url_field="activated_loras[0]",
    )


@pytest.mark.parametrize(
    ("multipliers", "per_step"),
    [
        ("1.2;0", (1.2, 1.2, 1.2, 0.0, 0.0, 0.0)),
        ("1.05;1.05", (1.05,) * 6),
        ("0;1.0", (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)),
        ("0.5", (0.5,) * 6),
        ("-1;.5", (-1.0, -1.0, -1.0, 0.5, 0.5, 0.5)),
        ("1,0.5,0;1", (1.0, 0.5, 0.0, 1.0, 1.0, 1.0)),
    ],
)
def test_multipliers_expand_over_three_and_three_steps(
    multipliers: str, per_step: tuple[float, ...]
) -> None:
    """One part a phase, or one for all; a comma is a list over the phase's steps."""
    assert expand(lora(multipliers), (3, 3)).per_step == per_step


def test_three_phases_take_three_parts() -> None:
    """Each phase has its own part and its own number of steps."""
    assert expand(lora("1;0.5,0.25;0"), (1, 2, 3)).per_step == (1.0, 0.5, 0.25, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("multipliers", "problem"),
    [
        ("1;0;1", "3 parts for 2 phases"),
        ("1,0;1", "2 values for the 3 steps of phase 1"),
        ("1;1,0,1,0", "4 values for the 3 steps of phase 2"),
        ("", "''"),
        (";1", "''"),
        ("1;strong", "'strong'"),
        ("1;nan", "'nan'"),
        ("1;inf", "'inf'"),
        ("1;1_0", "'1_0'"),
        ("1;101", "'101'"),
        ("1;\u0663", "'\u0663'"),
    ],
)
def test_multipliers_that_do_not_fit_are_refused(multipliers: str, problem: str) -> None:
    """The refusal names the field and what does not fit."""
    with pytest.raises(InvalidParameter) as caught:
        expand(lora(multipliers), (3, 3))
    assert caught.value.field == "loras_multipliers"
    assert problem in str(caught.value)


def activated(urls: Any, multipliers: Any) -> list[tuple[str, str]]:
    """Read both lists of a task."""
    loras = parse_activated(
        urls, multipliers, urls_field="activated_loras", field="loras_multipliers"
    )
    return [(item.url, item.multipliers) for item in loras]


@pytest.mark.parametrize("multipliers", ["1.2;0 0.5", "1.2;0\n0.5", ["1.2;0", "0.5"]])
def test_multipliers_are_a_text_with_blanks_or_a_list(multipliers: Any) -> None:
    """Both forms say the same."""
    assert activated(["a", "b"], multipliers) == [("a", "1.2;0"), ("b", "0.5")]


@pytest.mark.parametrize("multipliers", ["", []])
def test_no_multipliers_at_all_are_full_strength(multipliers: Any) -> None:
    """LoRAs named without multipliers have 1.0 each."""
    assert activated(["a", "b"], multipliers) == [("a", "1.0"), ("b", "1.0")]


@pytest.mark.parametrize(
    ("urls", "multipliers", "field"),
    [
        (["a", "b"], "1", "loras_multipliers"),
        (["a"], "1 1", "loras_multipliers"),
        ([], "1", "loras_multipliers"),
        (["a"], {"a": 1}, "loras_multipliers"),
        (["a"], [None], "loras_multipliers[0]"),
        (["a", "a"], "1 1", "activated_loras[1]"),
        (["a", None], "1 1", "activated_loras[1]"),
        ("a", "1", "activated_loras"),
    ],
)
def test_lists_that_disagree_are_refused(urls: Any, multipliers: Any, field: str) -> None:
    """As many multipliers as LoRAs, each LoRA once, each a text."""
    with pytest.raises(InvalidParameter) as caught:
        activated(urls, multipliers)
    assert caught.value.field == field


@pytest.mark.parametrize("strength", [None, True, float("nan"), [1]])
def test_an_additional_lora_without_a_number_is_refused(strength: Any) -> None:
    """The refusal names the LoRA."""
    with pytest.raises(InvalidParameter) as caught:
        parse_additional("additional_loras", {"a.safetensors": strength})
    assert caught.value.field == "additional_loras.a.safetensors"


def test_additional_loras_keep_their_order() -> None:
    """LoRAs are applied in the order in which the task lists them."""
    loras = parse_additional("additional_loras", {"b": 1, "a": "0.5;0"})
    assert [(item.url, item.multipliers) for item in loras] == [("b", "1"), ("a", "0.5;0")]
