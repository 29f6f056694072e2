"""What a record holds and lacks."""

from pathlib import Path
from typing import Any

import pytest

from telemetry.journal import JournalReader
from telemetry.journal.format import read_header
from telemetry.reports.completeness import completeness, nothing_recorded
from telemetry.reports.findings import CompletenessFound
from telemetry.reports.html import page
from telemetry.reports.markdown import markdown
from telemetry.reports.terminal import plain
from telemetry.reports.trace import Journals
from tests.telemetry.reports.recorded import Attempted, incident
from tests.telemetry.reports.test_attempt import about, attempt_of


def record(new_script: Any) -> Any:
    """Write a segment that was at its parameters."""
    script = new_script()
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage parameters", 1)
    for index in range(20):
        script.span("loop iteration", 2 + index, 3 + index)
    return script


def of(spool: Path) -> CompletenessFound:
    """Tell of the segment's record."""
    return completeness(attempt_of(spool, "segment"), "the journal", ["the weather"])


def test_an_attempt_that_ended_is_complete(new_script: Any, spool: Path) -> None:
    """All spans ended by their own process, and nothing missing."""
    script = record(new_script)
    script.end(40, status=2)
    script.end(41, status=2)
    script.end_task("segment", "Failed", 42)
    found = of(spool)
    assert (found.begun, found.arrived, found.lost, found.complete) == (22, 22, 0, True)
    assert found.says == "complete: 22 spans begun, 22 ended by their process; no record is missing"
    assert found.unknown == ["the weather"]


def test_a_death_that_was_written_down_leaves_a_complete_record(
    new_script: Any, spool: Path
) -> None:
    """What was open when the process died is known to have been cut off."""
    record(new_script).end_process("signal", 50)
    found = of(spool)
    assert (found.begun, found.arrived, found.cut_off, found.complete) == (22, 20, 2, True)
    assert found.says.startswith("complete up to the death")


def test_a_process_at_work_has_open_spans(new_script: Any, spool: Path) -> None:
    """They are not cut off."""
    record(new_script)
    found = of(spool)
    assert (found.open, found.cut_off, found.complete) == (2, 0, True)
    assert found.says.startswith("complete so far")


def test_a_tail_that_was_cut_is_missing(new_script: Any, spool: Path) -> None:
    """The incident: the last record that arrived was taken for the place of the crash."""
    record(new_script).writer.close()
    found = of(spool)
    assert not found.complete
    assert "its tail is missing" in found.says
    assert "where it ends is not where the failure is" in found.says


def test_a_hole_in_the_middle_is_counted(new_script: Any, spool: Path) -> None:
    """By sequence numbers: so many records are missing, between these."""
    script = record(new_script)
    script.end_process("exit", 50)
    (file,) = script.directory.glob("*.journal")
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes(400) + whole[middle + 400 :])
    found = of(spool)
    assert found.lost > 0
    assert found.damaged_bytes > 0
    assert not found.complete
    assert found.gaps
    assert sum(gap.last - gap.first + 1 for gap in found.gaps) == found.lost
    assert f"{found.lost} records are missing" in found.says


def test_what_was_there_when_it_was_settled_and_is_not_now_is_counted(
    new_script: Any, spool: Path
) -> None:
    """The row has the number: so it is known how many records of a lost tail never arrived."""
    record(new_script).writer.close()
    attempt = attempt_of(spool, "segment")
    read = sum(one.records for part in attempt.parts for one in part.read)
    found = completeness(attempt, "the journal", by_row={"records": read + 43})
    assert (found.lost, found.complete) == (43, False)
    assert "43 records that were there when it was settled are missing" in found.says
    assert completeness(attempt, "the journal", by_row={"records": read}).lost == 0
    assert completeness(attempt, "the journal", by_row={"records": "many"}).lost == 0


def test_nothing_recorded_is_said() -> None:
    """No number is made up."""
    found = nothing_recorded("the journal in here")
    assert (found.begun, found.complete) == (0, False)
    assert found.says == "nothing is recorded of this attempt in the journal in here"


def test_records_that_were_lost_with_the_begin_are_counted(spool: Path) -> None:
    """By their numbers, and by those that the row has; all iterations were among them."""
    attempted = Attempted(spool=spool).run(incident)
    counted = sum(
        read.records
        for part in attempted.model().processes
        if part.facts.role == "task"
        for read in part.read
    )
    lose_first_quarter(attempted.task_journal)
    left = sum(
        read.records
        for part in attempted.model().processes
        if part.facts.role == "task"
        for read in part.read
    )
    record = attempted.found().completeness
    assert record.lost == counted - left > 0
    assert f"{record.lost} records missing" in record.says
    assert record.gaps
    by_row = attempted.found({"error": {"record": {"records": counted + 2}}}).completeness
    assert by_row.lost == counted + 2 - left


def test_a_begin_lost_after_another_task_is_counted_from_that_ones_end(
    new_script: Any, spool: Path
) -> None:
    """The first number that was to come is the one after the last of the task before."""
    script = new_script()
    script.task("other")
    script.end_task("other")
    script.task("segment")
    script.begin("process travel_segment", 0, **about("segment"))
    script.begin("stage parameters", 1)
    script.span("loop iteration", 2, 3)
    script.end(4)
    script.end(5)
    script.end_task("segment", "Failed", 6)
    script.writer.close()
    (file,) = script.directory.glob("*.journal")
    records = list(JournalReader(script.directory).read())
    first, last = records[1].end.offset, records[4].end.offset
    whole = file.read_bytes()
    file.write_bytes(whole[:first] + bytes(last - first) + whole[last:])
    [part] = Journals(spool).trace("segment").processes  # type: ignore[union-attr] # it is indexed
    assert part.gaps == ((3, 5),)


def lose_first_quarter(journal: Path) -> None:
    """Damage the first quarter of a task's records in its journal, its begin among them."""
    (file,) = journal.glob("*.journal")
    whole = file.read_bytes()
    with file.open("rb") as opened:
        at = read_header(opened).size
    quarter = (len(whole) - at) // 4
    file.write_bytes(whole[:at] + bytes(quarter) + whole[at + quarter :])


@pytest.mark.parametrize("status", ["Queued", "Cancelled"])
def test_of_a_task_that_has_not_run_nothing_is_missing(spool: Path, status: str) -> None:
    """No attempt was made: nothing was to be recorded, and there is nothing to run again."""
    found = Attempted(spool=spool).found({"status": status, "attempt": 0})
    record = found.completeness
    assert (record.complete, record.begun, found.replay) == (True, 0, "")
    assert record.says == "it has not run: nothing was to be recorded"
    assert "not run" in found.says
    for said in (plain(found), markdown(found), page(found)):
        text = said.lower()
        assert "incomplete" not in text
        assert "loop26 replay" not in text
        assert "not run" in text
        assert "attempt 0" not in text


def test_a_task_that_was_claimed_and_has_no_record_is_incomplete(spool: Path) -> None:
    """Something was to be recorded of it."""
    row = {"status": "Cancelled", "attempt": 1, "claimed": "2026-02-24T14:31:52.118204Z"}
    assert not Attempted(spool=spool).found(row).completeness.complete
