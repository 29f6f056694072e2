"""One attempt, taken out of its journey."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.trace import TraceModel, read_trace
from tests.telemetry.conftest import at


def attempt_of(spool: Path, task_id: str, **row: Any) -> Attempt:
    """Read the attempt of a failed task."""
    model = read_trace(spool, task_id)
    assert model is not None
    return Attempt(model, TaskRow(id=task_id, type="travel_segment", status="Failed", **row))


def about(task_id: str, attempt: int = 1) -> dict[str, Any]:
    """Make the attributes of a process span."""
    return {names.TASK_ID: task_id, names.TASK_ATTEMPT: attempt}


def test_what_an_orchestrator_spawned_is_not_of_its_attempt(new_script: Any, spool: Path) -> None:
    """Though its children's spans lie under its own in the trace."""
    script = new_script()
    script.task("journey", "travel_orchestrator")
    root = script.begin("process travel_orchestrator", 0, **about("journey"))
    script.span("stage inputs", 1, 2)
    segment = script.begin("process travel_segment", 3, parent=root, **about("segment"))
    script.begin("stage parameters", 4, parent=segment)
    spans = attempt_of(spool, "journey").spans
    assert [span.name for span in spans] == ["process travel_orchestrator", "stage inputs"]


def test_the_newest_attempt_counts(new_script: Any, spool: Path) -> None:
    """A task that was tried again failed in the way of its last attempt."""
    script = new_script()
    script.task("segment")
    for attempt, stage in ((2, "stage output"), (1, "stage inputs")):
        script.begin("process travel_segment", **about("segment", attempt))
        script.span(stage, attempt, attempt + 1)
        script.end(9)
    assert [span.name for span in attempt_of(spool, "segment").spans][1:] == ["stage output"]


def test_without_its_process_span_an_attempt_is_found_by_the_row(
    new_script: Any, spool: Path
) -> None:
    """The supervisor's journal may be gone, the task process's may not."""
    script = new_script()
    script.task("segment")
    script.begin("stage parameters", 1, parent=b"lost-one")
    attempt = attempt_of(spool, "segment", span_id=b"lost-one".hex())
    assert attempt.root is None
    assert [span.name for span in attempt.spans] == ["stage parameters"]


def test_the_error_that_the_row_names_is_the_failure(new_script: Any, spool: Path) -> None:
    """Not a later one, which may be of cleaning up."""
    script = new_script()
    script.task("segment")
    script.error(event_id="a" * 32, task_id="segment")
    script.error(event_id="b" * 32, task_id="segment")
    row = {"error": {"event_id": "a" * 32}}
    named = attempt_of(spool, "segment", **row).error
    assert named is not None
    assert named.event_id == "a" * 32


def test_an_error_that_was_handled_is_no_failure(new_script: Any, spool: Path) -> None:
    """And one of another task is not this one's."""
    script = new_script()
    script.task("segment")
    script.error(task_id="segment", handled=True)
    script.error(task_id="another")
    assert attempt_of(spool, "segment").error is None


def related(model: TraceModel, parents: dict[int, bytes], ids: dict[int, bytes]) -> TraceModel:
    """Give the spans of a journal other ids and parents, by their place in it."""
    [part] = model.processes
    spans = tuple(
        replace(
            span,
            span_id=ids.get(number, span.span_id),
            parent_id=parents.get(number, span.parent_id),
        )
        for number, span in enumerate(sorted(part.spans, key=lambda one: one.seq))
    )
    return replace(model, processes=(replace(part, spans=spans),))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("parents", "ids", "span_id"),
    [
        ({1: b"rootroot"}, {0: b"rootroot", 1: b"rootroot"}, ""),
        ({0: b"bbbbbbbb", 1: b"aaaaaaaa"}, {0: b"aaaaaaaa", 1: b"bbbbbbbb"}, b"aaaaaaaa".hex()),
        ({0: b"aaaaaaaa"}, {0: b"aaaaaaaa"}, b"aaaaaaaa".hex()),
    ],
    ids=["the root's id", "a circle", "itself"],
)
def test_a_span_that_is_its_own_ancestor_is_told_once(
    script: Any,
    spool: Path,
    parents: dict[int, bytes],
    ids: dict[int, bytes],
    span_id: str,
) -> None:
    """A stranger's black box may have such."""
    script.task("segment")
    script.begin("stage inputs" if span_id else "process travel_segment", **about("segment"))
    script.span("stage parameters", 1, 2)
    model = read_trace(spool, "segment")
    assert model is not None
    row = TaskRow(id="segment", type="travel_segment", status="Failed", span_id=span_id)
    names_told = [one.name for one in Attempt(related(model, parents, ids), row).spans]
    assert sorted(set(names_told)) == sorted(names_told)


