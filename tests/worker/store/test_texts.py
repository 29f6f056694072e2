"""The contract: no text that a worker has to tell keeps a task from being settled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from worker.store.texts import storable
from worker.task import Failure, NewTask, TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

# Half of a pair, a byte that was no text, a NUL; a whole pair in two halves is one character.
ODD = "a\ud83d b\udcff c\x00 d\ud83d\ude00 ü"
KEPT = "a\ufffd b\ufffd c\ufffd d\N{GRINNING FACE} ü"
FAILURE = Failure(
    kind=ODD,
    type=ODD,
    message=ODD,
    sentence=ODD,
    file=ODD,
    trace_id=ODD,
    caused_by={ODD: [ODD]},
)

Told = Callable[[], Any]


def test_an_output_may_have_any_name(queue: "Queue") -> None:
    """So may what is told of it."""
    task_id = queue.insert()
    queue.store.complete(queue.claim().token, output_location=ODD, result={ODD: [ODD, 7]})
    task = queue.store.get(task_id)
    assert (task.status, task.output_location) == (TaskStatus.COMPLETE, KEPT)
    assert task.result_data == {KEPT: [KEPT, 7]}
    assert queue.event(task_id, "completed")["output_location"] == KEPT


def test_a_failure_may_say_anything(queue: "Queue") -> None:
    """On the row, in the history, and on the rows of relatives."""
    orchestrator, [child] = queue.journey(1, stitch=False)
    queue.store.fail(queue.claim().token, FAILURE)
    task = queue.store.get(child)
    assert (task.error_message, (task.error or {})["caused_by"]) == (KEPT, {KEPT: [KEPT]})
    assert queue.event(child, "failed")["failure"] == task.error
    relative = queue.store.get(orchestrator)
    assert (relative.error_message or "").endswith(f": {KEPT}")
    assert (relative.error or {})["root_cause"]["message"] == KEPT


def test_a_reason_may_say_anything(queue: "Queue") -> None:
    """The task is queued again all the same."""
    task_id = queue.insert()
    token = queue.claim().token
    queue.store.release(token, reason=ODD, give_back=False, failure=FAILURE)
    told = queue.event(task_id, "retried")
    assert (told["reason"], told["failure"]["message"]) == (KEPT, KEPT)


def test_a_death_may_say_anything(queue: "Queue") -> None:
    """Last words are what a process has printed."""
    task_id = queue.insert()
    assert queue.store.record_death(queue.claim().token, FAILURE, max_deaths=3) == "Queued"
    assert queue.event(task_id, "died")["failure"]["message"] == KEPT


def test_a_late_failure_may_say_anything(queue: "Queue") -> None:
    """It is in the refusal."""
    task_id = queue.insert()
    token = queue.claim().token
    queue.store.cancel(task_id, reason=ODD)
    with pytest.raises(Exception, match="cancelled"):
        queue.store.fail(token, FAILURE)
    assert queue.store.get(task_id).error_message == KEPT
    assert queue.event(task_id, "refused")["failure"]["message"] == KEPT


def test_progress_may_say_anything(queue: "Queue") -> None:
    """The lease is extended all the same."""
    task_id = queue.insert()
    queue.store.extend(queue.claim().token, lease_s=60, progress={"stage": ODD, "step": 1})
    assert queue.store.get(task_id).progress == {"stage": KEPT, "step": 1}


def test_a_worker_may_say_anything_of_itself(queue: "Queue") -> None:
    """Whoever cannot write its row does not look for lost workers either."""
    queue.store.record_worker("w", status="idle", current_model=ODD, metadata={ODD: ODD})


def test_children_may_say_anything(queue: "Queue") -> None:
    """A plan whose prompts hold such a text is a plan."""
    orchestrator = queue.insert("travel_orchestrator")
    child = NewTask(
        task_type="travel_segment",
        params={"prompt": ODD},
        idempotency_key=f"{orchestrator}/{ODD}",
    )
    (child_id,) = queue.store.spawn(queue.claim().token, [child], result={ODD: ODD})
    task = queue.store.get(child_id)
    assert (task.params, task.idempotency_key) == ({"prompt": KEPT}, f"{orchestrator}/{KEPT}")
    assert queue.store.get(orchestrator).result_data == {KEPT: KEPT}


def test_what_is_no_text_stays_what_it_is() -> None:
    """And so does what nobody can go into."""
    endless: list[Any] = []
    endless.append(endless)
    value = {"n": 1.5, "none": None, "pair": (1, "x")}
    assert storable(value) == value
    assert storable(endless) is endless
