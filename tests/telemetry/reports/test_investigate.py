"""An investigation as a whole: of whole records, and of what is left of them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from telemetry import Recorder
from telemetry.death import HANG, from_returncode
from telemetry.journal import JournalReader, Position
from telemetry.journal.directory import INDEX, journal_files
from telemetry.records import ProcessEnd, TaskBegin, TaskEnd
from telemetry.reports.case import TaskRow
from telemetry.reports.findings import Investigation
from telemetry.reports.headway import LoopFound
from tests.telemetry.conftest import at
from tests.telemetry.reports.recorded import (
    SEGMENT,
    WORKER,
    Attempted,
    dies,
    history,
    incident,
    segment,
)

HUNG = ProcessEnd(at_ns=at(0), kind=HANG, signal="SIGKILL", message="no progress for 600 s")
EVENTS = history("inserted", "claimed", "started", "failed", worker_id=WORKER)


NO_LOOP = LoopFound(completed=0, total=0, last=None, slowest=None)


def parse_phase_config() -> None:
    """Fail of a timeout in the parsing of a phase config, as an engine wraps it."""
    try:
        raise TimeoutError("too slow")  # noqa: TRY301 - it is what this is about
    except TimeoutError as slow:
        raise RuntimeError("generation failed") from slow


def wraps(recorder: Recorder) -> None:
    """Fail of a timeout in iteration 26, in another exception's clothes."""
    segment(recorder, stop=lambda index: parse_phase_config() if index == 26 else None)


def changes(recorder: Recorder) -> None:
    """Fail of a dictionary that changes while it is walked, and of changed defaults."""

    def walk() -> None:
        walked = {"one": 1}
        for key in walked:
            walked[f"{key}+"] = 2

    segment(
        recorder,
        stop=lambda index: walk() if index == 30 else None,
        digest_after="bb" * 32,
    )


def hangs(recorder: Recorder) -> None:
    """Hang in iteration 20."""
    segment(recorder, stop=lambda index: dies(recorder) if index == 20 else None)


TRUTHS: dict[str, tuple[Callable[[Recorder], None], ProcessEnd | None]] = {
    "incident": (incident, None),
    "wrapped": (wraps, None),
    "changed": (changes, None),
    "hang": (hangs, HUNG),
    "killed": (hangs, from_returncode(-9)),
}


def row_of(attempted: Attempted) -> dict[str, Any]:
    """Return what the queue's row keeps of the attempt's failure, as the worker writes it."""
    error = attempted.error
    assert error is not None
    kept = ("kind", "type", "message", "file", "line", "function", "place", "stage", "event_id")
    more = ("loop_index", "loop_count", "fingerprint", "expression")
    return {"error": {name: getattr(error, name) for name in (*kept, *more)}}


def verdicts(found: Investigation) -> dict[str, str]:
    """Return the verdicts by what is suspected."""
    return {one.name: one.verdict for one in found.hypotheses}


