"""A task that fell with another while it failed by itself is told by its own failure."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from telemetry import Recorder, names
from telemetry.death import close_dead
from telemetry.journal.directory import journal_files
from telemetry.records import Error, ProcessEnd
from telemetry.reports.findings import Investigation
from telemetry.reports.investigate import investigate
from telemetry.reports.markdown import markdown
from telemetry.reports.sources import blackbox
from tests.telemetry.reports.recorded import incident, verdict
from worker.errors import Fenced
from worker.failure import failure_of
from worker.output.storage import black_box_of
from worker.task import Claim

from .conftest import Bench

RACE = "race with a concurrent status update"
Work = Callable[[Recorder], None]


def otherwise(_recorder: Recorder) -> None:
    """Fail in another way than the incident."""
    raise ArithmeticError("no number of channels")


class Journey:
    """A journey of three segments, two of which are at work at once.

    Attributes:
        first: Its failure is settled.
        second: Its own failure comes too late.
        third: It waits.
    """

    def __init__(self, bench: Bench) -> None:
        bench.now = time.time() - 60  # the record's clock is a real one
        self.bench = bench
        self.orchestrator, _ = bench.journey(3)
        self.first = bench.claim("gpu-1", "b1" * 8)
        self.second = bench.claim("gpu-2", "b2" * 8)
        self.third = bench.claim("gpu-3", "b3" * 8)
        bench.store.release(self.third.token, reason="it stops", give_back=True)
        self.journals: dict[UUID, Path] = {}

    def record(self, claim: Claim, work: Work, *, handled: bool = False) -> Error:
        """Record an attempt that fails so; return its error."""
        recorder = Recorder.open(self.bench.settings.spool_dir, role="task")
        self.journals[claim.task.id] = recorder.writer.directory
        about = {names.TASK_ID: str(claim.task.id), names.TASK_ATTEMPT: claim.task.attempts}
        trace_id, span_id = (claim.task.process_context or "").split("-")[1:3]
        trace = {"trace_id": bytes.fromhex(trace_id)}
        with (
            recorder.task(
                task_id=str(claim.task.id),
                attempt=claim.task.attempts,
                task_type="travel_segment",
                worker_id=claim.task.worker_id or "",
                **trace,
            ),
            recorder.span(names.process("s"), about, **trace, span_id=bytes.fromhex(span_id)),
        ):
            try:
                work(recorder)
            except Exception as exc:  # noqa: BLE001 - the boundary of the task
                error = recorder.error(exc, handled=handled)
        recorder.close()
        return error

    def leave(self, claim: Claim) -> Path:
        """Record an attempt up to the moment of a death that nobody has found yet."""
        recorder = Recorder.open(self.bench.settings.spool_dir, role="task")
        directory = recorder.writer.directory
        with recorder.task(
            task_id=id_of(claim),
            attempt=claim.task.attempts,
            task_type="travel_segment",
            trace_id=b"\xa1" * 16,
            worker_id="gpu-2",
        ):
            left = shutil.copytree(directory, self.bench.home / "left")
        recorder.close()
        shutil.rmtree(directory)
        return left.rename(directory)

    def fell(self, first: Work = incident) -> None:
        """Have the first fail, and the second be refused."""
        self.bench.now = time.time()
        self.bench.store.fail(self.first.token, failure_of(self.record(self.first, first)))
        with pytest.raises(Fenced):
            self.bench.store.extend(self.second.token, lease_s=60, progress=None)

    def found(self, claim: Claim) -> Investigation:
        """Investigate a segment."""
        return investigate(self.bench.case(claim.task.id))


@pytest.fixture
def journey(bench: Bench) -> Journey:
    """Two segments at work, a third that waits."""
    return Journey(bench)


def id_of(claim: Claim) -> str:
    """Return the id of a claim's task."""
    return str(claim.task.id)


def killed() -> ProcessEnd:
    """Return the end of a process that was killed now."""
    return ProcessEnd(at_ns=time.time_ns(), kind="signal", signal="SIGKILL")


def because(found: Investigation, claim: Claim) -> str:
    """Return what a report says of a relative."""
    [said] = [one.because for one in found.relatives if one.id == id_of(claim)]
    return said


