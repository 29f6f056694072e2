"""Two runs side by side: whether they are alike, of what was recorded of real ones."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from telemetry import Recorder, names
from telemetry.records import ProcessEnd
from telemetry.reports.case import Case
from telemetry.reports.comparison.compare import compare
from telemetry.reports.comparison.value import Comparison
from tests.telemetry.conftest import Script
from tests.telemetry.reports.comparison.pairs import (
    BAD,
    GOOD,
    A,
    B,
    Plan,
    case,
    case_of,
    decided,
    loaded,
    pair,
    ran,
    scripted,
    unrecorded,
)
from tests.telemetry.reports.recorded import Attempted


def died(folder: Path, plan: Plan, task_id: str) -> Attempted:
    """Run a plan in which the process dies of a segmentation fault."""
    end = ProcessEnd(
        at_ns=0, kind="segfault", exit_code=-11, signal="SIGSEGV", message="it died of SIGSEGV"
    )

    def work(recorder: Recorder) -> None:
        try:
            plan(recorder)
        finally:
            msgspec.structs.force_setattr(end, "at_ns", time.time_ns())

    return Attempted(spool=folder / task_id[:1], task_id=task_id).run(work, end)


def cut(folder: Path, plan: Plan, task_id: str) -> Attempted:
    """Run a plan, and lose what its task process wrote from the third iteration on."""
    attempted = ran(folder, plan, task_id)
    [journal] = attempted.task_journal.glob("*.journal")
    data = journal.read_bytes()
    at = 0
    for _ in range(3):
        at = data.index(names.LOOP_ITERATION.encode(), at + 1)
    journal.write_bytes(data[:at])
    return attempted


def test_two_failures_of_one_fingerprint_are_the_same_failure(tmp_path: Path) -> None:
    """The incident: two reports of one crash."""
    found = pair(tmp_path, Plan(fails_in="preflight"), Plan(fails_in="preflight"))
    assert found.alike == "the same failure"
    assert "AttributeError: 'NoneType' object has no attribute 'get'" in found.says
    assert found.says.endswith("nothing else that matters differs")
    assert (found.divergences, found.matters) == ([], {})


def test_the_same_failure_says_where_the_two_still_differ(tmp_path: Path) -> None:
    """Another seed, and the same end."""
    other = replace(BAD, values={**BAD.values, "seed": 7})
    found = pair(tmp_path, BAD, other)
    assert found.alike == "the same failure"
    assert found.says.endswith("they differ in seed")
    assert found.divergences[0].says == (
        "iteration 2 of the loop (seed): the value is 1 in A, 7 in B"
    )


def test_failures_of_other_fingerprints_are_different(tmp_path: Path) -> None:
    """The first divergence is where the first of them failed."""
    found = pair(tmp_path, Plan(fails_in="preflight"), BAD)
    assert found.alike == "different failures"
    [parting] = found.divergences
    assert (parting.kind, parting.parts) == ("failure", True)
    assert parting.says.startswith("A: it failed with AttributeError")
    assert parting.says.endswith("B: stage parameters ended well")


def test_good_against_failed_names_the_failure_as_the_divergence(tmp_path: Path) -> None:
    """Up to there the runs were alike."""
    found = pair(tmp_path, GOOD, BAD)
    assert found.alike == "one failed"
    assert found.says.startswith("B failed (LookupError: there is no such thing, raised at ")
    assert "A went well" in found.says
    assert [one.says for one in found.divergences] == [
        "A: stage encode ended well; B: it failed with LookupError: there is no such thing"
    ]


def test_good_against_good_has_no_significant_difference(tmp_path: Path) -> None:
    """Though ids, times and workers differ, and one had the model already."""
    found = pair(tmp_path, GOOD, Plan(resident=True))
    assert (found.alike, found.divergences, found.matters) == ("no significant difference", [], {})
    assert {one.name: one.b for one in found.lifecycle}["model load"] == "already resident"


def test_a_death_parts_the_ways_where_it_struck(tmp_path: Path) -> None:
    """What it cut off has not ended otherwise: it has not ended."""
    plan = Plan(dies_in="generate")
    found = compare(case_of(died(tmp_path, plan, A), plan), case(tmp_path, GOOD, B))
    assert found.alike == "one failed"
    [parting] = found.divergences
    assert parting.says == "A: it died of SIGSEGV; B: denoising step 1 ended well"
    assert found.a.crash is not None
    assert found.a.crash.pattern.startswith("it ended ")
    assert found.a.crash.pattern.endswith("after denoise step (1 of 2) began")


def test_the_same_death_twice_is_the_same_failure(tmp_path: Path) -> None:
    """By the fingerprint of the death."""
    plan = Plan(dies_in="generate")
    a, b = (case_of(died(tmp_path, plan, one), plan) for one in (A, B))
    assert compare(a, b).alike == "the same failure"


def lossy(tmp_path: Path) -> Comparison:
    """Compare a failure with the same one whose record was cut in the loop."""
    whole = case(tmp_path, BAD, A)
    error = dict(whole.task.error)
    return compare(whole, case_of(cut(tmp_path, BAD, B), BAD, error=error))


def test_the_same_failure_with_its_tail_lost_is_still_the_same(tmp_path: Path) -> None:
    """The row keeps the fingerprint."""
    found = lossy(tmp_path)
    assert (found.alike, found.b.completeness.complete) == ("the same failure", False)


def test_nothing_is_concluded_from_where_a_record_ends(tmp_path: Path) -> None:
    """What is not in it is not known, and no difference: neither loop, nor parameter, nor step."""
    found = lossy(tmp_path)
    assert found.divergences == []
    assert found.matters == {}
    [loop] = [one for one in found.crash if one.name == "loop"]
    assert (loop.unknown, loop.differs) == (["b"], False)
    assert [one for one in found.caveats if one.startswith("B: the record is incomplete")]


def test_the_last_record_that_arrived_is_not_called_the_place_of_the_crash(
    tmp_path: Path,
) -> None:
    """As it was in both reports of the incident."""
    found = lossy(tmp_path)
    assert found.b.crash is not None
    assert found.b.crash.last is None
    assert found.b.crash.pattern.startswith("not known: of the failure the row alone tells")
    assert found.b.crash.pattern.endswith("where the record ends, not where it failed")


def test_the_error_pattern_is_the_time_since_the_last_record(tmp_path: Path) -> None:
    """The incident's answer: a moment after the last iteration had ended."""
    found = pair(tmp_path, Plan(fails_in="preflight"), GOOD)
    crash = found.a.crash
    assert crash is not None
    assert crash.last is not None
    assert crash.since_ms is not None
    raised, last = map(datetime.fromisoformat, (crash.raised, crash.last.at))
    assert crash.since_ms >= 0
    assert crash.since_ms == pytest.approx((raised - last) / timedelta(milliseconds=1), abs=0.01)
    assert crash.pattern.startswith("AttributeError was raised ")
    assert crash.pattern.endswith("after loop iteration (3 of 3, steps) ended")


