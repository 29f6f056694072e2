"""How a span ended, told from what its process recorded after it."""

from pathlib import Path
from typing import Any

from telemetry import names
from telemetry.reports.endings import Endings
from telemetry.reports.findings import Investigation
from telemetry.reports.sentences import counts_text
from telemetry.reports.trace import read_trace
from tests.telemetry.reports.recorded import Attempted
from tests.telemetry.reports.test_attempt import about, attempt_of

ROW = {"error": {"type": "KeyError"}, "returned": "2026-02-02T02:40:00.500000+00:00"}


def stage(name: str) -> dict[str, Any]:
    """Make the attributes of a stage."""
    return {names.STAGE_NAME: name}


def cut_tail(new_script: Any, spool: Path, **row: Any) -> Investigation:
    """Investigate a task whose record ends in its stage parameters, its process dead."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage parameters", 10, **stage("parameters"))
    script.log("the last that arrived", 40)
    script.writer.close()
    return Attempted(spool=spool, task_id="segment").found({**ROW, **row})


def with_hole(new_script: Any, spool: Path) -> Investigation:
    """Investigate a task whose process went on after a stage whose end was lost."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage generate", 10, **stage("generate"))
    script.end(20, status=2)
    script.end(30, status=2)
    script.end_task("segment", "Failed", 31)
    script.end_process("exit", 200)
    lose_end(script.directory)
    return Attempted(spool=spool, task_id="segment").found(ROW)


def lose_end(directory: Path) -> None:
    """Damage the first record of a span's end, which is the fourth after those of a begin."""
    from telemetry.journal import JournalReader
    from telemetry.records import SpanEnd

    (file,) = directory.glob("*.journal")
    before = None
    for record in JournalReader(directory).read():
        if isinstance(record.body, SpanEnd):
            break
        before = record.end.offset
    assert before is not None
    raw = bytearray(file.read_bytes())
    raw[before + 12] ^= 0xFF
    raw[before + 20] ^= 0xFF
    file.write_bytes(raw)


def test_a_dead_process_whose_record_was_cut_is_not_at_work(new_script: Any, spool: Path) -> None:
    """The incident: the last line of a log that was cut was taken for the place of the crash."""
    found = cut_tail(new_script, spool)
    assert [(one.ended, one.ms) for one in found.stages] == [("unknown", None)]
    assert {bar.ended for bar in found.timeline.bars} == {"unknown"}
    assert {bar.end_ms for bar in found.timeline.bars} == {40.0}
    assert found.timeline.record_ends_ms == 40.0


def test_a_cut_record_counts_spans_without_an_end_as_that(new_script: Any, spool: Path) -> None:
    """No death is known to have cut them off."""
    record = cut_tail(new_script, spool).completeness
    assert (record.begun, record.cut_off, record.open, record.unended) == (2, 0, 0, 2)
    assert "2 without an end in the record" in counts_text(record)


def test_the_failures_moment_is_the_rows_where_the_record_has_none(
    new_script: Any, spool: Path
) -> None:
    """And it is said from where it is."""
    timeline = cut_tail(new_script, spool).timeline
    assert (timeline.failed_ms, timeline.failed_by) == (500.0, "row")
    [failure] = [one for one in timeline.around if one.kind == "failure"]
    assert (failure.offset_ms, failure.text) == (0.0, "KeyError, as the queue's row has it")


def test_a_row_whose_time_no_calendar_has_says_no_moment(new_script: Any, spool: Path) -> None:
    """Another application may have written it."""
    assert cut_tail(new_script, spool, returned="never").timeline.failed_ms is None


def test_a_span_whose_end_alone_was_lost_was_not_cut_off(new_script: Any, spool: Path) -> None:
    """Its process went on: it ended the task."""
    found = with_hole(new_script, spool)
    assert [(one.ended, one.ms) for one in found.stages] == [("unknown", None)]
    [bar] = [bar for bar in found.timeline.bars if bar.kind == "stage"]
    assert (bar.ended, bar.end_ms) == ("unknown", 30.0)
    record = found.completeness
    assert (record.lost, record.cut_off, record.unended) == (1, 0, 1)
    assert found.timeline.record_ends_ms is None


