"""What a task tells of itself, and for how long it has told nothing, is seen by others."""

import io
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from telemetry import names
from telemetry.journal import JournalReader
from telemetry.links import Links
from telemetry.spans import Folder
from worker.console import JsonConsole
from worker.messages import Alive, Finished, Progress, finished
from worker.output.storage import LocalStorage, hold_nothing
from worker.store.local import LocalStore
from worker.supervisor import hand as hand_module
from worker.supervisor import health
from worker.supervisor import lease as lease_module
from worker.supervisor.attempt import Attempt
from worker.supervisor.hand import Hand
from worker.supervisor.health import HealthFile
from worker.supervisor.lease import LeaseKeeper
from worker.supervisor.lifeline import Lifeline
from worker.supervisor.presence import Presence
from worker.supervisor.retries import RetryPolicy
from worker.task import Done, Failed, Failure, Outcome, Retry, TaskStatus

from .conftest import Desk

HEARTBEAT_S = 10.0


class Holding:
    """A hand with a running task, which beats when it is told to."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = 1000.0
        self.said = io.StringIO()
        self.lease = LeaseKeeper(
            desk.store,
            lease_s=60,
            heartbeat_s=HEARTBEAT_S,
            check_s=1,
            on_lost=lambda _token, _reason: None,
            clock=lambda: self.now,
        )
        self.presence = Presence(desk.store, HealthFile(desk.recorder.writer.directory), "gpu")
        self.failed: list[UUID] = []
        self.hand = Hand(
            desk.settler,
            self.lease,
            JsonConsole(self.said),
            self.presence,
            on_failed=self.failed.append,
        )
        request = desk.request()
        claim = desk.claim(request)
        self.attempt = Attempt.begin(
            desk.recorder, desk.store, request=request, claim=claim, asked_ns=1
        )
        self.hand.take(self.attempt, None)
        self.token = claim.token

    def steps(self, *at: float) -> None:
        """Do steps of ten at some times."""
        for step, moment in enumerate(at, start=1):
            self.hand.hear(
                Progress(token=self.token, at=moment, stage="generate", step=step, steps=10)
            )

    def row(self) -> dict[str, object]:
        """Return the progress on the task's row after the next heartbeat."""
        self.now += HEARTBEAT_S
        self.lease.round()
        return self.desk.store.get(self.attempt.claim.task.id).progress or {}

    def health(self) -> str:
        """Return what `loop26 health` says."""
        self.presence.show("busy", self.attempt)
        return health.check(self.desk.spool).sentence


@pytest.fixture
def holding(desk: Desk) -> Iterator[Holding]:
    """Give a hand with a running task."""
    holding = Holding(desk)
    yield holding
    holding.attempt.close("Queued")


def test_the_row_says_since_when_and_for_how_long_a_task_is_quiet(holding: Holding) -> None:
    """The stamp is the task's own and stands still; the lease is extended all the same."""
    holding.steps(5.0)
    holding.hand.quiet(42.7)
    row = holding.row()
    assert (row["stage"], row["step"], row["at"], row["quiet_s"]) == ("generate", 1, 5.0, 42)


def test_health_says_for_how_long_a_task_is_quiet(holding: Holding) -> None:
    """Alive and not progressing; it is well all the same. A short silence is not spoken of."""
    holding.steps(5.0)
    holding.hand.quiet(29)
    assert "quiet" not in holding.health()
    holding.hand.quiet(42)
    assert holding.health().endswith(", quiet for 42 s in stage generate")


def test_a_task_that_goes_on_is_no_longer_quiet(holding: Holding) -> None:
    """Between two steps, too: its stamp moves, its step and what is left do not."""
    holding.steps(5.0, 6.0, 7.0)
    left_s = holding.attempt.progress["eta_s"]
    holding.hand.quiet(42)
    holding.hand.hear(Alive(token=holding.token, at=60.0))
    row = holding.row()
    assert (row["step"], row["at"], row["quiet_s"], row["eta_s"]) == (3, 60.0, 0, left_s)


