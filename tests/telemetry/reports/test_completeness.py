"""What a record holds and lacks."""

from pathlib import Path
from typing import Any

from telemetry.reports.completeness import completeness, nothing_recorded
from telemetry.reports.findings import CompletenessFound
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
    found = completeness(attempt, "the journal", counted={"records": read + 43})
    assert (found.lost, found.complete) == (43, False)
    assert "43 records that were there when it was settled are missing" in found.says
    assert completeness(attempt, "the journal", counted={"records": read}).lost == 0
    assert completeness(attempt, "the journal", counted={"records": "many"}).lost == 0


def test_nothing_recorded_is_said() -> None:
    """No number is made up."""
    found = nothing_recorded("the journal in here")
    assert (found.begun, found.complete) == (0, False)
    assert found.says == "nothing is recorded of this attempt in the journal in here"
