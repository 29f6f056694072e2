"""The failure on a task's row: the sentence, and the facts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import telemetry
from telemetry import Recorder
from telemetry.records import Error
from worker.errors import EngineError
from worker.failure import failure_of

REGISTRY: dict[str, Any] = {"": None}


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Install a task process's recorder, with a task in hand."""
    recorder = Recorder.open(tmp_path / "spool", role="task", in_app=("tests",))
    recorder.install()
    task = recorder.task(
        task_id="78cd8678", attempt=1, task_type="i2v", trace_id=b"t" * 16, worker_id="w"
    )
    with task, telemetry.stage("generate"):
        yield recorder
    recorder.close()


def frames_minimum(model: str) -> int:
    """Fail as the incident's engine did."""
    model_def = REGISTRY[model]
    return int(model_def.get("frames_minimum", 5))


def swallowing(model: str) -> None:
    """Pass on the text alone, as an engine does."""
    try:
        frames_minimum(model)
    except AttributeError as exc:
        telemetry.swallowed(exc)


def error_of(recorder: Recorder, exc: BaseException) -> Error:
    """Record an exception."""
    return recorder.error(exc)


def test_what_was_none_is_in_the_sentence_and_on_the_row(recorder: Recorder) -> None:
    """The incident in one line: type, message, expression, place, stage."""
    with pytest.raises(AttributeError) as caught:
        frames_minimum("")
    failure = failure_of(error_of(recorder, caught.value), caught.value)
    assert failure.expression == "model_def"
    line = caught.traceback[-1].lineno + 1
    assert failure.sentence == (
        "AttributeError: 'NoneType' object has no attribute 'get'; model_def was None "
        f"(raised at test_failure.py:{line} in frames_minimum during generate)"
    )


def test_a_swallowed_exception_is_named_behind_the_one_that_followed(recorder: Recorder) -> None:
    """The engine yields nothing: the row says at which line it began."""
    swallowing("")
    nothing = EngineError("the engine yielded no video")
    with pytest.raises(EngineError) as caught:
        raise nothing
    failure = failure_of(error_of(recorder, caught.value), caught.value)
    assert failure.sentence.startswith(
        "the engine yielded no video; handled before, in the same stage: AttributeError: "
        "'NoneType' object has no attribute 'get' (raised at test_failure.py:"
    )
    assert failure.caused_by["function"] == "frames_minimum"
    assert failure.caused_by["expression"] == "model_def"


def test_an_exception_that_says_nothing_of_none_is_told_without_it(recorder: Recorder) -> None:
    """A missing key names what it was looked for in, and that was not None."""
    with pytest.raises(KeyError) as caught:
        frames_minimum("wan")
    failure = failure_of(error_of(recorder, caught.value), caught.value)
    assert "was None" not in failure.sentence
    assert failure.sentence.startswith("KeyError: 'wan' (raised at test_failure.py:")
