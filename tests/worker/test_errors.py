"""What the messages of errors show, and what they do not."""

from typing import Any

import pytest

from worker.errors import InvalidTask


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("prompt", "my secret garden", "prompt = a text of 16"),
        ("orchestrator_details.base_prompts_expanded[2]", "my garden", "[2] = a text of 9"),
        ("negative_prompt", 12345678987, "negative_prompt = int"),
        ("base_prompts_expanded", ["my garden"], "base_prompts_expanded = list"),
        ("prompt", "", "prompt = str"),
    ],
)
def test_a_refused_prompt_is_in_no_message(field: str, value: Any, shown: str) -> None:
    """A message goes to rows, journals and backends, where prompts may not be wanted."""
    message = str(InvalidTask(field, value, "is wrong"))
    assert message.endswith(f"{shown}: is wrong")


def test_what_is_said_of_a_prompt_is_shown() -> None:
    """Its type is none."""
    assert "'V'" in str(InvalidTask("audio_prompt_type", "V", "is wrong"))