def test_what_goes_on_between_two_steps_is_no_line(holding: Holding) -> None:
    """Programs read of steps; once a second would tell them nothing."""
    holding.steps(5.0)
    holding.hand.hear(Alive(token=holding.token, at=6.0))
    holding.hand.quiet(3)
    events = [json.loads(line)["event"] for line in holding.said.getvalue().splitlines()]
    assert events == ["claimed", "progress"]


def test_another_tasks_sign_of_life_is_passed_over(holding: Holding) -> None:
    """It comes late."""
    holding.steps(5.0)
    holding.hand.hear(Alive(token=uuid4(), at=60.0))
    assert holding.attempt.progress["at"] == 5.0


def failing(holding: Holding) -> Finished:
    """Return the message of a task process whose task has failed."""
    failure = Failure(kind="exception", type="OSError", message="m", sentence="OSError: m")
    return finished(holding.token, Failed(failure=failure))


def test_a_failure_is_told_of(holding: Holding) -> None:
    """Once it is settled."""
    holding.hand.finish(failing(holding))
    assert holding.failed == [holding.attempt.claim.task.id]


def test_a_failure_that_the_queue_refuses_is_told_of(holding: Holding) -> None:
    """The task has ended with another; what it failed with is in the record alone."""
    holding.desk.store.cancel(holding.attempt.claim.task.id)
    holding.hand.finish(failing(holding))
    assert holding.failed == [holding.attempt.claim.task.id]


def test_an_outcome_that_is_refused_and_no_failure_is_not_told_of(holding: Holding) -> None:
    """It went well, too late."""
    holding.desk.store.cancel(holding.attempt.claim.task.id)
    holding.hand.finish(finished(holding.token, Done(files=())))
    assert holding.failed == []


