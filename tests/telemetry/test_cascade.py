"""What a row says that ended because of another: written, and read back."""

from typing import Any

import pytest

from telemetry.cascade import root_of, sentence

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"


@pytest.mark.parametrize("reason", ["", "no get"])
@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_the_sentence_names_the_task(status: str, reason: str) -> None:
    """Whoever reads it back has the id."""
    assert root_of({}, sentence(status, TASK, reason)) == TASK


def test_the_sentence_is_the_one_that_applications_follow() -> None:
    """Word by word."""
    assert sentence("Failed", TASK, "no get") == f"Cascaded failed from related task {TASK}: no get"
    assert sentence("Cancelled", TASK) == f"Cascaded cancelled from related task {TASK}"


def test_what_the_error_names_goes_before_the_sentence() -> None:
    """It is meant for programs."""
    assert root_of({"root_cause": {"task_id": "other"}}, sentence("Failed", TASK)) == "other"


@pytest.mark.parametrize(
    "error",
    [{}, {"root_cause": "x"}, {"root_cause": {}}, {"root_cause": {"task_id": 7}}],
    ids=str,
)
def test_an_error_that_names_no_task_leaves_it_to_the_sentence(error: dict[str, Any]) -> None:
    """Other applications write one without the other."""
    assert root_of(error, sentence("Failed", TASK)) == TASK


@pytest.mark.parametrize(
    "message", ["", f"failed because of {TASK}", "Cascaded failed from related task 7", f"{TASK}0"]
)
def test_other_sentences_name_none(message: str) -> None:
    """A task that speaks of another has not fallen with it."""
    assert root_of({}, message) == ""
