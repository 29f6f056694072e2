"""How often a task is tried again, by its type and by how it failed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from worker.settings.configuration import load
from worker.store.local import LocalStore
from worker.supervisor.retries import LONGEST_DELAY_S, RetryPolicy, delay_s
from worker.task import Claim, Failure, NewTask, Retry, TaskStatus

from .conftest import Desk

ERROR = Failure(kind="exception", type="OSError", message="m", sentence="OSError: m")
HANG = Failure(kind="hang", type="hang", message="m", sentence="It hung.")
DEATH = Failure(kind="death", type="oom", message="m", sentence="It died.")


def policy(text: str) -> RetryPolicy:
    """Return the policy of a setting."""
    return RetryPolicy.of(load({"retries": text, "max_attempts": 4, "max_deaths": 5}).settings)


@pytest.mark.parametrize(
    ("rules", "kind", "most"),
    [
        ("", "error", 4),
        ("", "death", 5),
        ("", "hang", 1),
        ("*.hang=2", "hang", 2),
        ("t2v.error=7,*.error=2", "error", 7),
        ("*.death=2,t2v.error=7", "death", 2),
        ("i2v.death=2", "death", 5),
    ],
)
def test_a_types_own_rule_wins(rules: str, kind: str, most: int) -> None:
    """Over one for every type, and that over the general values."""
    assert policy(rules).most("t2v", kind) == most


def test_a_sweep_is_told_of_types_with_rules_of_their_own() -> None:
    """A worker sweeps tasks of all types."""
    found = policy("t2v.death=1,*.death=7,i2v.error=2")
    assert (found.deaths, found.deaths_by_type) == (7, {"t2v": 1})


def test_a_task_waits_twice_as_long_each_time_up_to_a_bound() -> None:
    """A hundred attempts would be longer than the universe is old."""
    assert [delay_s(attempt) for attempt in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert delay_s(100) == LONGEST_DELAY_S


class Office:
    """A desk whose settler has a policy, and one task that is tried again and again."""

    def __init__(self, path: Path, rules: str) -> None:
        self.now = 1_770_000_000.0
        self.desk = Desk(path)
        self.desk.store.close()
        self.store = LocalStore(path / "queue.db", clock=lambda: self.now)
        self.settler = replace(self.desk.settler, store=self.store, retries=policy(rules))
        (self.task_id,) = self.store.insert([NewTask(task_type="t2v", params={})])

    def fail(self, failure: Failure) -> str:
        """Have the next attempt fail so; return what became of the task."""
        self.now += LONGEST_DELAY_S
        claim = self.store.claim(self.desk.request())
        assert claim is not None
        return self.settled(claim, failure)

    def settled(self, claim: Claim, failure: Failure) -> str:
        """Settle a claim by a failure."""
        if failure.kind == "exception":
            return self.settler.settle(claim, Retry(failure=failure), {}).status
        return self.settler.settle_death(claim, failure).status

    def close(self) -> None:
        """Close what was opened."""
        self.desk.recorder.close()
        self.store.close()


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """Give an office with the rules of the test."""
    office = Office(tmp_path, request.param)
    yield office
    office.close()


def with_rules(text: str) -> pytest.MarkDecorator:
    """Say by which rules a test's office goes."""
    return pytest.mark.parametrize("office", [text], indirect=True)


@with_rules("t2v.error=2,t2v.death=2,t2v.hang=2")
@pytest.mark.parametrize("failure", [ERROR, DEATH, HANG], ids=["error", "death", "hang"])
def test_the_last_failure_of_a_kind_fails_the_task(office: Office, failure: Failure) -> None:
    """Those before it have it queued again."""
    assert [office.fail(failure) for _ in range(2)] == [TaskStatus.QUEUED, TaskStatus.FAILED]


@with_rules("t2v.error=2,t2v.death=2,t2v.hang=2")
def test_each_kind_is_counted_by_itself(office: Office) -> None:
    """Three attempts, of three kinds, are the last of none."""
    found = [office.fail(failure) for failure in (ERROR, DEATH, HANG)]
    assert found == [TaskStatus.QUEUED] * 3
    assert office.fail(HANG) == TaskStatus.FAILED


@with_rules("")
def test_a_hang_is_not_tried_again_unless_a_rule_says_so(office: Office) -> None:
    """Another attempt would take a GPU for as long."""
    assert office.fail(HANG) == TaskStatus.FAILED


@with_rules("t2v.error=2")
def test_an_attempt_that_was_given_back_counts_for_nothing(office: Office) -> None:
    """A worker that drains takes no try from a task."""
    for _ in range(3):
        claim = office.store.claim(office.desk.request())
        assert claim is not None
        office.settler.release(claim, "it stops")
    assert office.fail(ERROR) == TaskStatus.QUEUED


@with_rules("t2v.error=2")
def test_a_settle_whose_answer_was_lost_is_the_same_when_it_is_repeated(office: Office) -> None:
    """What it wrote the first time is not taken for an earlier failure."""
    office.now += LONGEST_DELAY_S
    claim = office.store.claim(office.desk.request())
    assert claim is not None
    assert [office.settled(claim, ERROR) for _ in range(2)] == [TaskStatus.QUEUED] * 2
    assert [event.name for event in office.store.events(office.task_id)].count("retried") == 1
