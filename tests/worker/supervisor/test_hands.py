"""While a thread uploads the output of one task, the next is in hand; each ends by itself."""

import io
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest

from telemetry import names
from telemetry.journal import JournalReader
from telemetry.metrics.journeys import MeasuringStream
from telemetry.metrics.meters import Measured
from telemetry.recorder import Recorder
from telemetry.records import Error, Kind, Log
from telemetry.spans import Folder, Span
from worker.console import JsonConsole
from worker.errors import OutputError, QueueUnavailable
from worker.messages import finished
from worker.output.storage import LocalStorage, hold_nothing
from worker.store.local import LocalStore
from worker.supervisor import hand as hand_module
from worker.supervisor import lease as lease_module
from worker.supervisor import note
from worker.supervisor import upload as upload_module
from worker.supervisor.attempt import Attempt
from worker.supervisor.hand import Hand
from worker.supervisor.hands import Hands
from worker.supervisor.health import HealthFile
from worker.supervisor.lease import LeaseKeeper, renew_all
from worker.supervisor.lifeline import Lifeline
from worker.supervisor.presence import Presence
from worker.supervisor.retries import RetryPolicy
from worker.task import Claim, Done, Failed, Failure, TaskStatus

from .conftest import Desk

PATIENCE_S = 60.0
FAILURE = Failure(kind="exception", type="OSError", message="m", sentence="OSError: m")
log = logging.getLogger("worker.supervisor.test")


@dataclass(frozen=True, slots=True)
class HeldStorage(LocalStorage):
    """A storage as slow as the test wants it: it waits before it publishes."""

    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[UUID] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)

    @property
    def is_remote(self) -> bool:
        """It is as if."""
        return True

    def publish(
        self,
        task_id: UUID,
        token: UUID,
        files: Sequence[Path],
        hold: Callable[[], None] = hold_nothing,
    ) -> tuple[str, ...]:
        """Publish once the gate is open; fail as told."""
        self.asked.append(task_id)
        assert self.gate.wait(PATIENCE_S)
        log.info("published %s", task_id)
        if self.troubles:
            raise self.troubles.pop()
        hold()
        return LocalStorage.publish(self, task_id, token, files, hold)


class Pair:
    """Two hands of one worker, each with its journal, and a storage that is held."""

    def __init__(self, desk: Desk, storage: LocalStorage) -> None:
        self.desk = desk
        desk.settler = replace(desk.settler, storage=storage)
        self.uploads: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.recorders = [desk.recorder, Recorder.open(desk.spool, role="supervisor")]
        self.presence = Presence(desk.store, HealthFile(desk.recorder.writer.directory), "gpu")
        self.leases = [self._lease() for _ in self.recorders]
        self.said = io.StringIO()
        self.console = JsonConsole(self.said)
        self.hands = Hands(*map(self._hand, self.recorders, self.leases))

    def _lease(self) -> LeaseKeeper:
        return LeaseKeeper(
            self.desk.store, lease_s=60, heartbeat_s=10, check_s=1, on_lost=lambda *_: None
        )

    def _hand(self, recorder: Recorder, lease: LeaseKeeper) -> Hand:
        return Hand(
            replace(self.desk.settler, recorder=recorder),
            lease,
            self.console,
            self.presence,
            on_uploaded=lambda: self.uploads.put(None),
        )

    def take(self, number: int = 1) -> Claim:
        """Have the front hand take a task, whose span id and trace are of a number's digit."""
        request = replace(self.desk.request(), trace_id=f"{number}" * 32, span_id=f"{number}" * 16)
        claim = self.desk.claim(request)
        front = self.hands.front
        attempt = Attempt.begin(
            front.recorder, self.desk.store, request=request, claim=claim, asked_ns=number
        )
        front.take(attempt, None)
        return claim

    def finish(self, claim: Claim) -> None:
        """Have the task process of a task return with a video."""
        done = Done(files=(self.desk.video(claim),))
        self.hands.front.finish(finished(claim.token, done))
        self.hands.turn()

    def uploaded(self) -> bool:
        """Wait for the end of an upload, and settle; whether that was done."""
        self.uploads.get(timeout=PATIENCE_S)
        return self.hands.turn()

    def status(self, claim: Claim) -> TaskStatus:
        """Return what a task's row says."""
        return self.desk.store.get(claim.task.id).status

    def told(self, claim: Claim) -> list[str]:
        """Return what a task's history says."""
        return [event.name for event in self.desk.store.events(claim.task.id)]

    def spans(self) -> list[Span]:
        """Read all spans of both journals; none is open."""
        found: list[Span] = []
        for recorder in self.recorders:
            folder = Folder()
            for record in JournalReader(recorder.writer.directory).read():
                found += folder.feed(record)
            assert folder.open_spans == ()
        return found

    def bodies(self, kind: Kind) -> list[list[object]]:
        """Return what each journal has of a kind."""
        return [
            [r.body for r in JournalReader(one.writer.directory).read() if r.kind is kind]
            for one in self.recorders
        ]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[HeldStorage]:
    """Give a storage that is held; it is let go at the end."""
    storage = HeldStorage(tmp_path / "outputs")
    yield storage
    storage.gate.set()


