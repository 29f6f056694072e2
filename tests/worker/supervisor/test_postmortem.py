"""What a death did to a task is known whatever its journal takes or tells."""

import resource
import signal

from telemetry import death
from telemetry.journal import JournalReader
from telemetry.journal.directory import journal_file
from telemetry.records import Kind
from tests.telemetry.journal.test_damage import with_version
from worker.supervisor.drain import drained
from worker.supervisor.postmortem import RETRY_S, Postmortems

from .conftest import Desk

KILLED = death.from_returncode(-signal.SIGKILL)


def test_what_finds_no_room_is_written_once_there_is(desk: Desk) -> None:
    """By the same supervisor, with the event that the row names."""
    now = 1000.0
    postmortems = Postmortems(clock=lambda: now)
    claim = desk.claim()
    journal = desk.dead_journal("task", at_work_on=claim)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        failure = postmortems.bury(journal, KILLED)
        now += RETRY_S
        postmortems.retry()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(postmortems.unclosed) == 1
    now += RETRY_S
    postmortems.retry()
    assert postmortems.unclosed == []
    (error,) = [r.body for r in JournalReader(journal).read() if r.kind is Kind.ERROR]
    assert error.event_id == failure.event_id
    assert drained(journal, claim.task)["complete"]


def test_a_journal_that_cannot_be_read_costs_the_place_alone(desk: Desk) -> None:
    """A newer loop26 wrote it: this one settles its task all the same."""
    journal = desk.dead_journal("task", at_work_on=desk.claim())
    path = journal_file(journal, 1)
    with path.open("rb") as file:
        size = 18 + int.from_bytes(file.read(18)[10:14], "big")
    content = path.read_bytes()
    path.write_bytes(with_version(content[:size], 2) + content[size:])
    postmortems = Postmortems()
    failure = postmortems.bury(journal, KILLED, last_words=["out of luck"])
    assert (failure.kind, failure.type, failure.signal) == ("death", "sigkill", "SIGKILL")
    assert (failure.file, failure.last_words) == ("", ("out of luck",))
    assert postmortems.unclosed == []
