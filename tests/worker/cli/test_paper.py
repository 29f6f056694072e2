"""What commands print on."""

import json

import pytest

from worker.cli.paper import print_json


def test_json_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the same value all the same; letters of every script stay as they are."""
    value = {"strange": "\x1b[31m \x9b31m \u202e \u2066 \x7f \ud83d", "letters": "жизнь 生命 ⬆"}
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert all(char.isprintable() or char == "\n" for char in printed)
    assert "жизнь 生命 ⬆" in printed