@pytest.fixture
def pair(desk: Desk, storage: HeldStorage) -> Iterator[Pair]:
    """Give two empty hands."""
    pair = Pair(desk, storage)
    yield pair
    storage.gate.set()
    for hand in pair.hands:
        if hand.attempt is not None:
            hand.attempt.close("Queued")
    pair.recorders[1].close()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Give the queue's file as another process opens it: a transaction there locks it."""
    with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as other:
        yield other


def test_the_front_is_free_while_an_output_is_uploaded(pair: Pair, storage: HeldStorage) -> None:
    """The task of that is not over for others until its files are where they look for them."""
    claim = pair.take()
    pair.finish(claim)
    assert pair.hands.front.attempt is None
    assert pair.hands.uploaded == claim.task
    assert pair.status(claim) is TaskStatus.IN_PROGRESS
    assert not pair.hands.turn()
    storage.gate.set()
    assert pair.uploaded()
    assert pair.hands.is_empty
    assert pair.status(claim) is TaskStatus.COMPLETE


def test_a_second_output_waits_in_front(pair: Pair, storage: HeldStorage) -> None:
    """At most one upload is under way; its turn comes when the first is settled."""
    first = pair.take(1)
    pair.finish(first)
    second = pair.take(2)
    pair.finish(second)
    assert pair.hands.front.attempt is not None
    assert pair.hands.front.running is None
    storage.gate.set()
    pair.uploaded()
    assert pair.status(first) is TaskStatus.COMPLETE
    assert pair.hands.uploaded == second.task
    pair.uploaded()
    assert pair.status(second) is TaskStatus.COMPLETE
    assert storage.asked == [first.task.id, second.task.id]


def test_what_has_no_output_is_settled_in_front(pair: Pair) -> None:
    """A failure waits for nobody's upload."""
    pair.finish(pair.take(1))
    failing = pair.take(2)
    pair.hands.front.finish(finished(failing.token, Failed(failure=FAILURE)))
    assert pair.status(failing) is TaskStatus.FAILED
    assert pair.hands.front.attempt is None
    assert pair.hands.uploaded is not None


def test_on_this_machine_nothing_goes_behind(desk: Desk, tmp_path: Path) -> None:
    """A rename takes no time: it is settled where it is."""
    pair = Pair(desk, LocalStorage(tmp_path / "outputs"))
    claim = pair.take()
    pair.finish(claim)
    assert pair.hands.is_empty
    assert pair.status(claim) is TaskStatus.COMPLETE
    pair.recorders[1].close()


