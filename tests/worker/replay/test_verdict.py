"""What is concluded from how a replay ended."""

from typing import Any

import pytest

from telemetry.reports.findings import FailureFound, Location
from worker.replay import comparison, conclusions
from worker.replay.verdict import ANOTHER, NONE, SAME, UNKNOWN, is_conclusive, judged


def failure(**facts: Any) -> FailureFound:
    """Make a failure."""
    told: dict[str, Any] = {
        "kind": "exception",
        "type": "AttributeError",
        "message": "'NoneType' object has no attribute 'get'",
        "sentence": "",
        "place": "raised at",
        "location": Location(file="/app/incident.py", line=43, function="_frames_minimum"),
        "stage": "generate",
        "at": "",
        "expression": "model_def",
        "values": [],
        "frames": [],
        "chain": [],
        "fingerprint": "592c49f2bd5b84cf",
        "handled": False,
        "caused_by": {},
        "signal": "",
        "exit_code": None,
        "last_words": [],
    }
    return FailureFound(**{**told, **facts})


THEN = failure()
OTHER = failure(type="KeyError", message="'frames'", fingerprint="0123456789abcdef")


def verdict(
    then: FailureFound | None,
    now: FailureFound | None,
    *,
    problem: str = "",
    missing: tuple[str, ...] = (),
    blocking: bool = False,
) -> str:
    """Judge, with nothing in the way unless told otherwise."""
    return judged(then, now, problem=problem, missing=missing, blocking=blocking)


def test_the_fingerprint_decides() -> None:
    """A line may have moved since, and a message may hold a path."""
    moved = failure(location=Location(file="/b.py", line=9, function="f"), message="other")
    assert verdict(THEN, moved) == SAME
    assert verdict(THEN, OTHER) == ANOTHER


def test_without_a_fingerprint_type_function_and_stage_decide() -> None:
    """A row may have kept no more."""
    assert verdict(failure(fingerprint=""), THEN) == SAME
    assert verdict(failure(fingerprint=""), OTHER) == ANOTHER


def test_none_at_all_is_none() -> None:
    """Whether there was one then or not."""
    assert verdict(THEN, None) == NONE
    assert verdict(None, None) == NONE


def test_one_where_there_was_none_is_another() -> None:
    """It fails now."""
    assert verdict(None, THEN) == ANOTHER


@pytest.mark.parametrize(
    "kind",
    [
        "worker.inputs.fetch.NotInCache",
        "worker.errors.InputError",
        "worker.errors.ModelUnavailable",
    ],
)
def test_an_input_that_is_not_there_is_no_other_failure(kind: str) -> None:
    """The replay never came to where the task failed."""
    assert verdict(THEN, failure(type=kind, fingerprint="1")) == UNKNOWN


def test_the_same_failure_counts_whatever_is_missing() -> None:
    """It came before what is missing was asked for."""
    assert verdict(THEN, THEN, missing=("picture 'a.png' is not kept in the cache",)) == SAME
    assert verdict(THEN, OTHER, missing=("picture 'a.png' is not kept in the cache",)) == UNKNOWN


def test_where_nothing_can_be_done_nothing_is_concluded() -> None:
    """Not even that it did not fail."""
    assert verdict(THEN, None, problem="the device does not compute") == UNKNOWN


def test_with_calls_that_wait_an_error_of_cuda_may_show_at_another_line() -> None:
    """By its type it is the same; of what is no error of CUDA, it is not."""
    cuda = {"type": "torch.AcceleratorError", "message": "CUDA error: device-side assert triggered"}
    then, true = failure(**cuda), failure(**cuda, fingerprint="2")
    assert verdict(then, true, blocking=True) == SAME
    assert verdict(then, true) == ANOTHER
    assert verdict(THEN, failure(fingerprint="2"), blocking=True) == ANOTHER


def test_the_same_failure_rules_the_process_out() -> None:
    """However inexact the replay was: it needed nothing of the process."""
    assert is_conclusive(SAME, THEN, ["the device was cuda:0 and is cpu"])


def test_no_failure_is_conclusive_where_all_is_as_it_was() -> None:
    """Then it is a state of the process, the machine or a race."""
    assert is_conclusive(NONE, THEN, [])
    assert not is_conclusive(NONE, THEN, ["params.prompt was hidden"])


@pytest.mark.parametrize("kind", ["sigkill", "oom", "lost", "worker.errors.InputError"])
def test_no_failure_says_nothing_where_it_came_from_outside(kind: str) -> None:
    """A kill, or a file that was not there then."""
    assert not is_conclusive(NONE, failure(type=kind), [])


@pytest.mark.parametrize("found", [ANOTHER, UNKNOWN])
def test_another_failure_says_nothing_of_the_process(found: Any) -> None:
    """Nor does what could not be replayed."""
    assert not is_conclusive(found, THEN, [])


def test_what_differs_between_two_failures_is_told_side_by_side() -> None:
    """Their type, message and fingerprint; the rest is alike."""
    found = {one.name: (one.this, one.other) for one in comparison.failures(THEN, OTHER)}
    assert set(found) == {"type", "message", "fingerprint"}
    assert found["type"] == ("AttributeError", "KeyError")


def test_a_failure_is_told_in_one_line() -> None:
    """Also one whose text was made up by somebody hostile."""
    said = conclusions.told(failure(message="\x1b[2Jgone\n\nnow"))
    assert said.isprintable()
    assert said.endswith("(raised at /app/incident.py:43 in _frames_minimum)")
