"""What a record has lost of a task's parameters is named."""

import pytest

from telemetry.recorder.attributes import plain
from telemetry.recorder.redaction import Redactor
from worker.replay.lost import lost_values


def recorded(params: dict[str, object], *, prompts: bool = True) -> dict[str, object]:
    """Return parameters as a recorder writes them down."""
    found: dict[str, object] = plain(params, Redactor(record_prompts=prompts))
    return found


def test_what_is_recorded_whole_is_not_named() -> None:
    """Nulls, empty texts and numbers least of all."""
    params = {"model": "tiny_t2v", "seed": 1, "prompt": "", "list": [None, {"a": 1.5}]}
    assert lost_values(recorded(params)) == []


def test_a_secret_is_named_by_its_place() -> None:
    """Also one within a list, and one within a text."""
    params = {"hooks": [{"api_key": "hunter2hunter2"}], "url": "https://a.b/c?token=hunter2hunter2"}
    assert lost_values(recorded(params)) == [
        "params.hooks[0].api_key was a secret, and is not recorded",
        "params.url was a secret, and is not recorded",
    ]


def test_a_prompt_that_is_not_recorded_is_named() -> None:
    """It makes another video."""
    found = lost_values(recorded({"prompt": "a lake at dawn", "seed": 1}, prompts=False))
    assert found == ["params.prompt was a prompt, and prompts are not recorded"]


def test_a_text_that_was_cut_is_named() -> None:
    """Its end is not known."""
    found = lost_values(recorded({"note": "word " * 100_000}))
    assert found == ["params.note was too large to be recorded whole"]


def test_what_is_nested_too_deeply_is_named() -> None:
    """The recorder stops at a depth."""
    deep: dict[str, object] = {"a": 1}
    for _ in range(20):
        deep = {"a": deep}
    (found,) = lost_values(recorded(deep))
    assert found.endswith(".a was too large to be recorded whole")


def test_a_record_without_a_bottom_is_walked_to_a_depth() -> None:
    """Whoever made it up."""
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    (found,) = lost_values({"a": deep})
    assert found.endswith("is nested more deeply than anything recorded")


@pytest.mark.parametrize("key", ["\x1b[31mred", "new\nline", "a" * 5000])
def test_a_hostile_name_is_told_on_one_line(key: str) -> None:
    """And not at any length."""
    (found,) = lost_values({key: "[redacted]"})
    assert found.isprintable()
    assert len(found) < 300


def test_no_more_are_named_than_anybody_reads() -> None:
    """A record may be made up."""
    assert len(lost_values({str(number): "[redacted]" for number in range(5000)})) == 100
