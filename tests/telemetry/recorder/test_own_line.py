"""The line of our own that called what raised, where that is a library's."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

import telemetry
from telemetry import names
from telemetry.recorder.own_code import own_caller
from telemetry.records import Error, Frame, Kind

from .conftest import Recording, running

MESSAGE = "Expecting value: line 1 column 1 (char 0)"


def decode(text: str) -> Any:
    """Fail in a library that this line calls."""
    return json.loads(text)


def refuse(text: str) -> Any:
    """Fail in a line of our own."""
    raise ValueError(text)


OWN = (__file__, decode.__code__.co_firstlineno + 2, "decode")
NONE = ("", 0, "")


def failed(recording: Recording, act: Callable[[str], Any] = decode) -> Error:
    """Fail in a stage of a task; return what is written of it."""
    with running(recording):
        try:
            with telemetry.stage("generate"):
                act("")
        except ValueError as exc:
            return recording.recorder.error(exc)
    raise AssertionError("it did not raise")


def own_of(error: Error) -> tuple[str, int, str]:
    """Return the line of our own."""
    return error.own_file, error.own_line, error.own_function


def test_where_a_library_raised_the_line_that_called_it_is_named_too(recording: Recording) -> None:
    """The place stays the one that raised."""
    error = failed(recording)
    assert (error.type, error.message) == ("json.decoder.JSONDecodeError", MESSAGE)
    assert error.function == "JSONDecoder.raw_decode"
    assert own_of(error) == OWN
    assert recording.bodies(Kind.ERROR) == [error]
    assert error.where == (
        f"raised at {error.file}:{error.line} in JSONDecoder.raw_decode, "
        f"called at {__file__}:{OWN[1]} in decode"
    )


def test_where_our_own_code_raised_there_is_one_line(recording: Recording) -> None:
    """Nothing called it but code of its own kind."""
    error = failed(recording, refuse)
    assert own_of(error) == NONE
    assert error.where == f"raised at {error.file}:{error.line} in refuse"


def test_it_is_the_innermost_of_our_own_frames() -> None:
    """Whatever of a library is further out."""
    names_of = ["ours", "theirs", "ours, further in", "theirs", "theirs, at its end"]
    frames = [
        Frame(file="", line=at, function=name, in_app=name.startswith("ours"))
        for at, name in enumerate(names_of)
    ]
    assert own_caller(frames) is frames[2]
    assert own_caller(frames[:3]) is None
    assert own_caller(frames[1:2]) is None
    assert own_caller([]) is None


def test_the_spans_event_has_it_beside_the_line_that_raised(recording: Recording) -> None:
    """OpenTelemetry's attributes are of the latter."""
    error = failed(recording)
    (event,) = recording.spans()["stage generate"].events
    told = event.attributes
    assert (told[names.CODE_FILE], told[names.CODE_FUNCTION]) == (error.file, error.function)
    ours = (names.ERROR_OWN_FILE, names.ERROR_OWN_LINE, names.ERROR_OWN_FUNCTION)
    assert tuple(told[name] for name in ours) == OWN


def test_a_span_that_our_own_code_failed_in_has_no_other_line(recording: Recording) -> None:
    """It would be the same."""
    failed(recording, refuse)
    (event,) = recording.spans()["stage generate"].events
    assert not any(name.startswith("loop26.error.own.") for name in event.attributes)


def test_what_was_handled_before_is_told_with_the_line_that_called_it(
    recording: Recording,
) -> None:
    """An engine that swallows it says nothing of either."""

    def swallow(text: str) -> None:
        try:
            decode(text)
        except ValueError as exc:
            telemetry.swallowed(exc)
        raise ValueError("no output")

    cause = failed(recording, swallow).context["caused_by"]
    assert (cause["own_file"], cause["own_line"], cause["own_function"]) == OWN
    assert cause["function"] == "JSONDecoder.raw_decode"


def test_an_error_that_was_written_before_there_was_this_is_read(recording: Recording) -> None:
    """Its journal may be kept."""
    error = failed(recording)
    told = msgspec.msgpack.decode(msgspec.msgpack.encode(error))
    kept = {name: value for name, value in told.items() if not name.startswith("own_")}
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Error)
    assert own_of(read) == NONE
    assert read.line == error.line