def test_each_attempt_is_whole_in_a_journal_of_its_own(pair: Pair, storage: HeldStorage) -> None:
    """Begun one within the other, ended one after the other; every span once."""
    pair.finish(pair.take(1))
    second = pair.take(2)
    storage.gate.set()
    pair.uploaded()
    pair.hands.front.finish(finished(second.token, Failed(failure=FAILURE)))
    spans = pair.spans()
    for digit in ("1", "2"):
        (process, *others) = sorted(
            (span for span in spans if span.trace_id.hex() == digit * 32),
            key=lambda span: span.name != "process t2v",
        )
        assert process.span_id.hex() == digit * 16
        assert sorted(span.name for span in others) == ["receive tasks", "settle tasks"]
        assert {span.parent_id for span in others} == {process.span_id}
    assert len(spans) == 6
    for begun, ended in zip(pair.bodies(Kind.TASK_BEGIN), pair.bodies(Kind.TASK_END), strict=True):
        assert len(begun) == len(ended) == 1


def test_each_attempt_is_measured_once(pair: Pair, storage: HeldStorage) -> None:
    """Whichever journal it is in."""
    pair.finish(pair.take(1))
    second = pair.take(2)
    storage.gate.set()
    pair.uploaded()
    pair.hands.front.finish(finished(second.token, Failed(failure=FAILURE)))
    taken: list[Measured] = []
    stream = MeasuringStream(taken.extend)
    for recorder in pair.recorders:
        folder, select = Folder(), stream.selection()
        for record in JournalReader(recorder.writer.directory).read():
            items = select(record, folder.feed(record), folder)
            stream.send(recorder.writer.facts, list(items), 1.0)
    counted = [one.attributes for one in taken if one.name == names.TASK_ATTEMPTS]
    assert sorted(each[names.TASK_STATUS] for each in counted) == ["Complete", "Failed"]


def test_an_upload_is_part_of_its_settle(pair: Pair, storage: HeldStorage) -> None:
    """Whoever looks where the time went sees how long that took."""
    pair.finish(pair.take())
    let_go_ns = time.time_ns()
    storage.gate.set()
    pair.uploaded()
    (settle,) = [span for span in pair.spans() if span.name == "settle tasks"]
    assert settle.start_ns < let_go_ns < (settle.end_ns or 0)


def test_what_is_logged_is_in_the_journal_of_its_task(pair: Pair, storage: HeldStorage) -> None:
    """In the thread that uploads, too, whatever the other hand is at."""
    level = logging.getLogger().level
    pair.recorders[0].install()
    pair.finish(pair.take(1))
    pair.take(2)
    with pair.hands.front.current():
        log.info("a line of the second")
    storage.gate.set()
    pair.uploaded()
    pair.recorders[0].close()
    logging.getLogger().setLevel(level)
    traces = [
        {
            body.message.split(" ")[0]: (body.trace_id or b"").hex()
            for body in bodies
            if isinstance(body, Log) and body.logger == log.name
        }
        for bodies in pair.bodies(Kind.LOG)
    ]
    assert traces == [{"published": "1" * 32}, {"a": "2" * 32}]


def test_an_upload_that_fails_is_its_own_tasks_failure(pair: Pair, storage: HeldStorage) -> None:
    """With its line, in its trace; the other is not touched."""
    storage.troubles.append(OutputError("no room"))
    first = pair.take(1)
    pair.finish(first)
    second = pair.take(2)
    storage.gate.set()
    pair.uploaded()
    error = pair.desk.store.get(first.task.id).error or {}
    assert (error["message"], error["function"]) == ("no room", "HeldStorage.publish")
    assert pair.status(second) is TaskStatus.IN_PROGRESS
    (errors, none) = pair.bodies(Kind.ERROR)
    assert [one.trace_id for one in errors if isinstance(one, Error)] == [bytes.fromhex("1" * 32)]
    assert none == []


def test_a_task_that_is_cancelled_during_its_upload_is_not_published(
    pair: Pair, storage: HeldStorage
) -> None:
    """It ends as superseded, refused once; the next one runs on."""
    first = pair.take(1)
    pair.finish(first)
    second = pair.take(2)
    pair.desk.store.cancel(first.task.id)
    storage.gate.set()
    pair.uploaded()
    assert pair.hands.uploaded is None
    assert pair.status(first) is TaskStatus.CANCELLED
    assert pair.told(first).count("refused") == 1
    assert not (storage.outputs_dir / str(first.task.id)).exists()
    assert pair.status(second) is TaskStatus.IN_PROGRESS


