"""The answer in one sentence, of what failed and of what did not."""

from typing import Any

import msgspec
import pytest

from telemetry.reports.case import Case, TaskRow
from telemetry.reports.completeness import nothing_recorded
from telemetry.reports.fault import failure
from telemetry.reports.findings import CompletenessFound, FailureFound, LinksFound
from telemetry.reports.headway import LoopFound, StageFound
from telemetry.reports.summary import summary

NOTHING = nothing_recorded("the journals")
WHOLE = msgspec.structs.replace(NOTHING, complete=True, begun=40)
ESCAPE = "\x1b[2J\u202e"


def case(status: str = "Failed", relatives: list[TaskRow] | None = None, **facts: Any) -> Case:
    """Make the case of a task in a status."""
    row = TaskRow(id="segment", type="travel_segment", status=status, **facts)
    links = LinksFound(trace_id="", sentry_event_id="")
    return Case(
        asked="segment", task=row, model=None, source="", links=links, relatives=relatives or []
    )


def fault(**facts: Any) -> FailureFound:
    """Make a failure out of a row's error."""
    told = {"kind": "exception", "type": "ValueError", "message": "no", **facts}
    found = failure(None, TaskRow(id="s", type="t2v", status="Failed", error=told))
    assert found is not None
    return found


def loop(completed: int = 0, total: int = 0) -> LoopFound:
    """Make a loop that came so far."""
    return LoopFound(completed=completed, total=total, last=None, slowest=None)


def stage(name: str, ms: float | None, ended: str = "ok") -> StageFound:
    """Make a stage."""
    return StageFound(name=name, began="", ms=ms, ended=ended)


def said(
    found: FailureFound | None,
    at: LoopFound | None = None,
    record: CompletenessFound = WHOLE,
    status: str = "Failed",
    stages: list[StageFound] | None = None,
) -> str:
    """Sum up."""
    return summary(case(status), found, at or loop(), stages or [], record)


def test_a_failure_is_told_with_its_place_and_what_was_none() -> None:
    """The whole of it in one sentence."""
    place = {"file": "wgp.py", "line": 3907, "function": "minimum", "place": "raised at"}
    found = fault(message="'NoneType' has no get", expression="entry", **place)
    assert said(found) == (
        "ValueError: 'NoneType' has no get; entry was None; raised at wgp.py:3907 in minimum"
    )


def test_an_item_that_was_not_there_was_not_none() -> None:
    """A KeyError has an expression, too."""
    assert "was None" not in said(fault(type="KeyError", message="'a'", expression="d['a']"))


def test_a_loop_that_was_over_is_told_whatever_else_is_lost() -> None:
    """All its iterations are there."""
    assert said(fault(), loop(32, 32), NOTHING).endswith(
        ", after all 32 iterations of the parameter loop"
    )


def test_a_loop_that_broke_off_is_told_of_a_whole_record_alone() -> None:
    """Of one with holes it would be a lie."""
    found = fault(stage="parameters")
    assert ", with 8 of 32 iterations of the loop done" in said(found, loop(8, 32))
    assert "32" not in said(found, loop(8, 32), NOTHING)


def test_a_death_is_told_in_its_own_words() -> None:
    """Without the name that programs give it."""
    found = fault(kind="death", type="sigkill", message="the process died of SIGKILL")
    assert said(found) == "the process died of SIGKILL"


def test_a_task_that_is_tried_again_says_so() -> None:
    """What failed was an attempt."""
    assert said(fault(), status="Queued").endswith("; the task is Queued again")


@pytest.mark.parametrize(
    "field", ["type", "message", "stage", "file", "function", "place", "expression"]
)
def test_texts_of_strangers_do_nothing_to_a_terminal(field: str) -> None:
    """In whichever field they stand."""
    found = fault(**{"file": "a.py", "message": "None", field: f"None{ESCAPE}\nx"})
    text = said(found)
    assert text.isprintable()
    assert "\\x1b" in text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("Complete", "it did not fail: it is complete"),
        ("Queued", "it has not failed: it waits in the queue"),
        ("In Progress", "it is at work; nothing has failed so far"),
        ("Cancelled", "it did not fail: it was cancelled"),
        ("Failed", "it failed, and nobody wrote down why"),
    ],
)
def test_a_task_without_a_failure_says_what_became_of_it(status: str, text: str) -> None:
    """In every status."""
    assert said(None, status=status) == text


def test_a_complete_task_says_where_its_time_went() -> None:
    """The longest stage, and its share."""
    stages = [stage("inputs", 500), stage("generate", 9_500)]
    assert said(None, status="Complete", stages=stages) == (
        "it did not fail: it is complete; generate took 9.50 s, 95 % of it"
    )


def test_a_running_task_says_in_which_stage_it_is() -> None:
    """The one that is open."""
    stages = [stage("inputs", 500), stage("parameters", None, "open")]
    assert said(None, status="In Progress", stages=stages) == (
        "it is at work, in stage parameters; nothing has failed so far"
    )


def test_an_orchestrator_waits_for_its_children() -> None:
    """Its own stages have ended; a segment, which has siblings, does not wait."""
    child = TaskRow(id="c", type="travel_segment", status="Queued", parent_id="segment")
    sibling = msgspec.structs.replace(child, parent_id="orchestrator")
    stages = [stage("inputs", 1)]
    waits = summary(case("In Progress", [child]), None, loop(), stages, WHOLE)
    works = summary(case("In Progress", [sibling]), None, loop(), stages, WHOLE)
    assert waits.startswith("it has not failed: it waits for its children")
    assert works.startswith("it is at work")


def test_a_cancelled_task_says_why_on_one_line() -> None:
    """The reason is people's."""
    told = case("Cancelled", error_message=f"no\nneed{ESCAPE}")
    text = summary(told, None, loop(), [], WHOLE)
    assert text.startswith("it did not fail: no need")
    assert text.isprintable()
