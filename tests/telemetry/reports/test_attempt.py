"""One attempt, taken out of its journey."""

from pathlib import Path
from typing import Any

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.trace import read_trace


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
