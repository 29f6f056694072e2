"""The failure on a task's row: the sentence, and the facts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
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


def decode(text: str) -> Any:
    """Fail in a library that this line calls."""
    return json.loads(text)


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


def test_where_a_library_raised_the_line_that_called_it_is_named_too(recorder: Recorder) -> None:
    """The operator's line is the one that is to be looked at."""
    with pytest.raises(json.JSONDecodeError) as caught:
        decode("")
    failure = failure_of(error_of(recorder, caught.value), caught.value)
    line = decode.__code__.co_firstlineno + 2
    assert (failure.function, failure.own_function) == ("JSONDecoder.raw_decode", "decode")
    assert (failure.own_file, failure.own_line) == (__file__, line)
    assert failure.sentence == (
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0) "
        f"(raised at decoder.py:{failure.line} in JSONDecoder.raw_decode, "
        f"called at test_failure.py:{line} in decode, during generate)"
    )


def test_outside_of_a_stage_the_sentence_ends_with_the_line_of_ours(recorder: Recorder) -> None:
    """There is no stage to name."""
    with pytest.raises(json.JSONDecodeError) as caught:
        decode("")
    error = msgspec.structs.replace(error_of(recorder, caught.value), stage="")
    assert failure_of(error).sentence.endswith(" in decode)")


def test_a_swallowed_exception_of_a_library_is_told_with_both_lines(recorder: Recorder) -> None:
    """The engine yields nothing: the row says which of its lines called the library."""
    try:
        decode("")
    except ValueError as exc:
        telemetry.swallowed(exc)
    nothing = EngineError("the engine yielded no video")
    with pytest.raises(EngineError) as caught:
        raise nothing
    failure = failure_of(error_of(recorder, caught.value), caught.value)
    line = decode.__code__.co_firstlineno + 2
    assert failure.sentence.endswith(
        f" in JSONDecoder.raw_decode, called at test_failure.py:{line} in decode)"
    )
    assert failure.caused_by["own_function"] == "decode"


def test_an_exception_of_our_own_code_has_one_line(recorder: Recorder) -> None:
    """It is the place itself."""
    with pytest.raises(KeyError) as caught:
        frames_minimum("wan")
    failure = failure_of(error_of(recorder, caught.value), caught.value)
    assert (failure.own_file, failure.own_line, failure.own_function) == ("", 0, "")
    assert "called at" not in failure.sentence
