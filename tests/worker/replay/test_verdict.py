"""What is concluded from how a replay ended."""

import signal
from typing import Any

import pytest

from telemetry import death
from telemetry.reports.findings import FailureFound, Location
from worker.replay import comparison, conclusions
from worker.replay.verdict import ANOTHER, NONE, OF_INPUTS, SAME, UNKNOWN, is_conclusive, judged


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
GONE = "picture 'a.png' is not kept in the cache"


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


def test_what_fails_before_it_asks_for_what_is_missing_is_the_same() -> None:
    """And what fails otherwise never came to where the task failed."""
    assert verdict(THEN, THEN, missing=(GONE,)) == SAME
    assert verdict(THEN, OTHER, missing=(GONE,)) == UNKNOWN


@pytest.mark.parametrize("kind", OF_INPUTS)
def test_a_failure_of_an_input_is_the_same_in_the_same_words_alone(kind: str) -> None:
    """An empty file and none at all fail in one function, and are two causes."""
    then = failure(type=f"worker.errors.{kind}", message="input 'a.png': is empty")
    now = failure(type=f"worker.errors.{kind}", message="input 'a.png': there is no such file")
    assert verdict(then, then) == SAME
    assert verdict(then, now) == UNKNOWN


def test_a_failure_of_an_input_is_not_known_to_be_the_same_where_one_is_missing() -> None:
    """Whatever it says: the replay had another input than the task."""
    then = failure(type="worker.errors.InputError", message="input 'a.png': there is no such file")
    assert verdict(then, then, missing=(GONE,)) == UNKNOWN


def test_where_nothing_can_be_done_nothing_is_concluded() -> None:
    """Not even that it did not fail."""
    assert verdict(THEN, None, problem="the device does not compute") == UNKNOWN


def cuda(words: str, **facts: Any) -> FailureFound:
    """Make an error of CUDA, as torch words it."""
    hints = "CUDA kernel errors might be asynchronously reported at some other API call"
    message = f"CUDA error: {words}\n{hints}, so the stacktrace below might be incorrect."
    return failure(**{"type": "torch.AcceleratorError", "message": message, **facts})


ASSERT, ARGUMENT = "device-side assert triggered", "invalid configuration argument"


def test_with_calls_that_wait_an_error_of_cuda_may_show_at_another_line() -> None:
    """By its type and its words it is the same; of what is no error of CUDA, it is not."""
    then, true = cuda(ASSERT), cuda(ASSERT, fingerprint="2", stage="encode")
    assert verdict(then, true, blocking=True) == SAME
    assert verdict(then, true) == ANOTHER
    assert verdict(THEN, failure(fingerprint="2"), blocking=True) == ANOTHER


@pytest.mark.parametrize(
    ("now", "blocking", "says"),
    [
        (THEN, False, "in a fresh process"),
        (THEN, True, "at the same line, now that CUDA's calls waited"),
        (
            failure(location=Location(file="/app/incident.py", line=40, function="f")),
            True,
            "at another line, now that CUDA's calls waited",
        ),
        (failure(location=Location(file="", line=0, function="")), True, "in a fresh process"),
    ],
    ids=["nothing waited", "the same line", "another", "unknown"],
)
def test_of_a_line_it_says_what_a_replay_saw_where_calls_waited(
    now: FailureFound, says: str, *, blocking: bool
) -> None:
    """That a line is the true one is more than anybody saw."""
    said = conclusions.said(SAME, THEN, now, seconds=1.0, missing=[], blocking=blocking)
    assert said.startswith(f"it failed in the same way {says}: AttributeError")


@pytest.mark.parametrize("blocking", [True, False])
def test_two_errors_of_cuda_in_other_words_are_two(*, blocking: bool) -> None:
    """All of them have one type, and show at whichever line waits for the device."""
    assert verdict(cuda(ASSERT), cuda(ARGUMENT), blocking=blocking) == ANOTHER
    plain = failure(type="torch.AcceleratorError", message="")
    assert verdict(cuda(ASSERT), plain, blocking=blocking) == ANOTHER


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (
            f"CUDA error: {ASSERT}\nSearch for `cudaErrorAssert' in https://docs.nvidia.com/",
            f"CUDA error: {ASSERT}",
        ),
        (
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(1, 2)`",
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(3)`",
        ),
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79.15 GiB",
            "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 23.5 GiB",
        ),
    ],
)
def test_the_hints_around_an_error_of_cuda_are_none_of_its_words(then: str, now: str) -> None:
    """They are of the version of torch, and numbers are of the moment."""
    assert verdict(failure(message=then), failure(message=now)) == SAME


