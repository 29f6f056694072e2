"""JSON that other applications put into a queue: taken where it is well-formed, else left out."""

import math
import sqlite3
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from worker.errors import Fenced
from worker.task import Claim, Failure, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

NO_OBJECTS = ["", "text", "{", "[1]", '"text"', "7", "null", "[" * 5000, "1" * 5000]


def _fail(queue: "Queue", task_id: UUID, error: str, message: str = "It broke.") -> None:
    queue.write(task_id, status="Failed", error_message=message, error=error)


def _orchestrator(queue: "Queue", children: int = 1) -> tuple[Claim, list[UUID]]:
    """Claim an orchestrator that has children before it spawns any."""
    orchestrator = queue.insert("travel_orchestrator")
    claim = queue.claim(task_types=["travel_orchestrator"])
    ids = [queue.insert("travel_segment", parent_id=orchestrator) for _ in range(children)]
    return claim, ids


def _told(queue: "Queue", claim: Claim) -> dict[str, Any]:
    """Let an orchestrator wait for its children; return the root cause that it fails with."""
    queue.store.spawn(claim.token, [], result={})
    task = queue.store.get(claim.task.id)
    assert task.status is TaskStatus.FAILED
    root_cause: dict[str, Any] = (task.error or {})["root_cause"]
    return root_cause


@pytest.mark.parametrize(
    "error",
    [
        *NO_OBJECTS,
        "{}",
        '{"root_cause": "x"}',
        '{"root_cause": [1]}',
        '{"root_cause": {}}',
        '{"root_cause": {"task_id": 7}}',
        '{"root_cause": {"task_id": "seven"}}',
        '{"root_cause": {"task_id": "\\ud800"}}',
        '{"root_cause": {"task_id": "00000000-0000-4000-8000-000000000000"}}',
        '{"type": 7, "message": [], "file": null, "line": "x", "function": {}, "trace_id": 1}',
    ],
    ids=lambda error: error[:60],
)
def test_an_error_that_is_none_is_left_out(queue: "Queue", error: str) -> None:
    """The orchestrator of a child with such an error fails with what else its row says."""
    if not queue.keeps(error):
        return
    claim, [child] = _orchestrator(queue)
    _fail(queue, child, error)
    assert _told(queue, claim) == {
        "task_id": str(child),
        "type": "Failed",
        "message": "It broke.",
        "file": "",
        "line": 0,
        "function": "",
        "trace_id": "",
    }


def test_of_an_error_what_is_well_formed_is_taken(queue: "Queue") -> None:
    """A line that is none takes nothing else with it."""
    claim, [child] = _orchestrator(queue)
    message = r"gone \ud800" if queue.keeps(r'"\ud800"') else "gone ?"
    _fail(
        queue, child, f'{{"type": "OSError", "message": "{message}", "line": "x", "file": "a.py"}}'
    )
    told = _told(queue, claim)
    assert [told[name] for name in ("type", "message", "line", "file")] == [
        "OSError",
        "gone ?",
        0,
        "a.py",
    ]


def test_root_causes_that_go_in_a_circle_are_followed_once(queue: "Queue") -> None:
    """Two tasks say that each fell with the other."""
    claim, [first, second] = _orchestrator(queue, 2)
    _fail(queue, first, f'{{"root_cause": {{"task_id": "{second}"}}}}')
    _fail(queue, second, f'{{"root_cause": {{"task_id": "{first}"}}}}')
    assert _told(queue, claim)["task_id"] == str(second)


def test_a_task_that_fell_with_itself_is_the_root(queue: "Queue") -> None:
    """It names its own id."""
    claim, [child] = _orchestrator(queue)
    _fail(queue, child, f'{{"root_cause": {{"task_id": "{child}"}}}}')
    assert _told(queue, claim)["task_id"] == str(child)


def test_a_root_cause_that_has_not_ended_is_none(queue: "Queue") -> None:
    """A child says that it fell with its orchestrator, which runs: it must not wait for ever."""
    claim, [child] = _orchestrator(queue)
    _fail(queue, child, f'{{"root_cause": {{"task_id": "{claim.task.id}"}}}}')
    assert _told(queue, claim)["task_id"] == str(child)


@pytest.mark.parametrize(
    ("progress", "stage"),
    [
        *((text, "") for text in NO_OBJECTS),
        ('{"stage": 7}', ""),
        ('{"step": 3}', ""),
        ('{"stage": "decode", "step": "x"}', "decode"),
        ('{"stage": "\\ud800"}', "?"),
    ],
    ids=lambda text: text[:60],
)
def test_a_lost_workers_progress_may_be_anything(queue: "Queue", progress: str, stage: str) -> None:
    """The sweep goes on, and the failure is listed."""
    if not queue.keeps(progress):
        return
    task_id = queue.insert()
    queue.claim()
    queue.write(task_id, progress=progress)
    queue.advance(61)
    assert [task.id for task in queue.store.sweep(max_deaths=3)] == [task_id]
    assert queue.status(task_id) is TaskStatus.QUEUED
    [failed] = queue.store.failures()
    assert (failed.failure["type"], failed.failure["stage"]) == ("WorkerLost", stage)