def test_a_settle_behind_waits_for_the_queue(
    pair: Pair, storage: HeldStorage, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, once it is settled there is one `settle`, and the front keeps its task."""
    monkeypatch.setattr(hand_module, "RETRY_S", 0.0)
    first = pair.take(1)
    pair.finish(first)
    second = pair.take(2)
    storage.gate.set()
    pair.uploads.get(timeout=PATIENCE_S)
    locked.execute("BEGIN IMMEDIATE")
    pair.hands.turn()
    assert pair.hands.uploaded == first.task
    assert pair.presence.trouble
    locked.execute("ROLLBACK")
    pair.hands.turn()
    assert pair.status(first) is TaskStatus.COMPLETE
    assert pair.told(first).count("completed") == 1
    pair.hands.front.finish(finished(second.token, Failed(failure=FAILURE)))
    tries = [span.attributes.get(names.SETTLE_TRIES) for span in pair.spans()]
    assert sorted(each for each in tries if each) == [1, 2]


def test_an_upload_outlasts_the_queue(
    pair: Pair, storage: HeldStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By which its claim is held: it is begun again, and published once."""
    monkeypatch.setattr(upload_module, "RETRY_S", 0.0)
    storage.troubles.append(QueueUnavailable("away"))
    claim = pair.take()
    pair.finish(claim)
    storage.gate.set()
    pair.uploaded()
    assert pair.status(claim) is TaskStatus.COMPLETE
    assert storage.asked == [claim.task.id] * 2


def test_a_worker_sweeps_neither_of_its_tasks(pair: Pair, tmp_path: Path) -> None:
    """After a pause of the machine the leases of both have run out; others' tasks are swept."""
    first = pair.take(1)
    pair.finish(first)
    second = pair.take(2)
    lost = pair.desk.claim()
    path = tmp_path / "queue.db"
    with closing(LocalStore(path, clock=lambda: time.time() + 3600, busy_timeout_s=0.1)) as late:
        for lease in pair.leases:
            vars(lease)["_store"] = late
        lifeline = Lifeline(
            late,
            pair.desk.recorder,
            every_s=15,
            retries=RetryPolicy(),
            before=lambda: renew_all(pair.leases),
        )
        lifeline.round()
    deaths = [pair.desk.store.get(each.task.id).deaths for each in (first, second, lost)]
    assert deaths == [0, 0, 1]


def test_a_worker_sweeps_nobody_while_either_is_settled(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until that is answered, whoever of the two it is."""
    monkeypatch.setattr(lease_module, "SETTLE_WAIT_S", 0.0)
    pair.take()
    assert renew_all(pair.leases) is True
    for lease in pair.leases:
        lease.hand_over()
        assert renew_all(pair.leases) is None
        lease.drop()


def test_a_queue_that_is_away_is_told_before_a_settle(
    pair: Pair, locked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had not answered: that must not be taken for a settle under way."""
    monkeypatch.setattr(lease_module, "SETTLE_WAIT_S", 0.0)
    pair.take()
    pair.leases[1].hand_over()
    locked.execute("BEGIN IMMEDIATE")
    assert renew_all(pair.leases) is False


def test_the_note_has_the_outcome_before_the_upload(pair: Pair) -> None:
    """Also while it waits for another: whoever comes next publishes it, and counts no death."""
    for number in (1, 2):
        claim = pair.take(number)
        pair.finish(claim)
    left = [note.read(recorder.writer.directory) for recorder in pair.recorders]
    assert [one.finished.outcome for one in left if one and one.finished] == ["Done", "Done"]


def test_an_output_that_is_uploaded_counts_as_done(pair: Pair, storage: HeldStorage) -> None:
    """Once."""
    pair.finish(pair.take())
    assert pair.hands.ended == 1
    storage.gate.set()
    pair.uploaded()
    assert pair.hands.ended == 1