def test_its_own_failure_is_told_and_the_first_is_named_as_the_same(journey: Journey) -> None:
    """By its own record: its place, and all iterations of its own loop."""
    own = journey.record(journey.second, incident)
    journey.fell()
    found = journey.found(journey.second)
    assert found.failure is not None
    assert (found.task.id, found.asked) == (id_of(journey.second),) * 2
    assert (found.failure.kind, found.failure.location.line) == ("exception", own.line)
    assert found.loop.completed == 32
    assert [one.task for one in found.same_failure] == [id_of(journey.first)]
    assert f"by its row it fell with {id_of(journey.first)}, which is the same" in found.says
    assert found.links.sentry_event_id == own.event_id


def test_its_row_is_shown_as_it_is(journey: Journey) -> None:
    """With the words of the cascade, which are all that the row has."""
    journey.record(journey.second, incident)
    journey.fell()
    found = journey.found(journey.second)
    said = f"Cascaded failed from related task {id_of(journey.first)}"
    assert found.task.error.startswith(said)
    assert said in markdown(found)


def test_of_the_first_it_is_no_victim(journey: Journey) -> None:
    """The report on the first says so, and knows it as the same failure; the third fell."""
    journey.record(journey.second, incident)
    journey.fell()
    found = journey.found(journey.first)
    assert because(found, journey.second).startswith("failed by itself too, the same failure")
    assert because(found, journey.third) == f"failed because of {id_of(journey.first)}"
    assert [one.task for one in found.same_failure] == [id_of(journey.second)]
    assert "failed by itself too, the same failure" in markdown(found)
    felled = {one.id for one in found.relatives if one.felled}
    assert felled == {id_of(journey.third), str(journey.orchestrator)}


def test_the_first_is_no_victim_of_the_second(journey: Journey) -> None:
    """The report on the second says that both failed by themselves."""
    journey.record(journey.second, incident)
    journey.fell()
    found = journey.found(journey.second)
    assert because(found, journey.first) == "failed by itself, the same failure"
    assert not any(one.felled for one in found.relatives)


def test_another_failure_is_not_taken_for_the_same(journey: Journey) -> None:
    """Neither in the report on the second nor in that on the first."""
    journey.record(journey.second, otherwise)
    journey.fell()
    found = journey.found(journey.second)
    assert "ArithmeticError" in found.says
    assert f"it fell with {id_of(journey.first)}, which failed in another way" in found.says
    first = journey.found(journey.first)
    assert because(first, journey.second).startswith("failed by itself too, in another way")
    assert found.same_failure == first.same_failure == []


def test_the_fall_is_no_race_that_made_it_fail(journey: Journey) -> None:
    """It had failed before its row was written."""
    journey.record(journey.second, incident)
    journey.fell()
    said = verdict(journey.found(journey.second), RACE)
    assert said.verdict == "ruled out"
    assert said.evidence.startswith("it had failed when another wrote its row: 'cascaded' came")


def test_a_fall_before_it_is_no_race_where_the_first_failed_so_without_one(
    journey: Journey,
) -> None:
    """The same failure came where nobody wrote a row."""
    journey.fell()
    journey.record(journey.second, incident)
    said = verdict(journey.found(journey.second), RACE)
    assert said.verdict == "ruled out"
    assert said.evidence.startswith(id_of(journey.first))


def test_a_fall_before_another_failure_may_have_made_it_fail(journey: Journey) -> None:
    """Then somebody wrote its row while it ran."""
    journey.fell()
    journey.record(journey.second, otherwise)
    assert verdict(journey.found(journey.second), RACE).verdict == "confirmed"


def test_without_an_error_of_its_own_the_root_is_reported(journey: Journey) -> None:
    """Nothing is recorded of the second, of the third there is nothing, and neither failed."""
    journey.fell()
    for claim in (journey.second, journey.third):
        found = journey.found(claim)
        assert (found.task.id, found.asked) == (id_of(journey.first), id_of(claim))
        assert because(found, claim) == f"failed because of {id_of(journey.first)}"


