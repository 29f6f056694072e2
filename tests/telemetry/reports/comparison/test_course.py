"""What an attempt did, in order, where the record of it has holes."""

from pathlib import Path

import pytest

from telemetry import names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import Case
from telemetry.reports.comparison.compare import compare
from telemetry.reports.comparison.course import course, ended_by_failure
from telemetry.reports.comparison.value import Comparison
from tests.telemetry.conftest import Script
from tests.telemetry.reports.comparison.pairs import A, B, decided, loaded, scripted
from tests.telemetry.reports.comparison.test_rows import fact, timing
from tests.telemetry.reports.recorded import Attempted
from tests.telemetry.reports.test_attempt import about
from tests.telemetry.reports.test_endings import lose_end, stage


@pytest.fixture
def holed(tmp_path: Path) -> Case:
    """Make the case of a task that died in its parameters; the end of its model's load was lost."""
    script = Script(tmp_path / "a")
    script.task(A)
    script.begin("process travel_segment", 0, **about(A))
    loaded(script, 900)
    script.begin("stage parameters", 1000, **stage("parameters"))
    decided(script, seed=789, most=3)
    script.end_process("signal", 2000)
    lose_end(script.directory)
    row = {"status": "Failed", "attempt": 1, "error": {"kind": "death", "type": "sigkill"}}
    return Attempted(spool=tmp_path / "a", task_id=A).case(row, asked=A)


@pytest.fixture
def attempt(holed: Case) -> Attempt:
    """Take its attempt."""
    found = Attempt.of(holed.model, holed.task)
    assert found is not None
    return found


@pytest.fixture
def found(holed: Case, tmp_path: Path) -> Comparison:
    """Compare it with a run that went well."""
    return compare(holed, scripted(tmp_path, B, seed=789, fails=False))


def test_a_death_has_not_ended_what_was_over_before_it(attempt: Attempt) -> None:
    """The stage around it had ended."""
    ended = [span.name for span in ended_by_failure(attempt).values()]
    assert ended == ["stage parameters", "process travel_segment"]


def test_an_end_that_is_not_in_the_record_is_no_occurrence(holed: Case, attempt: Attempt) -> None:
    """That it began is one."""
    told = [one for one in course(attempt, None, holed.task) if one.kind == "engine"]
    assert [(one.name, one.ended) for one in told] == [("engine load", "")]


def test_how_long_a_lost_end_took_is_not_known(found: Comparison) -> None:
    """And not that it was cut off."""
    row = timing(found, names.engine("load"))
    assert (row.a_ms, row.why) == (None, "no end of it in the record of A")


def test_whether_a_load_with_a_lost_end_went_well_is_not_known(found: Comparison) -> None:
    """Nor when it ended."""
    load, at = fact(found, "lifecycle", "model load"), fact(found, "lifecycle", "model loaded")
    assert (load.a, load.unknown, load.differs) == ("", ["a"], False)
    assert (at.a, at.unknown) == ("", ["a"])