def of_row(spool: Path, **row: Any) -> Attempt | None:
    """Read the attempt that a failed segment's row tells of."""
    told = {"type": "travel_segment", "status": "Failed", **row}
    return Attempt.of(read_trace(spool, "segment"), TaskRow(id="segment", **told))


def test_of_an_attempt_that_is_not_recorded_there_is_none(script: Any, spool: Path) -> None:
    """What is recorded of the one before says nothing of it."""
    script.task("segment")
    script.begin("process travel_segment", **about("segment", 1))
    script.error(task_id="segment", span_id=None)
    assert of_row(spool, attempt=1) is not None
    assert of_row(spool, attempt=2) is None


def test_of_an_attempt_without_a_record_of_the_journey_there_is_none(spool: Path) -> None:
    """As with a task that was never begun."""
    assert of_row(spool) is None


def test_an_attempt_that_was_given_back_is_another(script: Any, spool: Path) -> None:
    """The next one has the same number, and the row names its span."""
    script.task("segment")
    for start, stage in ((0, "stage inputs"), (5, "stage output")):
        script.begin("process travel_segment", start, **about("segment"))
        script.span(stage, start + 1, start + 2)
        script.end(start + 3)
    told = [of_row(spool, attempt=1, span_id=f"{number:016x}") for number in (1, 3)]
    assert [[span.name for span in one.spans][1:] for one in told if one] == [
        ["stage inputs"],
        ["stage output"],
    ]


def test_another_error_than_the_row_names_is_not_the_failure(script: Any, spool: Path) -> None:
    """It is of an attempt before; where nothing has an id it cannot be told so."""
    script.task("segment")
    script.begin("process travel_segment", **about("segment"))
    script.error(event_id="1" * 32, task_id="segment")
    found = of_row(spool, attempt=1, error={"event_id": "2" * 32})
    assert found is not None
    assert found.error is None


def test_a_row_that_names_no_error_has_the_newest_of_its_attempt(script: Any, spool: Path) -> None:
    """What is no text names none."""
    script.task("segment")
    script.begin("process travel_segment", **about("segment"))
    script.error(event_id="1" * 32, task_id="segment")
    for event_id in ("", 5, True):
        found = of_row(spool, attempt=1, error={"event_id": event_id})
        assert found is not None
        assert found.error is not None


def test_a_source_without_ids_tells_the_error_all_the_same(script: Any, spool: Path) -> None:
    """The newest that nobody handled."""
    script.task("segment")
    script.begin("process travel_segment", **about("segment"))
    script.error(event_id="", task_id="segment")
    found = of_row(spool, attempt=1, error={"event_id": "2" * 32})
    assert found is not None
    assert found.error is not None


def test_an_error_of_the_attempt_before_is_not_this_ones(new_script: Any, spool: Path) -> None:
    """Its spans may be lost: then it was before this one began."""
    script = new_script()
    script.task("segment")
    script.error(at_ns=at(1), task_id="segment", span_id=b"lost-one")
    script.begin("process travel_segment", 5, **about("segment", 2))
    found = of_row(spool, attempt=2)
    assert found is not None
    assert found.error is None


@pytest.mark.parametrize("status", ["Complete", "Cancelled"])
def test_a_task_that_went_well_has_no_error(script: Any, spool: Path, status: str) -> None:
    """Though an attempt at it may have had one."""
    script.task("segment")
    script.begin("process travel_segment", **about("segment"))
    script.error(task_id="segment")
    found = of_row(spool, status=status)
    assert found is not None
    assert found.error is None
