"""What a task has raised becomes what its supervisor is told."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import torch

from telemetry import Recorder
from worker.boundary import told
from worker.errors import EXIT_GPU, QueueUnavailable
from worker.handlers.second_try import NOTE
from worker.messages import Finished, outcome_of
from worker.task import Failed, Retry

ASSERTED = "CUDA error: device-side assert triggered"


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Give a recorder."""
    recorder = Recorder.open(tmp_path / "spool", role="task")
    yield recorder
    recorder.close()


def finished(
    recorder: Recorder, exc: BaseException, *, rerun: bool = False, waited: bool = False
) -> Finished:
    """Raise an exception, and say what is told of it."""
    with pytest.raises(type(exc)) as caught:
        raise exc
    return told(
        uuid4(),
        caught.value,
        recorder.error(caught.value),
        blocking_rerun=rerun,
        calls_wait=waited,
    )


def sentence(message: Finished) -> str:
    """Return what people are told."""
    outcome = outcome_of(message)
    assert isinstance(outcome, Failed)
    return outcome.failure.sentence


def test_an_exception_fails_its_task_and_keeps_the_process(recorder: Recorder) -> None:
    """Nothing is wrong with the device."""
    message = finished(recorder, ValueError("no"), rerun=True)
    assert (message.recycle, message.again) == ("", False)


def test_one_that_may_pass_is_tried_again(recorder: Recorder) -> None:
    """As it says itself."""
    assert isinstance(outcome_of(finished(recorder, QueueUnavailable("away"))), Retry)


@pytest.mark.parametrize(
    ("exc", "retried"),
    [
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), True),
        (RuntimeError("CUDA error: uncorrectable NVLink error detected"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("the prompt speaks of an uncorrectable ECC error"), False),
    ],
)
def test_what_ran_on_hardware_that_failed_is_tried_again(
    recorder: Recorder, exc: BaseException, *, retried: bool
) -> None:
    """It is not to blame; what the task did to the device would only come again."""
    assert isinstance(outcome_of(finished(recorder, exc)), Retry if retried else Failed)


def test_memory_that_is_used_up_keeps_the_process(recorder: Recorder) -> None:
    """The sentence has what was noted of who holds it."""
    exc = torch.OutOfMemoryError("CUDA out of memory.")
    exc.add_note("of somebody else")
    exc.add_note(f"{NOTE}1.00 GiB transformer")
    message = finished(recorder, exc, rerun=True)
    assert (message.recycle, message.again) == ("", False)
    assert sentence(message).endswith(f"; {NOTE}1.00 GiB transformer")


def test_a_poisoned_device_is_opened_anew(recorder: Recorder) -> None:
    """And the sentence warns of the line: CUDA may have told of it late."""
    message = finished(recorder, torch.AcceleratorError(ASSERTED))
    assert "must be opened anew" in message.recycle
    assert "need not be its cause" in sentence(message)
    assert not message.again


def test_it_is_run_again_where_that_is_set(recorder: Recorder) -> None:
    """In a process whose calls wait."""
    assert finished(recorder, torch.AcceleratorError(ASSERTED), rerun=True).again


def test_it_is_not_run_again_where_the_calls_did_wait(recorder: Recorder) -> None:
    """The line is exact, and said to be."""
    message = finished(recorder, torch.AcceleratorError(ASSERTED), rerun=True, waited=True)
    assert not message.again
    assert "this line is its cause" in sentence(message)


def test_a_task_whose_device_is_gone_is_tried_again_elsewhere(recorder: Recorder) -> None:
    """The worker ends; the attempt counts, since the task may be what takes devices down."""
    exc = torch.AcceleratorError("CUDA error: CUDA-capable device(s) is/are busy or unavailable")
    exc.error_code = 46
    message = finished(recorder, exc, rerun=True)
    assert isinstance(outcome_of(message), Retry)
    assert (message.exit_code, message.again) == (EXIT_GPU, False)
    assert "busy or unavailable" in message.recycle
