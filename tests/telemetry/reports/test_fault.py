"""What failed and where, of the record of a real exception, and of a row alone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry.recorder import Recorder
from telemetry.records import Error
from telemetry.reports.case import TaskRow
from telemetry.reports.fault import failure

ROW = TaskRow(id="segment", type="travel_segment", status="Failed")


def frames_and_step(model_type: str) -> int:
    """Fail as the engine of the incident did."""
    entry = dict[str, dict[str, int]]().get(model_type)
    return entry.get("frames_minimum", 5)  # type: ignore[union-attr]  # as it was then


@pytest.fixture
def error(spool: Path) -> Error:
    """Record the failure of the incident, raised for real."""
    recorder = Recorder.open(spool, role="task")
    try:
        frames_and_step("")
    except AttributeError as exc:
        return recorder.error(exc)
    finally:
        recorder.close(exit_code=0)
    raise AssertionError("it must fail")


def test_a_recorded_failure_names_its_line_and_the_value_that_did_it(error: Error) -> None:
    """The model's name was empty, and that is seen."""
    found = failure(error, ROW)
    assert found is not None
    assert (found.type, found.expression) == ("AttributeError", "entry")
    assert found.location.function == "frames_and_step"
    (line,) = [line for line in found.frames[-1].source if line.number == found.location.line]
    assert 'entry.get("frames_minimum", 5)' in line.text
    assert [(value.name, value.value) for value in found.values] == [
        ("entry", None),
        ("model_type", ""),
    ]
    assert found.values[1].origin.endswith("as ''")
    assert found.sentence.startswith("AttributeError: 'NoneType' object has no attribute 'get'")


def test_the_sentence_is_the_one_that_people_were_given(error: Error) -> None:
    """The same words are on the row."""
    row = TaskRow(
        id="segment", type="t2v", status="Failed", error={"kind": "refused", "sentence": "no"}
    )
    found = failure(error, row)
    assert found is not None
    assert (found.kind, found.sentence) == ("refused", "no")


def test_a_row_without_a_record_still_names_the_place() -> None:
    """Another machine's journal may be gone."""
    told = {"kind": "death", "type": "SIGSEGV", "file": "a.py", "line": 7, "signal": "SIGSEGV"}
    found = failure(None, TaskRow(id="x", type="t2v", status="Failed", error=told))
    assert found is not None
    assert (found.location.file, found.location.line, found.signal) == ("a.py", 7, "SIGSEGV")
    assert found.frames == []


def test_what_did_not_fail_has_no_failure() -> None:
    """Neither record nor row knows of one."""
    assert failure(None, ROW) is None


WRONG: list[Any] = [None, True, 1.5, float("inf"), "x", [1], {"a": [1]}, b"x", {1: 2}, [[], "y"]]
FIELDS = [
    *("kind", "type", "message", "sentence", "file", "line", "function", "place", "stage"),
    *("loop_index", "loop_count", "fingerprint", "event_id", "expression", "caused_by", "signal"),
    *("exit_code", "last_words", "root_cause", "record", "death", "open_spans", "anything"),
]


@pytest.mark.parametrize("name", FIELDS)
def test_a_row_that_another_application_wrote_is_told(name: str) -> None:
    """What is in it of another type than it should be is left out, and the rest is told."""
    for wrong in WRONG:
        told = {"type": "KeyError", "message": "x", name: wrong}
        found = failure(None, TaskRow(id="x", type="t2v", status="Failed", error=told))
        assert found is not None
        assert msgspec.convert(msgspec.to_builtins(found), type(found)) == found


@pytest.mark.parametrize("name", ["death", "caused_by", "last_words"])
def test_the_context_of_an_error_may_be_of_any_form(error: Error, name: str) -> None:
    """A stranger may have written the record."""
    for wrong in [*WRONG, {"exit_code": "x", "signal": [1]}]:
        found = failure(msgspec.structs.replace(error, context={name: wrong}), ROW)
        assert found is not None
        assert msgspec.convert(msgspec.to_builtins(found), type(found)) == found


def test_last_words_are_texts() -> None:
    """One that is none is not shown."""
    told = {"type": "SIGSEGV", "last_words": [1, "a", None, {"b": 2}]}
    found = failure(None, TaskRow(id="x", type="t2v", status="Failed", error=told))
    assert found is not None
    assert found.last_words == ["a"]