def test_an_error_that_was_handled_is_no_failure(journey: Journey) -> None:
    """Its attempt went on, and was well when it was told to stop."""
    journey.record(journey.second, otherwise, handled=True)
    journey.fell()
    found = journey.found(journey.second)
    assert found.task.id == id_of(journey.first)
    assert because(found, journey.second) == f"failed because of {id_of(journey.first)}"


def test_an_attempt_that_was_over_is_not_what_fell(journey: Journey) -> None:
    """It had failed and was queued again: the task fell while it waited."""
    own = journey.record(journey.second, otherwise)
    journey.bench.store.release(
        journey.second.token, reason="again", give_back=False, failure=failure_of(own)
    )
    journey.bench.now = time.time()
    error = journey.record(journey.first, incident)
    journey.bench.store.fail(journey.first.token, failure_of(error))
    assert journey.found(journey.second).task.id == id_of(journey.first)


@pytest.mark.parametrize("is_before", [True, False])
def test_a_death_is_its_own_failure_where_it_came_before_the_fall(
    journey: Journey, *, is_before: bool
) -> None:
    """After it, its supervisor may have ended the process."""
    directory = journey.leave(journey.second)
    if is_before:
        close_dead(directory, killed())
    journey.fell()
    if not is_before:
        close_dead(directory, killed())
    expected = journey.second if is_before else journey.first
    assert journey.found(journey.second).task.id == id_of(expected)


def test_a_lost_record_is_told_out_of_its_black_box(journey: Journey) -> None:
    """Its journal is gone; the box was kept when it failed."""
    own = journey.record(journey.second, incident)
    journey.fell()
    box = black_box_of(journey.bench.settings.outputs_dir, journey.second.task.id)
    box.parent.mkdir(parents=True)
    blackbox.write(journey.bench.case(journey.second.task.id), box)
    for path in journal_files(journey.journals[journey.second.task.id]).values():
        path.unlink()
    found = journey.found(journey.second)
    assert found.failure is not None
    assert (found.task.id, found.failure.location.line) == (id_of(journey.second), own.line)
    assert investigate(blackbox.read(box)).says == found.says


def test_what_others_wrote_into_the_row_does_not_stop_it(journey: Journey) -> None:
    """A cascade that its message alone tells of; the rest of the error is no table."""
    journey.record(journey.second, incident)
    journey.fell()
    journey.bench.write(journey.second.task.id, error=json.dumps(["strange"]))
    found = journey.found(journey.second)
    assert found.task.id == id_of(journey.second)
    assert "by its row it fell with" in found.says


def test_a_failure_that_only_the_queue_was_told_of_is_told(journey: Journey) -> None:
    """It happened on another machine, whose journals are not here."""
    own = failure_of(journey.record(journey.second, otherwise))
    shutil.rmtree(journey.journals[journey.second.task.id])
    journey.fell()
    with pytest.raises(Fenced):
        journey.bench.store.fail(journey.second.token, own)
    found = journey.found(journey.second)
    assert found.failure is not None
    assert (found.failure.type, found.failure.location.line) == (own.type, own.line)
    assert found.task.error.startswith("Cascaded failed from related task")


def test_a_relative_that_told_the_queue_alone_failed_too(journey: Journey) -> None:
    """In the same way, by its fingerprint."""
    own = failure_of(journey.record(journey.second, incident))
    shutil.rmtree(journey.journals[journey.second.task.id])
    journey.fell()
    with pytest.raises(Fenced):
        journey.bench.store.fail(journey.second.token, own)
    found = journey.found(journey.first)
    assert [one.task for one in found.same_failure] == [id_of(journey.second)]
    assert because(found, journey.second) == because(journey.found(journey.first), journey.second)
    assert "cascade" not in because(found, journey.second)


def test_a_failure_that_is_recorded_and_told_is_the_same_one(journey: Journey) -> None:
    """It is listed once."""
    own = failure_of(journey.record(journey.second, incident))
    journey.fell()
    with pytest.raises(Fenced):
        journey.bench.store.fail(journey.second.token, own)
    found = journey.found(journey.first)
    assert [one.task for one in found.same_failure] == [id_of(journey.second)]
