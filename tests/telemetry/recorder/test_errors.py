"""An exception is written whole, once, with the place it had where it was raised."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import telemetry
from telemetry import names
from telemetry.recorder.capture import Place, capture
from telemetry.recorder.exceptions import chain, message
from telemetry.recorder.own_code import OwnCode
from telemetry.recorder.redaction import Redactor
from telemetry.records import Error, Kind, Status

from .conftest import Recording

OURS = OwnCode([__name__])


def caught(function: Callable[[], Any]) -> BaseException:
    """Return the exception that a function raises."""
    try:
        function()
    except BaseException as exc:  # noqa: BLE001 - whatever it is, is looked at
        return exc
    raise AssertionError("it did not raise")


def taken(exc: BaseException, **facts: Any) -> Error:
    """Return what is taken down of an exception."""
    return capture(exc, redactor=Redactor(), own=OURS, **facts)


def get_model_min_frames_and_step(model_type: str) -> Any:
    """Fail as the engine of the incident does."""
    registry: dict[str, dict[str, int]] = {"t2v": {}}
    model_def = registry.get(model_type)
    return model_def.get("frames_minimum", 5)  # type: ignore[union-attr]  # the incident's fault


def test_the_incident_names_its_line_and_its_empty_model_name(recording: Recording) -> None:
    """Type, message, `file:line in function`, the locals of the frame, the stage."""
    exc = caught(lambda: _staged(lambda: get_model_min_frames_and_step("")))
    error = recording.recorder.error(exc)

    assert (error.type, error.message) == (
        "AttributeError",
        "'NoneType' object has no attribute 'get'",
    )
    line = get_model_min_frames_and_step.__code__.co_firstlineno + 4
    assert (error.file, error.line) == (__file__, line)
    assert (error.function, error.place) == ("get_model_min_frames_and_step", "raised at")
    assert error.stage == "parameters"
    innermost = error.chain[0].frames[-1]
    assert innermost.locals == {"model_type": "", "registry": {"t2v": {}}, "model_def": None}
    assert (
        innermost.source[innermost.line - innermost.source_first_line]
        .strip()
        .startswith('return model_def.get("frames_minimum", 5)')
    )


def test_an_error_after_the_loop_says_that_the_loop_had_finished(recording: Recording) -> None:
    """The incident was blamed on an iteration; 32 of 32 were done when it was raised."""
    task = {"task_id": "t", "attempt": 1, "task_type": "t2v", "worker_id": "w"}
    with recording.recorder.task(trace_id=bytes(16), **task):
        for index in range(1, 33):
            with telemetry.iteration(index, 32):
                pass
        exc = caught(lambda: get_model_min_frames_and_step(""))
        error = recording.recorder.error(exc)
    assert (error.loop_index, error.loop_count) == (32, 32)


def test_an_error_is_in_the_journal_as_it_is_returned(recording: Recording) -> None:
    """Before anything else happens with it."""
    error = recording.recorder.error(caught(lambda: get_model_min_frames_and_step("")))

    assert recording.bodies(Kind.ERROR) == [error]


def test_an_exception_object_is_recorded_once(recording: Recording) -> None:
    """The handler, the boundary and a logger may all see it."""
    exc = caught(lambda: get_model_min_frames_and_step(""))
    first = recording.recorder.error(exc)

    assert recording.recorder.error(exc) is first
    assert recording.bodies(Kind.ERROR) == [first]


def test_an_error_belongs_to_the_innermost_span_it_left(recording: Recording) -> None:
    """And to the stage and the iteration there, though all are over when it is caught."""

    def fail() -> None:
        with (
            telemetry.stage("parameters"),
            telemetry.iteration(26, 32),
            telemetry.span("inner") as span,
        ):
            ids.append((span.trace_id, span.span_id))
            raise ValueError("why")

    ids: list[tuple[bytes, bytes]] = []
    with recording.recorder.task(
        task_id="e040ae48", attempt=1, task_type="t2v", trace_id=b"t" * 16, worker_id="w"
    ):
        error = recording.recorder.error(caught(fail))

    assert (error.trace_id, error.span_id) == ids[0]
    assert (error.stage, error.loop_index, error.loop_count) == ("parameters", 26, 32)
    assert error.task_id == "e040ae48"


def test_an_error_caught_inside_a_span_marks_that_span(recording: Recording) -> None:
    """Event and status; when it goes on through the block, it is not told twice."""
    with telemetry.span("stage") as span:
        error = recording.recorder.error(caught(lambda: get_model_min_frames_and_step("")))

    found = recording.spans()["stage"]
    assert error.span_id == span.span_id
    assert found.status == Status.ERROR
    assert [event.attributes["loop26.error.id"] for event in found.events] == [error.event_id]


def test_a_handled_exception_leaves_its_span_well(recording: Recording) -> None:
    """It has the event, and no error status."""
    with telemetry.span("stage"):
        exc = caught(lambda: get_model_min_frames_and_step(""))
        error = recording.recorder.error(exc, handled=True)

    found = recording.spans()["stage"]
    assert error.handled
    assert (found.status, len(found.events)) == (Status.UNSET, 1)


def test_a_recorded_exception_can_still_be_pickled(recording: Recording) -> None:
    """Another process may be waiting for it."""
    exc = caught(lambda: get_model_min_frames_and_step(""))
    recording.recorder.error(exc)

    assert str(pickle.loads(pickle.dumps(exc))) == str(exc)  # noqa: S301 - our own bytes


def test_the_whole_chain_is_taken() -> None:
    """Causes and contexts, each with its own frames."""

    def fail() -> None:
        try:
            try:
                {}["first"]
            except KeyError:
                raise ValueError("second")  # noqa: B904 - the context is what is tested
        except ValueError as exc:
            raise RuntimeError("third") from exc

    found = [(facts.type, facts.relation) for facts in taken(caught(fail)).chain]
    assert found == [("RuntimeError", ""), ("ValueError", "cause"), ("KeyError", "context")]


def test_a_suppressed_context_is_left_out() -> None:
    """`raise … from None` says that it does not matter."""

    def fail() -> None:
        try:
            {}["first"]
        except KeyError:
            raise ValueError("second") from None

    assert [facts.type for facts in taken(caught(fail)).chain] == ["ValueError"]


def test_the_members_of_a_group_are_taken() -> None:
    """In their order, with what caused them."""

    def fail() -> None:
        inner = ValueError("b")
        inner.__cause__ = TypeError("c")
        raise ExceptionGroup("several", [KeyError("a"), inner])

    found = [(facts.type, facts.relation) for facts in taken(caught(fail)).chain]
    assert found == [
        ("ExceptionGroup", ""),
        ("KeyError", "member"),
        ("ValueError", "member"),
        ("TypeError", "cause"),
    ]


def test_a_chain_that_bites_its_tail_ends() -> None:
    """Python lets a program build one."""
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first

    assert len(chain(first)) == 2


def test_an_endless_recursion_is_taken_in_a_bounded_size() -> None:
    """Its ends are what tells; the middle is counted."""

    def fall(depth: int) -> int:
        return fall(depth + 1) + 1

    error = taken(caught(lambda: fall(0)))

    assert error.type == "RecursionError"
    assert len(error.chain[0].frames) == 128
    assert error.context["frames_left_out"] > 500
    depths = [frame.locals.get("depth") for frame in error.chain[0].frames]
    assert depths[2] == 0
    assert depths[-1] == error.context["frames_left_out"] + len(depths) - 3


def test_notes_are_kept() -> None:
    """They say what the program knew."""
    exc = ValueError("x")
    exc.add_note("while reading key 26, password=hunter2")

    assert taken(exc).context["notes"] == {
        "ValueError": ["while reading key 26, password=[redacted]"]
    }


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    """And nothing is made up."""
    error = taken(ValueError("x"))

    assert (error.file, error.line, error.function, error.place) == ("", 0, "", "")


def test_a_fingerprint_is_type_function_and_stage() -> None:
    """LOOP 9 and LOOP 26 are one failure: no line, no message, no iteration in it."""
    nine = taken(
        caught(lambda: get_model_min_frames_and_step("")), place=Place("parameters", 9, 32)
    )
    twenty_six = taken(
        caught(lambda: get_model_min_frames_and_step("x")), place=Place("parameters", 26, 32)
    )
    elsewhere = taken(caught(lambda: get_model_min_frames_and_step("")), place=Place("model"))
    text = f"AttributeError\n{__name__}.get_model_min_frames_and_step\nparameters"

    assert nine.fingerprint == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert nine.fingerprint == twenty_six.fingerprint != elsewhere.fingerprint


def test_the_event_of_the_span_has_the_fingerprint_of_the_error(recording: Recording) -> None:
    """By it a trace viewer finds the failures of one cause; left first or recorded first."""
    errors = []
    for name, record_first in (("recorded", True), ("left", False)):
        try:
            with recording.recorder.span(name):
                try:
                    {}["models"]
                except KeyError as exc:
                    if record_first:
                        errors.append(recording.recorder.error(exc))
                    raise
        except KeyError as exc:
            if not record_first:
                errors.append(recording.recorder.error(exc))
    events = [event for name in ("recorded", "left") for event in recording.spans()[name].events]

    assert [event.attributes[names.ERROR_FINGERPRINT] for event in events] == [
        error.fingerprint for error in errors
    ]


def test_a_fingerprint_is_of_the_innermost_function_of_our_own() -> None:
    """A library may raise from different depths for one cause."""
    error = taken(caught(lambda: _parsed("{")))
    innermost = error.chain[0].frames[-1]
    text = f"json.decoder.JSONDecodeError\n{__name__}._parsed\n"

    assert not innermost.in_app
    assert error.fingerprint == hashlib.sha256(text.encode()).hexdigest()[:16]


class Rude(Exception):
    """An exception whose text harms."""

    def __str__(self) -> str:
        raise SystemExit("from __str__")


class Foreign:
    """Fails the test when it is turned into text."""

    def __repr__(self) -> str:
        pytest.fail("foreign code was called")

    __str__ = __repr__


def with_file(*args: Any) -> OSError:
    """Return what a call with a path raises; the path is no argument of it, but an attribute."""
    return OSError(*args)


@pytest.mark.parametrize(
    ("exc", "text"),
    [
        (ValueError("plain", 1), "('plain', 1)"),
        (KeyError("guidance_phases"), "'guidance_phases'"),
        (FileNotFoundError(2, "No such file", "/x"), "[Errno 2] No such file: '/x'"),
        (ExceptionGroup("several", [ValueError(Foreign())]), "several (1 sub-exception)"),
        (ValueError("bad", Foreign()), f"bad, <{__name__}.Foreign>"),
        (with_file(2, "No such file", Foreign()), f"2, No such file, <{__name__}.Foreign>"),
        (with_file(2, "No such file", Path("/x")), "[Errno 2] No such file: PosixPath('/x')"),
        (ImportError(Foreign()), f"<{__name__}.Foreign>"),
        (ValueError(b"x" * 100_000), "<bytes 100000>"),
        (Rude(), "<no message: its __str__ raised SystemExit>"),
        (ValueError("key sb_secret_abcdefghijkl"), "key sb_secret_[redacted]"),
        (ValueError("x" * 100_000), f"{'x' * 8192}… [100000 characters]"),
    ],
)
def test_a_message_is_had_without_harm(exc: BaseException, text: str) -> None:
    """Nothing of an argument's own code runs, no secret is in it, and it is bounded."""
    assert message(exc) == text


@given(st.text(), st.integers(), st.floats(allow_nan=False))
def test_any_plain_message_can_be_written(text: str, number: int, real: float) -> None:
    """Also with what UTF-8 cannot hold."""
    message(ValueError(text, number, real)).encode()


def _staged(function: Callable[[], Any]) -> None:
    with telemetry.stage("parameters"):
        function()


def _parsed(text: str) -> Any:
    import json

    return json.loads(text)
