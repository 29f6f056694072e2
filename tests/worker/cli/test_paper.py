"""What commands print on."""

import json
from typing import Any

import pytest

from worker.cli.paper import TOO_DEEP, print_json, without_secrets


def nested(levels: int, inmost: Any) -> Any:
    """Put a value into so many lists and dictionaries."""
    for level in range(levels):
        inmost = [inmost] if level % 2 else {"inner": inmost}
    return inmost


def test_json_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the same value all the same; letters of every script stay as they are."""
    value = {"strange": "\x1b[31m \x9b31m \u202e \u2066 \x7f \ud83d", "letters": "жизнь 生命 ⬆"}
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert all(char.isprintable() or char == "\n" for char in printed)
    assert "жизнь 生命 ⬆" in printed


def test_what_is_nested_without_end_is_left_out_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A journal, a row and a black box may be a stranger's."""
    print_json({"params": nested(20_000, "the inmost")})
    printed = capsys.readouterr().out
    assert TOO_DEEP in printed
    assert "the inmost" not in printed


def test_what_people_nest_is_shown_whole() -> None:
    """A phase config in a task in a journey is a few levels deep."""
    value = nested(60, "the inmost")
    assert without_secrets(value) == value


def test_a_secret_is_hidden_however_deep() -> None:
    """Above the depth by its key, and below with all that is there."""
    for levels in (30, 20_000):
        assert "planted" not in str(without_secrets(nested(levels, {"api_key": "planted"})))
