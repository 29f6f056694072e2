"""The folder: from records to spans."""

from pathlib import Path
from typing import Any

import pytest

from telemetry import names
from telemetry.journal import JournalReader
from telemetry.records import Kind, SpanBegin, SpanEvent, SpanUpdate, Status
from telemetry.spans import Folder, Span, innermost


def fold(directory: Path, **options: Any) -> tuple[Folder, list[Span]]:
    """Fold a whole journal; return the folder and what has finished, in order."""
    folder = Folder(**options)
    finished = [span for record in JournalReader(directory).read() for span in folder.feed(record)]
    return folder, finished


def test_a_span_finishes_with_its_end_record(script: Any) -> None:
    """Nothing is handed out before the end, then the span with all its facts."""
    script.begin("process x", 0)
    script.begin("stage model", 1)
    script.end(5)
    folder, finished = fold(script.directory)
    assert [span.name for span in finished] == ["stage model"]
    assert finished[0].duration_ns == 4_000_000
    assert finished[0].closed_by == "end"
    assert [span.name for span in folder.open_spans] == ["process x"]


def test_later_attributes_win_and_events_are_kept_in_order(script: Any) -> None:
    """What was set on an open span stands on the finished one."""
    span_id = script.begin("engine load", 0, a=1, b=1)
    script.writer.append(Kind.SPAN_UPDATE, SpanUpdate(span_id=span_id, attributes={"a": 2}))
    for name in ("first", "second"):
        event = SpanEvent(span_id=span_id, name=name, at_ns=1, attributes={})
        script.writer.append(Kind.SPAN_EVENT, event)
    script.end(1)
    _, [span] = fold(script.directory)
    assert (span.attributes["a"], span.attributes["b"]) == (2, 1)
    assert [event.name for event in span.events] == ["first", "second"]


def test_the_end_of_the_process_closes_what_is_open_as_error(script: Any) -> None:
    """Children first, each with how the process ended."""
    script.begin("process x", 0)
    script.begin("stage generate", 1)
    script.end_process("exit", 9)
    folder, finished = fold(script.directory)
    assert [span.name for span in finished] == ["stage generate", "process x"]
    assert {span.status for span in finished} == {Status.ERROR}
    assert {span.closed_by for span in finished} == {"death"}
    assert finished[0].attributes[names.DEATH_KIND] == "exit"
    assert finished[0].attributes[names.DEATH_EXIT_CODE] == 0
    assert folder.open_spans == ()


def test_a_death_is_an_exception_event_on_the_innermost_span_only(script: Any) -> None:
    """As an exception is."""
    script.begin("process x", 0)
    script.begin("stage generate", 1)
    script.end_process("exit", 9)
    _, finished = fold(script.directory)
    assert [[event.name for event in span.events] for span in finished] == [["exception"], []]


def begun(name: str, parent: str = "", trace: str = "task") -> SpanBegin:
    """Return the begin of a span, whose id is its name."""
    return SpanBegin(
        trace_id=trace.encode(),
        span_id=name.encode(),
        parent_id=parent.encode() or None,
        name=name,
        kind=0,
        start_ns=1,
        attributes={},
    )


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], None),
        ([begun("stage", "process"), begun("step", "stage")], "step"),
        ([begun("stage"), begun("step", "stage"), begun("GET", trace="library")], "step"),
        ([begun("GET", trace="library")], None),
        ([begun("stage"), begun("step", "stage"), begun("prefetch", "stage")], "prefetch"),
        ([begun("stage"), begun("call", "stage"), begun("step", "call"), begun("x")], "step"),
    ],
    ids=["none", "a chain", "another trace", "only another trace", "as deep", "a thread's own"],
)
def test_the_innermost_span_is_the_tasks_deepest(
    spans: list[SpanBegin], expected: str | None
) -> None:
    """What a library opens in a thread of its own says nothing of where the task is."""
    found = innermost(spans, b"task")
    assert (found and found.name) == expected


def test_a_death_is_no_event_of_a_librarys_span(script: Any) -> None:
    """It is one of the task's own innermost."""
    script.task("one")
    script.begin("stage generate", 1)
    foreign = begun("GET", trace="library")
    script.writer.append(Kind.SPAN_BEGIN, foreign)
    script.end_process("exit", 9)
    _, finished = fold(script.directory)
    assert {span.name: len(span.events) for span in finished} == {"GET": 0, "stage generate": 1}


def test_records_of_a_span_whose_begin_is_missing_are_counted(script: Any) -> None:
    """A gap in the journal makes no span up."""
    script.writer.append(Kind.SPAN_UPDATE, SpanUpdate(span_id=b"\1" * 8, attributes={"a": 2}))
    folder, finished = fold(script.directory)
    assert (folder.orphans, finished) == (1, [])


def test_the_next_task_clears_what_belonged_to_the_last(script: Any) -> None:
    """A process may live for weeks: the folder keeps the task in hand."""
    script.task("one")
    script.log("of one")
    script.error()
    script.begin("loop iteration", loop26__loop__index=3, loop26__loop__count=32)
    script.end(1, Status.ERROR)
    script.end_task("one")
    script.task("two")
    script.log("of two")
    folder, _ = fold(script.directory)
    assert folder.task is not None
    assert folder.task.task_id == "two"
    assert [log.message for log in folder.logs] == ["of two"]
    assert (folder.errors, folder.failed, folder.iteration) == ([], {}, (0, 0))


def test_the_newest_iteration_is_known_open_or_ended(script: Any) -> None:
    """A death between two iterations is still told by the last."""
    script.task("one")
    script.span("loop iteration", 0, 1, loop26__loop__index=7, loop26__loop__count=32)
    folder, _ = fold(script.directory)
    assert folder.iteration == (7, 32)


@pytest.mark.parametrize("keep", [True, False])
def test_logs_are_kept_only_where_they_are_asked_for(script: Any, *, keep: bool) -> None:
    """A shipper that folds for years has no use for them."""
    script.log("hello")
    folder, _ = fold(script.directory, keep_logs=keep)
    assert len(folder.logs) == keep


def test_lineage_leads_from_a_failed_span_through_open_ones(script: Any) -> None:
    """An error is written when its spans have ended already; what they said is still found."""
    script.begin("process x", 0)
    failed = script.begin("engine generate", 1, loop26__engine__model="wan")
    script.end(2, Status.ERROR)
    folder, _ = fold(script.directory)
    assert [span.name for span in folder.lineage(failed)] == ["engine generate", "process x"]