def cuts(file: Path) -> Iterator[bytes]:
    """Yield a file's bytes up to each record's end, and to many places within records."""
    whole = file.read_bytes()
    ends = {
        record.end.offset for record in JournalReader(file.parent).read() if record.end.file == 1
    }
    inner = range(0, len(whole), max(1, len(whole) // 60))
    for end in sorted({*ends, *inner}):
        yield whole[:end]


def is_allowed(cut: Investigation, whole: Investigation) -> None:
    """Check that no conclusion is drawn from a part that the whole does not bear out."""
    assert cut.failure is not None
    assert whole.failure is not None
    assert cut.failure.location == whole.failure.location
    for name, verdict in verdicts(cut).items():
        assert verdict in ("not decidable", verdicts(whole)[name]), name
    assert cut.loop.completed <= whole.loop.completed


@pytest.mark.parametrize("truth", TRUTHS)
def test_no_cut_of_a_journal_bears_a_conclusion_that_the_whole_does_not(
    spool: Path, truth: str
) -> None:
    """At every record, and at many bytes: no traceback, no other place, no other verdict."""
    attempted = Attempted(spool=spool).run(*TRUTHS[truth])
    row = row_of(attempted)
    whole = attempted.found(row, events=EVENTS)
    assert whole.completeness.complete
    files = journal_files(attempted.task_journal)
    [*_, ended] = [
        record.end.offset
        for record in JournalReader(attempted.task_journal).read(stop=Position(1, 2**40))
        if isinstance(record.body, TaskEnd | TaskBegin)
    ]
    for later in list(files)[1:]:
        files[later].unlink()
    for part in list(cuts(files[1])):
        files[1].write_bytes(part)
        cut = attempted.found(row, events=EVENTS)
        is_allowed(cut, whole)
        is_whole = len(part) >= ended and truth in ("incident", "wrapped", "changed")
        assert cut.completeness.complete is is_whole


@pytest.mark.parametrize("is_on_the_row", [True, False])
@pytest.mark.parametrize("truth", TRUTHS)
def test_no_cut_of_the_supervisors_journal_bears_another_conclusion(
    spool: Path, truth: str, *, is_on_the_row: bool
) -> None:
    """Whether or not the row still names the span that all others are in."""
    attempted = Attempted(spool=spool).run(*TRUTHS[truth])
    span_id = attempted.model().spans[0].span_id.hex()
    row = row_of(attempted) | ({"span_id": span_id} if is_on_the_row else {})
    whole = attempted.found(row, events=EVENTS)
    [file] = journal_files(attempted.supervisor_journal).values()
    *_, last = JournalReader(attempted.supervisor_journal).read()
    size = file.stat().st_size
    for part in list(cuts(file)):
        file.write_bytes(part)
        cut = attempted.found(row, events=EVENTS)
        is_allowed(cut, whole)
        assert cut.loop in (whole.loop, NO_LOOP)
    assert last.end.offset == size


@pytest.mark.parametrize("truth", TRUTHS)
def test_no_hole_in_a_journal_bears_a_conclusion_that_the_whole_does_not(
    spool: Path, truth: str
) -> None:
    """Each record in turn is destroyed, and what is missing is said in numbers."""
    attempted = Attempted(spool=spool).run(*TRUTHS[truth])
    row = row_of(attempted)
    whole = attempted.found(row, events=EVENTS)
    file = journal_files(attempted.task_journal)[1]
    content = file.read_bytes()
    ends = [r.end.offset for r in JournalReader(attempted.task_journal).read() if r.end.file == 1]
    last = next(
        i for i, r in enumerate(reading(attempted)) if isinstance(r.body, TaskEnd | TaskBegin)
    )
    assert last == 0  # nothing of the task stands before its begin
    for start, end in itertools.pairwise(ends):
        file.write_bytes(content[:start] + bytes(end - start) + content[end:])
        cut = attempted.found(row, events=EVENTS)
        is_allowed(cut, whole)
        if end <= ends[-2]:
            assert not cut.completeness.complete
            assert cut.completeness.damaged_bytes > 0
            assert "incomplete" in cut.completeness.says


def reading(attempted: Attempted) -> Iterator[Any]:
    """Read the records of the task process's journal."""
    yield from JournalReader(attempted.task_journal).read()


def test_a_lost_begin_makes_the_record_incomplete(spool: Path) -> None:
    """The task's own begin: what its process lost is counted all the same."""
    attempted = Attempted(spool=spool).run(incident)
    file = journal_files(attempted.task_journal)[1]
    content = file.read_bytes()
    first = next(reading(attempted)).end.offset
    header = content.index(b"\xf5\x26\xc3\x9a")
    file.write_bytes(content[:header] + bytes(first - header) + content[first:])
    found = attempted.found(row_of(attempted))
    assert not found.completeness.complete
    assert found.completeness.damaged_bytes == first - header
    assert "begin of this attempt is not in it" in found.completeness.says


def test_a_lost_journal_of_the_task_makes_the_record_incomplete(spool: Path) -> None:
    """The supervisor's alone is whole, and knows nothing of what the task did."""
    attempted = Attempted(spool=spool).run(incident)
    row = row_of(attempted)
    for path in attempted.task_journal.iterdir():
        path.unlink()
    found = attempted.found(row)
    assert not found.completeness.complete
    assert "nothing of the process that ran the task is in it" in found.completeness.says


def test_a_lost_journal_of_the_supervisor_leaves_what_the_task_did(spool: Path) -> None:
    """It is found by the span that the row names."""
    attempted = Attempted(spool=spool).run(incident)
    root = attempted.model().spans[0]
    for path in attempted.supervisor_journal.iterdir():
        path.unlink()
    found = attempted.found({**row_of(attempted), "span_id": root.span_id.hex()})
    assert (found.loop.completed, found.loop.total) == (32, 32)


@pytest.mark.parametrize("content", [b"", b"[1,{}]\n", b"\xff\xfe\n", b'[0,{"task_id":1}]\n' * 9])
def test_a_damaged_index_costs_time_alone(spool: Path, content: bytes) -> None:
    """The journal is read whole then."""
    attempted = Attempted(spool=spool).run(incident)
    whole = attempted.found(row_of(attempted), events=EVENTS)
    (attempted.task_journal / INDEX).write_bytes(content)
    assert attempted.found(row_of(attempted), events=EVENTS) == whole


def test_without_an_index_nothing_is_lost(spool: Path) -> None:
    """Somebody has deleted it."""
    attempted = Attempted(spool=spool).run(incident)
    whole = attempted.found(row_of(attempted), events=EVENTS)
    (attempted.task_journal / INDEX).unlink()
    assert attempted.found(row_of(attempted), events=EVENTS) == whole


# What failed.


def test_the_incident_is_told_in_one_sentence(spool: Path) -> None:
    """Type, message, what was None, file, line, function, and that the loop was over."""
    found = Attempted(spool=spool).run(incident).found()
    assert found.says.startswith(
        "AttributeError: 'NoneType' object has no attribute 'get'; entry was None; raised at "
    )
    assert found.says.endswith(
        "in frames_and_step, after all 32 iterations of the parameter loop, in stage parameters"
    )


def test_the_same_case_gives_the_same_investigation(spool: Path) -> None:
    """It is a pure function."""
    attempted = Attempted(spool=spool).run(incident)
    case = attempted.case(row_of(attempted), events=EVENTS)
    first, second = (attempted.found(row_of(attempted), events=EVENTS) for _ in range(2))
    assert first == second
    assert case.task.id == first.task.id


def test_an_investigation_is_json_and_back(spool: Path) -> None:
    """Whatever it holds."""
    found = Attempted(spool=spool).run(incident).found()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Investigation) == found


def test_the_failure_of_an_earlier_attempt_is_not_the_newest_ones(spool: Path) -> None:
    """The first raised; of the second, which was lost, only the row knows."""
    Attempted(spool=spool).run(incident)
    second = Attempted(spool=spool, attempt=2).run(segment)
    lost = {"kind": "death", "type": "WorkerLost", "message": "worker fell silent"}
    found = second.found({"error": lost})
    assert found.failure is not None
    assert (found.failure.type, found.failure.frames) == ("WorkerLost", [])


def test_a_task_that_is_tried_again_has_not_failed_again(spool: Path) -> None:
    """The second attempt is at work."""
    Attempted(spool=spool).run(incident)
    second = Attempted(spool=spool, attempt=2).run(segment)
    assert second.found({"status": "In Progress"}).failure is None


def test_the_record_of_an_earlier_attempt_tells_nothing_of_the_newest(spool: Path) -> None:
    """The newest ran on another machine: its loop is not known here."""
    attempted = Attempted(spool=spool).run(incident)
    found = attempted.found({"attempt": 2, "error": {"kind": "death", "type": "lost"}})
    assert (found.loop.total, found.completeness.begun) == (0, 0)


def test_a_task_that_is_queued_again_tells_why(spool: Path) -> None:
    """Its newest attempt died; the row has no error yet."""
    attempted = Attempted(spool=spool).run(hangs, from_returncode(-9))
    found = attempted.found({"status": "Queued"})
    assert found.failure is not None
    assert found.failure.type == "sigkill"
    assert found.says.endswith("; the task is Queued again")


def test_an_error_that_the_row_names_and_the_record_lost_is_told_by_the_row(spool: Path) -> None:
    """Another error of the same attempt is not taken for it."""
    attempted = Attempted(spool=spool).run(incident)
    row = {"error": {"event_id": "a" * 32, "kind": "exception", "type": "OSError", "message": "m"}}
    found = attempted.found(row)
    assert found.failure is not None
    assert found.failure.type == "OSError"


def test_words_of_another_application_are_a_failure(spool: Path) -> None:
    """The incident's row had the text in one column, and nothing in the other."""
    found = Attempted(spool=spool).found({"error_message": "Generation failed: 'NoneType'"})
    assert found.failure is not None
    assert found.failure.sentence == "Generation failed: 'NoneType'"
    assert found.says == "Generation failed: 'NoneType'"


def test_a_task_that_is_complete_has_no_failure_of_an_earlier_attempt(spool: Path) -> None:
    """Neither in the answer nor in the timeline."""
    Attempted(spool=spool).run(incident)
    found = Attempted(spool=spool, attempt=2).run(segment).found({"status": "Complete"})
    assert found.failure is None
    assert found.timeline.failed_ms is None
    assert found.next_steps == []
    assert found.says.startswith("it did not fail: it is complete; parameters took ")


# Whom it took down, and what it is like.


def relative(task_id: str, status: str, **facts: Any) -> TaskRow:
    """Make the row of a relative."""
    return TaskRow(id=task_id, type="travel_segment", status=status, **facts)


def test_relatives_say_what_their_end_has_to_do_with_the_failure(spool: Path) -> None:
    """Fallen with it, untouched, failed by themselves, or still waiting."""
    fallen = {"root_cause": {"task_id": SEGMENT}}
    rows = [
        relative("a", "Failed", error=fallen),
        relative("b", "Complete"),
        relative("c", "Failed", error={"root_cause": "?"}, error_message="of its own"),
        relative("d", "Queued"),
        relative("e", "Failed", error_message=f"Cascaded failed from related task {SEGMENT}: no"),
        relative("f", "Cancelled", error=fallen),
        relative("g", "Failed", error_message=f"failed because of {SEGMENT}, I think"),
        relative("h", "Complete", error=fallen),
    ]
    found = Attempted(spool=spool).run(incident).found(relatives=rows)
    assert [one.because for one in found.relatives] == [
        f"failed because of {SEGMENT}",
        "was complete: not touched by it",
        "of its own",
        "is Queued",
        f"failed because of {SEGMENT}",
        f"cancelled because of {SEGMENT}",
        f"failed because of {SEGMENT}, I think",
        "was complete: not touched by it",
    ]
    assert [one.id for one in found.relatives if one.felled] == ["a", "e", "f"]
    assert found.next_steps[-1] == (
        "Then enqueue the journey again: 3 of its tasks fell with this one."
    )


def test_what_was_never_decided_is_no_difference_to_the_last_good_run(spool: Path) -> None:
    """It died in iteration 20: the other twelve parameters were not asked otherwise."""
    good = Attempted(spool=spool, task_id="good").run(segment)
    attempted = Attempted(spool=spool).run(hangs, from_returncode(-9))
    good_row = replace_row(good.row(status="Complete"))
    found = attempted.found(good=(good_row, good.model()))
    assert found.last_good is not None
    assert found.last_good.differences == []


def replace_row(row: TaskRow) -> TaskRow:
    """Return a row that says when it was done."""
    return msgspec.structs.replace(row, returned="2026-02-24T14:00:00.000000Z")


def test_a_cut_loop_is_no_other_crash_than_a_whole_one(spool: Path) -> None:
    """The incident: LOOP 9 and LOOP 26 were one crash, cut off at two places."""
    first = Attempted(spool=spool, task_id="first").run(incident)
    second = Attempted(spool=spool).run(incident)
    file = journal_files(second.task_journal)[1]
    file.write_bytes(file.read_bytes()[:9000])
    found = second.found(row_of(second), previous=(first.row(**row_of(first)), first.model()))
    differences = {one.name: (one.this, one.other) for one in found.against_previous}
    assert differences["fingerprint"][0] == differences["fingerprint"][1]
    assert differences["loop"][0].startswith("at least ")
    assert differences["loop"][1] == "32 of 32"


def test_a_previous_failure_without_a_record_is_told_by_its_row(spool: Path) -> None:
    """And nothing is said of its loop."""
    attempted = Attempted(spool=spool).run(incident)
    before = relative("x", "Failed", error={"type": "OSError", "message": "disk"}, worker="w")
    found = attempted.found(previous=(before, None))
    assert found.previous is not None
    differences = {one.name: one.other for one in found.against_previous}
    assert (differences["type"], differences["loop"]) == ("OSError", "")


def test_replacing_nothing_keeps_a_case(spool: Path) -> None:
    """A case can be changed in one point, as black boxes do."""
    case = Attempted(spool=spool).run(incident).case()
    assert replace(case) == case
