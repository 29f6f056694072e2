"""The task is given to its handler again as it was given then, or it is said what is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from telemetry.records import TaskBegin
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.findings import LinksFound
from worker.replay.claims import NothingToReplay, claimed_of_queue, claimed_of_record
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import TASK_TYPES, NewTask

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
PARENT = "8172a7f6-65d9-4a77-8fa7-54558e356286"
SIGNED = "https://a.b/c.png?token=hunter2hunter2"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """Give an empty queue."""
    store = LocalStore(tmp_path / "queue.db")
    yield store
    store.close()


def case(*relatives: TaskRow, begin: TaskBegin | None = None, **row: Any) -> Any:
    """Make the claim of a case that somebody else recorded."""
    task = TaskRow(**{"id": TASK, "type": "travel_segment", "status": "Failed", **row})
    found = Case(
        asked=TASK,
        task=task,
        model=None,
        source="the black box",
        links=LinksFound(trace_id="", sentry_event_id=""),
        relatives=list(relatives),
    )
    return claimed_of_record(found, begin)


def test_the_queues_parameters_are_whole(store: LocalStore) -> None:
    """Nothing is hidden of them: the input is found by its whole URL."""
    (task,) = store.insert([NewTask(task_type="i2v", params={"image": SIGNED})])
    claimed = claimed_of_queue(store, task)
    assert claimed.claim.task.params == {"image": SIGNED}
    assert claimed.altered == ()


def test_the_queues_dependencies_and_orchestrator_come_along(store: LocalStore) -> None:
    """In the order in which the task names them."""
    parent, first, last = uuid4(), uuid4(), uuid4()
    store.insert(
        [
            NewTask(id=parent, task_type="travel_orchestrator", params={"seed": 1}),
            NewTask(id=first, task_type="travel_segment", params={"segment_index": 0}),
            NewTask(
                id=last,
                task_type="travel_segment",
                params={"orchestrator_task_id_ref": str(parent)},
                dependant_on=(first,),
            ),
        ]
    )
    claim = claimed_of_queue(store, last).claim
    assert claim.parent_params == {"seed": 1}
    assert [one.params for one in claim.dependencies] == [{"segment_index": 0}]


def test_an_orchestrator_that_is_gone_is_named(store: LocalStore) -> None:
    """What it said of the segment is not known."""
    (task,) = store.insert(
        [NewTask(task_type="travel_segment", params={"orchestrator_task_id_ref": PARENT})]
    )
    (missing,) = claimed_of_queue(store, task).missing
    assert PARENT in missing


def test_the_claim_is_in_a_trace_of_its_own(store: LocalStore) -> None:
    """And under a token that owns nothing."""
    (task,) = store.insert([NewTask(task_type="t2v", params={})])
    token = uuid4()
    request = ClaimRequest(
        worker_id="w",
        token=token,
        task_types=TASK_TYPES,
        lease_s=60,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
    )
    taken = store.claim(request)
    assert taken is not None
    claim = claimed_of_queue(store, task).claim
    assert claim.token != token
    assert (claim.task.process_context or "")[:36] != (taken.task.process_context or "")[:36]


def test_a_record_says_what_was_hidden_of_it() -> None:
    """Of the task's parameters, and of its orchestrator's."""
    parent = TaskRow(
        id=PARENT, type="travel_orchestrator", status="Failed", params={"api_key": "[redacted]"}
    )
    claimed = case(parent, params={"prompt": "[prompt hidden]"}, parent_id=PARENT)
    assert claimed.altered == (
        "params.prompt was a prompt, and prompts are not recorded",
        "its orchestrator's params.api_key was a secret, and is not recorded",
    )


def test_without_a_row_the_begin_of_the_task_has_its_parameters() -> None:
    """A journal has them, too."""
    begin = TaskBegin(
        task_id=TASK,
        attempt=1,
        task_type="t2v",
        trace_id=bytes(16),
        worker_id="w",
        at_ns=0,
        params={"seed": 3},
    )
    assert case(begin=begin).claim.task.params == {"seed": 3}


def test_without_parameters_there_is_nothing_to_replay() -> None:
    """They may have been too large to be recorded."""
    with pytest.raises(NothingToReplay, match=r"are not in the black box"):
        case()


def test_a_dependency_that_the_record_lacks_is_named() -> None:
    """One that it has comes along, with its output."""
    other = TaskRow(id=PARENT, type="travel_segment", status="Complete", output="/out/video.mp4")
    claimed = case(other, params={"seed": 1}, depends_on=[PARENT, str(UUID(int=7))])
    assert [one.output_location for one in claimed.claim.dependencies] == ["/out/video.mp4"]
    (missing,) = claimed.missing
    assert str(UUID(int=7)) in missing


@pytest.mark.parametrize("facts", [{"id": "../../x"}, {"parent_id": "x"}, {"depends_on": [""]}])
def test_a_record_that_names_no_ids_is_refused(facts: dict[str, Any]) -> None:
    """It is somebody's file."""
    with pytest.raises(NothingToReplay, match="names no ids"):
        case(params={"seed": 1}, **facts)