def test_a_spawn_that_was_recorded_without_children_is_repeated_to_none(queue: "Queue") -> None:
    """What is no id among them is left out, too."""
    claim, [child] = _orchestrator(queue)
    queue.write(claim.task.id, claim_token=None)
    said = {"token": str(claim.token), "children": [7, "x", str(child), None]}
    queue.record(claim.task.id, "spawned", said)
    assert queue.store.spawn(claim.token, [], result={}) == [child]


@pytest.mark.parametrize("status", [None, 7, "Done", ["Queued"]], ids=str)
def test_a_death_that_was_recorded_without_a_status_has_the_present_one(
    queue: "Queue", failure: Failure, status: Any
) -> None:
    """The row knows it."""
    task_id = queue.insert()
    claim = queue.claim()
    queue.write(task_id, status="Queued", claim_token=None)
    queue.record(task_id, "died", {"token": str(claim.token), "status": status})
    assert queue.store.record_death(claim.token, failure, max_deaths=3) is TaskStatus.QUEUED


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("worker_lost", "its lease expired and the task was taken back"),
        ("cancelled", "the task was cancelled"),
        ("cascaded", "the task ended with a related one"),
    ],
)
@pytest.mark.parametrize("value", [{}, {"reason": 7, "lease_expires_at": [1]}, [1], "text"])
def test_an_end_that_tells_nothing_fences_all_the_same(
    queue: "Queue", name: str, said: str, value: Any
) -> None:
    """With what its name says."""
    task_id = queue.insert()
    claim = queue.claim()
    queue.write(task_id, status="Cancelled", claim_token=None)
    queue.record(task_id, name, value)
    with pytest.raises(Fenced, match=f"{said}$"):
        queue.complete(claim)


@pytest.mark.parametrize("facts", [{}, {"worker_id": 7, "attempt": "x"}], ids=str)
def test_a_claim_that_tells_of_no_worker_is_refused_as_any_other(
    queue: "Queue", facts: dict[str, Any]
) -> None:
    """The refusal is in the history."""
    task_id, token = queue.insert(), uuid4()
    queue.record(task_id, "claimed", {"token": str(token), **facts})
    with pytest.raises(Fenced, match="set to 'Queued' by another application"):
        queue.store.complete(token, output_location="", result={})
    refused = queue.event(task_id, "refused")
    assert (refused["worker_id"], refused["attempt"]) == ("", 0)


def test_a_previous_context_that_is_none_is_left_out(queue: "Queue") -> None:
    """Another application has told of an attempt before."""
    task_id, token = queue.insert(), uuid4()
    queue.record(task_id, "claimed", {"token": "x", "process_context": 7})
    queue.claim(token=token)
    assert queue.claim(token=token).previous_context is None


@pytest.mark.parametrize("named", ["\\ud800", "seven", ""])
def test_an_orchestrator_that_has_no_id_has_no_params(queue: "Queue", named: str) -> None:
    """The task that names it can be claimed all the same."""
    task_id = queue.insert()
    params = f'{{"orchestrator_task_id_ref": "{named}"}}'
    if not queue.keeps(params):
        return
    queue.write(task_id, params=params)
    assert queue.claim().parent_params is None


def test_params_of_an_orchestrator_that_python_cannot_read_are_none(
    queue: "Queue", raw: sqlite3.Connection
) -> None:
    """SQLite takes a number of 5,000 digits."""
    _, [child] = _orchestrator(queue)
    raw.execute("UPDATE tasks SET params = ? WHERE id <> ?", (f'{{"n": {"1" * 5000}}}', str(child)))
    assert queue.claim(task_types=["travel_segment"]).parent_params == {}


def test_a_stitch_without_an_output_leaves_its_orchestrator_without(queue: "Queue") -> None:
    """Another application has set it to Complete."""
    orchestrator, [segment, stitch] = queue.journey(1)
    for task_id in (segment, stitch):
        queue.write(task_id, status="In Progress")
    queue.write(stitch, status="Complete")
    queue.write(segment, status="Queued")
    queue.run()
    assert queue.store.get(orchestrator).output_location == ""


def test_what_json_has_not_takes_no_other_fact_with_it(queue: "Queue") -> None:
    """A line that is no number is written as Python shows it, the worker's name as it is."""
    task_id = queue.insert()
    failure = Failure(kind="exception", type="E", message="m", sentence="s", line=math.nan)  # type: ignore[arg-type]  # as an engine may have it
    queue.store.release(queue.claim().token, reason="again", give_back=False, failure=failure)
    retried = queue.event(task_id, "retried")
    assert (retried["reason"], retried["worker_id"]) == ("again", "worker-1")
    assert "nan" in str(retried["failure"])