def test_of_a_running_task_what_is_to_come_is_no_difference(tmp_path: Path) -> None:
    """It has taken one step so far, and is not said to have stopped there."""
    with at_work(tmp_path) as running:
        found = compare(running, scripted(tmp_path, B, seed=789, fails=False))
    assert found.a.completeness.complete
    assert (found.alike, found.divergences, found.matters) == ("not decidable", [], {})
    assert found.says.endswith("not decidable: A is In Progress")


def test_a_running_task_may_have_diverged_already(tmp_path: Path) -> None:
    """What it has done is done."""
    with at_work(tmp_path) as running:
        found = compare(running, scripted(tmp_path, B, seed=7, fails=False))
    assert found.alike == "significant differences"
    assert found.divergences[0].where == "iteration 2 of the loop (seed)"
    assert "A is In Progress" in found.says


@contextmanager
def at_work(folder: Path) -> Iterator[Case]:
    """Have a run at work, in its parameters; its process is alive meanwhile."""
    script = Script(folder / "a")
    script.task(A)
    script.begin("process travel_segment", 0, **{names.TASK_ID: A, names.TASK_ATTEMPT: 1})
    loaded(script, 900)
    script.begin("stage parameters", 1000, **{names.STAGE_NAME: "parameters"})
    decided(script, seed=789, most=2)
    try:
        yield Attempted(spool=folder / "a", task_id=A).case(
            {"status": "In Progress", "attempt": 1}, asked=A
        )
    finally:
        script.writer.close()