def test_an_iteration_that_the_next_one_followed_was_not_cut_off(
    new_script: Any, spool: Path
) -> None:
    """Where records are missing; the death cut off only the newest."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("loop iteration", 10)
    script.end(20)
    script.begin("loop iteration", 21)
    script.end_process("signal", 50)
    lose_end(script.directory)
    ended = Endings.of(attempt_of(spool, "segment"))
    found = [ended.how(span) for span in attempt_of(spool, "segment").named("loop iteration")]
    assert found == ["unknown", "cut off"]


def test_of_a_trace_each_span_is_of_the_attempt_that_it_is_under(
    new_script: Any, spool: Path
) -> None:
    """A process went on to its next task after one whose end was lost, and died in that."""
    script = new_script()
    script.task("first", at_ms=0)
    script.begin("process travel_segment", 1, **about("first"))
    script.span("stage generate", 2, 3)
    script.end(4)
    script.end_task("first", at_ms=5)
    script.task("second", at_ms=10)
    script.begin("process travel_segment", 11, **about("second"))
    script.end_process("signal", 50)
    lose_end(script.directory)
    model = read_trace(spool, "second")
    assert model is not None
    endings = Endings.of_trace(model)
    assert [endings.how(span) for span in model.spans] == ["ok", "unknown", "cut off"]


def test_a_span_under_no_attempt_is_not_over_by_the_end_of_one(
    new_script: Any, spool: Path
) -> None:
    """A supervisor's own goes on."""
    script = new_script()
    script.task("first", at_ms=1)
    script.begin("receive tasks", 2)
    script.end_task("first", at_ms=5)
    model = read_trace(spool, "first")
    assert model is not None
    assert [Endings.of_trace(model).how(span) for span in model.spans] == ["open"]


def test_a_trace_whose_spans_are_their_own_ancestors_is_told(new_script: Any, spool: Path) -> None:
    """A stranger may have written it."""
    script = new_script()
    script.task("first")
    script.begin("stage generate", 0, parent=(2).to_bytes(8, "big"))
    script.begin("stage generate", 1, parent=(1).to_bytes(8, "big"))
    model = read_trace(spool, "first")
    assert model is not None
    assert [Endings.of_trace(model).how(span) for span in model.spans] == ["open", "open"]


def test_a_living_process_is_at_work(new_script: Any, spool: Path) -> None:
    """Its open spans are open, and its record goes on."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    found = Attempted(spool=spool, task_id="segment").found({"status": "In Progress"})
    assert [bar.ended for bar in found.timeline.bars] == ["open"]
    assert found.timeline.record_ends_ms is None


def test_an_end_that_may_be_among_missing_records_is_unknown(script: Any, spool: Path) -> None:
    """Its process died later: whether in it nobody can say."""
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage parameters", 10, **stage("parameters"))
    script.writer.next_seq += 45
    script.end_process("signal", 50)
    found = Attempted(spool=spool, task_id="segment").found(ROW)
    assert [(one.ended, one.ms) for one in found.stages] == [("unknown", None)]
    assert [bar.end_ms for bar in found.timeline.bars] == [10.0, 10.0]
    assert (found.completeness.cut_off, found.completeness.unended) == (0, 2)


def test_what_was_seen_to_be_open_after_the_last_hole_was_cut_off(script: Any, spool: Path) -> None:
    """By what began within it; a hole before that cannot hold its end."""
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage generate", 10, **stage("generate"))
    script.span("denoise step", 11, 12)
    script.writer.next_seq += 40
    script.begin("denoise step", 30)
    script.end_process("signal", 50)
    attempt = attempt_of(spool, "segment")
    endings = Endings.of(attempt)
    assert [endings.how(span) for span in attempt.spans] == ["cut off", "cut off", "ok", "cut off"]