def test_a_drain_that_finds_no_queue_gives_the_attempt_back_later(
    holding: Holding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was lost; the task stays in hand until it is there again, and costs no try."""
    monkeypatch.setattr(hand_module, "RETRY_S", 0.0)
    task_id = holding.attempt.claim.task.id
    with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        holding.hand.give_back("it stops")
        assert holding.hand.attempt is holding.attempt
        other.execute("ROLLBACK")
    holding.hand.settle_if_due()
    task = holding.desk.store.get(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)


def test_a_worker_whose_lease_ran_out_without_its_queue_costs_no_death(
    holding: Holding, tmp_path: Path
) -> None:
    """Another took it for lost; the next heartbeat says that it lives, and the count is right."""
    task_id = holding.attempt.claim.task.id
    with closing(LocalStore(tmp_path / "queue.db", clock=lambda: time.time() + 3600)) as other:
        other.sweep(max_deaths=3)
    assert holding.desk.store.get(task_id).deaths == 1
    holding.now += HEARTBEAT_S
    holding.lease.round()
    task = holding.desk.store.get(task_id)
    assert (task.status, task.deaths) == (TaskStatus.QUEUED, 0)


@dataclass(frozen=True, slots=True)
class PausingStorage(LocalStorage):
    """A storage in whose midst something happens, as when a machine is stopped and goes on."""

    meanwhile: Callable[[], None] = lambda: None

    def publish(
        self,
        task_id: UUID,
        token: UUID,
        files: Sequence[Path],
        hold: Callable[[], None] = hold_nothing,
    ) -> tuple[str, ...]:
        """Publish after that."""
        self.meanwhile()
        return LocalStorage.publish(self, task_id, token, files, hold)


@pytest.fixture
def shore(holding: Holding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lifeline]:
    """Give the worker's own lifeline; by its clock every lease has run out."""
    monkeypatch.setattr(lease_module, "SETTLE_WAIT_S", 0.0)
    path = tmp_path / "queue.db"
    with closing(LocalStore(path, clock=lambda: time.time() + 3600, busy_timeout_s=0.1)) as store:
        yield Lifeline(
            store,
            holding.desk.recorder,
            every_s=15,
            retries=RetryPolicy(),
            before=holding.lease.renew,
        )


def test_a_worker_sweeps_no_task_that_it_settles(
    holding: Holding, shore: Lifeline, tmp_path: Path
) -> None:
    """A pause of the machine in the midst of a settle: what was done is not done again."""
    desk = holding.desk
    desk.settler = replace(
        desk.settler, storage=PausingStorage(tmp_path / "outputs", meanwhile=shore.round)
    )
    hand = Hand(desk.settler, holding.lease, JsonConsole(holding.said), holding.presence)
    hand.take(holding.attempt, None)
    video = desk.video(holding.attempt.claim)
    hand.finish(finished(holding.token, Done(files=(video,))))
    task = desk.store.get(holding.attempt.claim.task.id)
    assert (task.status, task.deaths) == (TaskStatus.COMPLETE, 0)


def test_a_worker_sweeps_nobody_while_its_settle_is_not_answered(
    holding: Holding, shore: Lifeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue was away and is back: what is to be told comes before what is to be taken."""
    monkeypatch.setattr(hand_module, "RETRY_S", 0.0)
    with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        holding.hand.finish(failing(holding))
        other.execute("ROLLBACK")
    shore.round()
    assert holding.desk.store.get(holding.attempt.claim.task.id).deaths == 0
    holding.hand.settle_if_due()
    assert holding.hand.attempt is None
    lost = holding.desk.claim()
    shore.round()
    assert holding.desk.store.get(lost.task.id).deaths == 1


FAILURE = Failure(
    kind="exception",
    type="LookupError",
    message="no",
    sentence="It is not there.",
    fingerprint="26" * 8,
    event_id="e" * 32,
)


def process_span(holding: Holding) -> dict[str, object]:
    """Read the attributes of the attempt's span out of the journal."""
    folder = Folder()
    ended = [
        span
        for record in JournalReader(holding.desk.recorder.writer.directory).read()
        for span in folder.feed(record)
    ]
    (span,) = [span for span in ended if span.name.startswith("process ")]
    return dict(span.attributes)


@pytest.mark.parametrize("outcome", [Failed(failure=FAILURE), Retry(failure=FAILURE)])
def test_the_span_of_a_task_says_what_it_failed_of(holding: Holding, outcome: Outcome) -> None:
    """Metrics count by it, and whoever searches traces finds others of the cause."""
    holding.hand.finish(finished(holding.token, outcome))
    said = process_span(holding)
    assert said[names.FAILURE_KIND] == "exception"
    assert said[names.ERROR_TYPE] == "LookupError"
    assert said[names.ERROR_FINGERPRINT] == FAILURE.fingerprint


def test_the_span_of_a_task_that_went_well_says_of_no_failure(holding: Holding) -> None:
    """Nothing failed."""
    video = holding.desk.video(holding.attempt.claim)
    holding.hand.finish(finished(holding.token, Done(files=(video,))))
    assert names.FAILURE_KIND not in process_span(holding)


def test_what_is_told_of_a_cancelled_task_is_no_failure(holding: Holding) -> None:
    """It was ended because somebody wanted it so."""
    holding.desk.store.cancel(holding.attempt.claim.task.id, reason="not wanted")
    holding.hand.finish(finished(holding.token, Failed(failure=FAILURE)))
    assert names.FAILURE_KIND not in process_span(holding)


def test_span_and_row_lead_to_the_pages_that_the_operator_has_named(desk: Desk) -> None:
    """Of the task and of its issue; what has no page is left out."""
    links = Links(task="https://app/{task_id}", event="https://sentry/{event_id}")
    desk.settler = replace(desk.settler, links=links)
    holding = Holding(desk)
    holding.hand.finish(finished(holding.token, Failed(failure=FAILURE)))
    task_id = holding.attempt.claim.task.id
    pages = {"task": f"https://app/{task_id}", "issue": f"https://sentry/{FAILURE.event_id}"}
    said = process_span(holding)
    assert {name: said.get(f"loop26.link.{name}") for name in pages} == pages
    assert (desk.store.get(task_id).error or {})["links"] == pages