def test_the_same_failure_rules_the_process_out() -> None:
    """In the same words, however inexact the replay was: it needed nothing of the process."""
    assert is_conclusive(SAME, THEN, THEN, [])
    assert is_conclusive(SAME, THEN, THEN, ["the device was cuda:0 and is cpu"])


def test_the_same_failure_in_other_words_says_nothing_where_something_was_not_as_then() -> None:
    """A value that was hidden may fail in the function in which the true one failed."""
    now = failure(message="'[redacted]' is no number")
    assert not is_conclusive(SAME, THEN, now, ["params.seed was a secret, and is not recorded"])
    assert is_conclusive(SAME, THEN, now, [])


@pytest.mark.parametrize("kind", ["sigkill", "oom", "lost", "WorkerLost", "torch.OutOfMemoryError"])
def test_what_may_come_from_outside_says_nothing_even_where_it_comes_again(kind: str) -> None:
    """A worker that holds the GPU's memory while the task is replayed is enough."""
    then = failure(type=kind)
    assert not is_conclusive(SAME, then, then, [])


def test_no_failure_is_conclusive_where_all_is_as_it_was() -> None:
    """Then it is a state of the process, the machine or a race."""
    assert is_conclusive(NONE, THEN, None, [])
    assert not is_conclusive(NONE, THEN, None, ["params.prompt was hidden"])


@pytest.mark.parametrize(
    "kind",
    [
        "sigkill",
        "oom",
        "lost",
        "stopped",
        "WorkerLost",
        "torch.OutOfMemoryError",
        "torch.cuda.OutOfMemoryError",
        "worker.errors.InputError",
        "worker.inputs.fetch.NotInCache",
        "worker.errors.OutputError",
    ],
)
def test_no_failure_says_nothing_where_it_may_have_come_from_outside(kind: str) -> None:
    """A kill, a file that was not there then, another process with memory of the GPU."""
    assert not is_conclusive(NONE, failure(type=kind), None, [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_from_outside_is_known_by_the_name_that_records_give_it(number: int) -> None:
    """Those of native code that fails are another matter."""
    kind = death.from_returncode(-number).kind
    assert not is_conclusive(NONE, failure(type=kind), None, [])
    segfault = failure(type=death.from_returncode(-signal.SIGSEGV).kind)
    assert is_conclusive(NONE, segfault, None, [])


@pytest.mark.parametrize("found", [ANOTHER, UNKNOWN])
def test_another_failure_says_nothing_of_the_process(found: Any) -> None:
    """Nor does what could not be replayed."""
    assert not is_conclusive(found, THEN, OTHER, [])


def test_what_differs_between_two_failures_is_told_side_by_side() -> None:
    """Their type, message and fingerprint; the rest is alike."""
    found = {one.name: (one.this, one.other) for one in comparison.failures(THEN, OTHER)}
    assert set(found) == {"type", "message", "fingerprint"}
    assert found["type"] == ("AttributeError", "KeyError")


@pytest.mark.parametrize(
    ("inexact", "why"),
    [
        (["params.seed was a secret"], "its words are others, and not everything is as it was"),
        ([], "may come from outside of the process"),
    ],
)
def test_the_same_failure_is_not_said_to_mean_what_it_does_not(
    inexact: list[str], why: str
) -> None:
    """It says why nothing follows."""
    meant = conclusions.meaning(SAME, THEN, conclusive=False, inexact=inexact)
    assert meant.startswith("nothing follows for the failure: ")
    assert why in meant


def test_a_failure_is_told_in_one_line() -> None:
    """Also one whose text was made up by somebody hostile."""
    said = conclusions.told(failure(message="\x1b[2Jgone\n\nnow"))
    assert said.isprintable()
    assert said.endswith("(raised at /app/incident.py:43 in _frames_minimum)")