def test_without_any_record_only_the_rows_are_compared(tmp_path: Path) -> None:
    """And of its parameters nothing is said but what was asked."""
    row = {"status": "Complete", "params": {"seed": 7, "model_name": "tiny_t2v"}}
    found = compare(unrecorded(A, **row), case(tmp_path, GOOD, B))
    assert not found.a.recorded
    assert found.divergences == []
    assert all("a" in one.unknown for one in found.params)
    assert found.caveats[0].startswith("A: nothing is recorded")


def test_two_failures_without_fingerprints_and_with_other_texts_stay_undecided() -> None:
    """Never invented: a text may hold whatever the value was."""
    a, b = (
        unrecorded(one, error={"kind": "exception", "type": "ValueError", "message": text})
        for one, text in ((A, "12 is too much"), (B, "13 is too much"))
    )
    assert compare(a, b).alike == "not decidable"


def test_a_text_that_differs_in_the_tasks_own_id_is_the_same() -> None:
    """A path through the task's folder is another for each."""
    a, b = (
        unrecorded(
            one,
            error={
                "kind": "refused",
                "type": "InputError",
                "message": f"/in/{one}/0.png cannot be read",
                "fingerprint": "f1",
            },
        )
        for one in (A, B)
    )
    found = compare(a, b)
    assert (found.alike, found.matters) == ("the same failure", {})


def test_tasks_of_other_types_differ_in_their_type(tmp_path: Path) -> None:
    """And in what only one of them does."""
    a, b = case(tmp_path, GOOD, A), case(tmp_path, GOOD, B)
    other = replace(b, task=msgspec.structs.replace(b.task, type="t2v"))
    found = compare(a, other)
    assert found.matters["lifecycle"] == ["type"]
    assert "they differ in type" in found.says


@pytest.mark.parametrize("plan", [GOOD, BAD])
def test_a_comparison_is_a_pure_function(tmp_path: Path, plan: Plan) -> None:
    """The same cases give the same value."""
    a, b = case(tmp_path, plan, A), case(tmp_path, GOOD, B)
    assert compare(a, b) == compare(a, b)


def test_which_side_is_which_changes_no_answer(tmp_path: Path) -> None:
    """Compared the other way round, it is the same divergence."""
    a, b = case(tmp_path, GOOD, A), case(tmp_path, BAD, B)
    there, back = compare(a, b), compare(b, a)
    assert there.alike == back.alike
    assert [one.where for one in there.divergences] == [one.where for one in back.divergences]


def test_of_another_attempt_than_the_rows_nothing_is_compared(tmp_path: Path) -> None:
    """Where only the attempt before is recorded, the newest is not."""
    found = compare(
        case(tmp_path, BAD, A, attempt=2, error={"kind": "death", "type": "sigkill"}),
        case(tmp_path, BAD, B),
    )
    assert (found.a.recorded, found.b.recorded) == (False, True)
    assert found.divergences == []
    assert found.a.crash is not None
    assert found.a.crash.failure.type == "sigkill"


def test_the_failure_is_the_one_that_the_row_names(tmp_path: Path) -> None:
    """Another error of its record is not told in its place."""
    named = {"type": "KeyError", "fingerprint": "2" * 16, "event_id": "2" * 32}
    found = compare(case(tmp_path, BAD, A, error=named), case(tmp_path, BAD, B))
    assert found.a.crash is not None
    assert found.a.crash.failure.fingerprint == "2" * 16
    assert found.a.crash.raised == ""
