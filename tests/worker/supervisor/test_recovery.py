"""What a dead supervisor knew and could not tell the queue is told by the next one."""

from pathlib import Path

from telemetry import names
from telemetry.journal import JournalReader
from telemetry.records import Kind
from telemetry.spans import Folder, Span
from worker.messages import finished
from worker.supervisor import note
from worker.supervisor.postmortem import Postmortems
from worker.supervisor.recovery import recover
from worker.task import Done, TaskStatus

from .conftest import Desk


def test_a_finished_task_is_completed_with_its_output(desk: Desk) -> None:
    """The video was there and the queue was not: it is published now, and nothing runs again."""
    claim = desk.claim()
    done = Done(files=(desk.video(claim),), result={"frames": 81})
    left = note.Note(
        claim=claim,
        journal=str(desk.dead_journal("task")),
        finished=finished(claim.token, done),
        facts={"attempt": 1},
    )
    note.leave(desk.dead_journal("supervisor"), left)
    assert recover(desk.spool, desk.settler, Postmortems()) == 1
    task = desk.store.get(claim.task.id)
    assert task.status is TaskStatus.COMPLETE
    assert Path(task.output_location or "").read_bytes() == b"frames"
    assert (task.result_data or {})["frames"] == 81
    assert task.deaths == 0


def test_a_task_that_was_to_be_given_back_is(desk: Desk) -> None:
    """A drain that found the queue locked costs the task no attempt."""
    claim = desk.claim()
    left = note.Note(claim=claim, journal=str(desk.dead_journal("task")), release="it stops")
    note.leave(desk.dead_journal("supervisor"), left)
    recover(desk.spool, desk.settler, Postmortems())
    task = desk.store.get(claim.task.id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)


def test_a_task_in_hand_has_died_with_its_supervisor(desk: Desk) -> None:
    """The death is counted on the task, and both journals get their end."""
    claim = desk.claim()
    child, supervisor = desk.dead_journal("task"), desk.dead_journal("supervisor")
    note.leave(supervisor, note.Note(claim=claim, journal=str(child)))
    recover(desk.spool, desk.settler, Postmortems())
    task = desk.store.get(claim.task.id)
    assert (task.status, task.deaths) == (TaskStatus.QUEUED, 1)
    for journal in (child, supervisor):
        kinds = [record.kind for record in JournalReader(journal).read()]
        assert kinds[-1] is Kind.PROCESS_END


def test_a_claim_is_recovered_once(desk: Desk) -> None:
    """The note is taken away: a third supervisor finds nothing."""
    claim = desk.claim()
    note.leave(desk.dead_journal("supervisor"), note.Note(claim=claim, journal=""))
    assert [recover(desk.spool, desk.settler, Postmortems()) for _ in range(2)] == [1, 0]
    assert desk.store.get(claim.task.id).deaths == 1


def test_a_note_that_cannot_be_read_is_left_to_the_lease(desk: Desk) -> None:
    """It is no reason not to start."""
    (desk.dead_journal("supervisor") / note.NOTE_FILE).write_bytes(b"{torn")
    assert recover(desk.spool, desk.settler, Postmortems()) == 0


def test_a_living_supervisor_is_left_alone(desk: Desk) -> None:
    """Two workers may share a home."""
    claim = desk.claim()
    note.leave(desk.recorder.writer.directory, note.Note(claim=claim, journal=""))
    assert recover(desk.spool, desk.settler, Postmortems()) == 0
    assert desk.store.get(claim.task.id).status is TaskStatus.IN_PROGRESS


def test_a_death_is_told_once_and_from_where_the_task_was(desk: Desk) -> None:
    """The task's own journal has it; the supervisor's says how complete that is."""
    claim = desk.claim()
    child = desk.dead_journal("task", at_work_on=claim)
    supervisor = desk.dead_journal("supervisor", at_work_on=claim)
    note.leave(supervisor, note.Note(claim=claim, journal=str(child)))
    recover(desk.spool, desk.settler, Postmortems())
    assert [kinds(journal).count(Kind.ERROR) for journal in (child, supervisor)] == [1, 0]
    (died,) = [event for event in desk.store.events(claim.task.id) if event.name == "died"]
    failure = died.data["failure"]
    assert (failure["type"], failure["stage"]) == ("lost", "generate")
    assert failure["record"] == {**failure["record"], "spans": 2, "lost": 0, "complete": True}
    (process, *_) = left_open(supervisor)
    assert process.attributes[names.RECORD_COMPLETE] is True


def test_a_supervisor_tells_of_a_death_that_nobody_else_can(desk: Desk) -> None:
    """Its task process had not yet said where it journals."""
    claim = desk.claim()
    supervisor = desk.dead_journal("supervisor", at_work_on=claim)
    note.leave(supervisor, note.Note(claim=claim, journal=""))
    recover(desk.spool, desk.settler, Postmortems())
    (error,) = [
        record.body for record in JournalReader(supervisor).read() if record.kind is Kind.ERROR
    ]
    (died,) = [event for event in desk.store.events(claim.task.id) if event.name == "died"]
    assert died.data["failure"]["event_id"] == error.event_id


def test_a_task_that_was_over_is_told_of_no_death(desk: Desk) -> None:
    """It was waiting for its settle, or its upload; a task process may be at another by then."""
    claim, running = desk.claim(), desk.claim()
    child = desk.dead_journal("task", at_work_on=running)
    supervisors = [desk.dead_journal("supervisor", at_work_on=each) for each in (claim, running)]
    done = finished(claim.token, Done(files=(desk.video(claim),)))
    note.leave(supervisors[0], note.Note(claim=claim, journal=str(child), finished=done))
    note.leave(supervisors[1], note.Note(claim=running, journal=str(child)))
    assert recover(desk.spool, desk.settler, Postmortems()) == 2
    assert [kinds(journal).count(Kind.ERROR) for journal in (child, *supervisors)] == [1, 0, 0]
    tasks = [desk.store.get(each.task.id) for each in (claim, running)]
    assert [task.status for task in tasks] == [TaskStatus.COMPLETE, TaskStatus.QUEUED]
    assert [task.deaths for task in tasks] == [0, 1]


def test_a_task_alone_that_was_over_is_told_of_no_death(desk: Desk) -> None:
    """Its task process had nothing in hand when the supervisor died."""
    claim = desk.claim()
    supervisor = desk.dead_journal("supervisor", at_work_on=claim)
    done = finished(claim.token, Done(files=(desk.video(claim),)))
    journal = str(desk.dead_journal("task"))
    note.leave(supervisor, note.Note(claim=claim, journal=journal, finished=done))
    assert recover(desk.spool, desk.settler, Postmortems()) == 1
    assert kinds(supervisor).count(Kind.ERROR) == 0


def kinds(journal: Path) -> list[Kind]:
    """Return the kinds of a journal's records."""
    return [record.kind for record in JournalReader(journal).read()]


def left_open(journal: Path) -> tuple[Span, ...]:
    """Return the spans that a process's end has closed."""
    folder = Folder()
    for record in JournalReader(journal).read():
        folder.feed(record)
    return folder.left_open
