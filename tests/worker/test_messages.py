"""What supervisor and task process say to each other arrives as it was said."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from worker.messages import Cancel, Channel, Finished, Progress, Run, finished, outcome_of
from worker.task import (
    Cancelled,
    Claim,
    Dependency,
    Done,
    Failed,
    Failure,
    NewTask,
    Outcome,
    Retry,
    Spawned,
    Task,
    TaskStatus,
)

NOW = datetime(2026, 2, 24, 14, 14, 44, 546000, tzinfo=UTC)
FAILURE = Failure(
    kind="exception",
    type="AttributeError",
    message="'NoneType' object has no attribute 'get'",
    sentence="AttributeError: 'NoneType' object has no attribute 'get'",
    file="engine.py",
    line=26,
    loop_index=26,
    loop_count=32,
)
OUTCOMES = [
    Done(files=(Path("video.mp4"), Path("thumbnail.jpg")), result={"frames": 81}),
    Spawned(children=(NewTask(task_type="travel_segment", params={"segment_index": 0}),)),
    Retry(failure=FAILURE),
    Failed(failure=FAILURE),
    Cancelled(reason="by its owner"),
]


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """Give both ends of a channel: the supervisor's, the task process's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel.of_supervisor(ours), Channel.of_task_process(theirs)


def a_claim() -> Claim:
    """Make a claim with every field filled."""
    task = Task(
        id=uuid4(),
        task_type="travel_segment",
        params={"seed_to_use": None, "nested": {"list": [1, 2.5, "ä\n"]}},
        status=TaskStatus.IN_PROGRESS,
        dependant_on=(uuid4(),),
        parent_id=uuid4(),
        project_id=None,
        idempotency_key="key",
        trace_context=None,
        process_context="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        attempts=1,
        deaths=0,
        worker_id="gpu",
        output_location=None,
        error_message=None,
        error=None,
        result_data=None,
        progress=None,
        created_at=NOW,
        updated_at=NOW,
        generation_started_at=None,
        generation_processed_at=None,
    )
    dependency = Dependency(
        id=task.dependant_on[0], task_type="travel_segment", params={}, output_location="a.mp4"
    )
    return Claim(token=uuid4(), task=task, dependencies=(dependency,), parent_params={"a": None})


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_arrives_as_it_was_returned(
    ends: tuple[Channel, Channel], outcome: Outcome
) -> None:
    """Each kind of outcome survives the way to the supervisor."""
    supervisor, task_process = ends
    token = uuid4()
    assert task_process.send(finished(token, outcome, recycle="why"))
    message = next(iter(supervisor))
    assert isinstance(message, Finished)
    assert (message.token, message.recycle) == (token, "why")
    assert outcome_of(message) == outcome


def test_a_claim_arrives_as_it_was_made(ends: tuple[Channel, Channel]) -> None:
    """A claim survives the way to the task process, Nones and line breaks included."""
    supervisor, task_process = ends
    claim = a_claim()
    assert supervisor.send(Run(claim=claim))
    assert next(iter(task_process)) == Run(claim=claim)


def test_messages_keep_their_order(ends: tuple[Channel, Channel]) -> None:
    """What is said first is heard first, however much is said at once."""
    supervisor, task_process = ends
    token = uuid4()
    for step in range(100):
        task_process.send(Progress(token=token, at=0.0, stage="generate", step=step, steps=100))
    heard = iter(supervisor)
    assert [next(heard).step for _ in range(100)] == list(range(100))


def test_a_message_cut_off_by_death_is_dropped() -> None:
    """The part of a line that a dying process got out is no message."""
    ours, theirs = socket.socketpair()
    theirs.sendall(b'{"type":"progress","tok')
    theirs.close()
    with ours:
        assert list(Channel.of_supervisor(ours)) == []


def test_sending_to_the_dead_is_no_error(ends: tuple[Channel, Channel]) -> None:
    """Its death will tell; until then a message to nobody returns False."""
    supervisor, task_process = ends
    task_process.close()
    assert not supervisor.send(Cancel(token=uuid4(), reason="too late"))
