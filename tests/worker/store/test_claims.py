"""The contract: who gets which task, once."""

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from worker.errors import Fenced
from worker.task import TaskStatus

if TYPE_CHECKING:
    from tests.worker.store.conftest import Queue

PARENT_TRACE = "00-" + "7e" * 16 + "-" + "11" * 8 + "-01"


def test_an_empty_queue_gives_nothing(queue: "Queue") -> None:
    """Nothing to claim is None, and no error."""
    assert queue.try_claim() is None


def test_a_claim_takes_the_task(queue: "Queue") -> None:
    """A claimed task is In Progress, by this worker, at its first attempt."""
    task_id = queue.insert()
    queue.claim(worker_id="worker-7")
    task = queue.store.get(task_id)
    assert (task.status, task.worker_id, task.attempts) == (TaskStatus.IN_PROGRESS, "worker-7", 1)


def test_a_claimed_task_is_not_claimed_again(queue: "Queue") -> None:
    """A task has one owner."""
    queue.insert()
    queue.claim()
    assert queue.try_claim() is None


def test_the_oldest_task_comes_first(queue: "Queue") -> None:
    """Tasks come in the order of their creation, and of insertion where that is equal."""
    ids = [queue.insert(), queue.insert()]
    queue.advance(1)
    ids.append(queue.insert())
    assert [queue.claim().task.id for _ in ids] == ids


def test_the_same_token_gets_the_same_task(queue: "Queue") -> None:
    """A claim whose answer was lost is repeated without taking a second task."""
    queue.insert()
    queue.insert()
    token = uuid4()
    first = queue.claim(token=token)
    again = queue.claim(token=token)
    assert (again.task.id, again.task.attempts) == (first.task.id, 1)


def test_a_repeated_claim_has_a_whole_lease(queue: "Queue") -> None:
    """The lease of a repeated claim counts from the repetition."""
    queue.insert()
    token = uuid4()
    queue.claim(token=token)
    queue.advance(50)
    queue.claim(token=token)
    queue.advance(50)
    assert queue.store.sweep(max_deaths=3) == []


def test_a_settled_token_claims_nothing_more(queue: "Queue") -> None:
    """A claim request that arrives after its task was settled takes no other task."""
    queue.insert()
    waiting = queue.insert()
    claim = queue.run()
    with pytest.raises(Fenced, match="settled by complete"):
        queue.try_claim(token=claim.token)
    assert queue.status(waiting) is TaskStatus.QUEUED


def test_a_token_lost_to_another_worker_claims_nothing_more(queue: "Queue") -> None:
    """A token is remembered even when its task has long belonged to another."""
    queue.insert()
    lost = queue.claim()
    queue.advance(61)
    queue.store.sweep(max_deaths=3)
    queue.run()
    queue.insert()
    with pytest.raises(Fenced, match="lease expired"):
        queue.try_claim(token=lost.token)


def test_only_accepted_types_are_claimed(queue: "Queue") -> None:
    """A worker gets no task of a type that it does not accept."""
    queue.insert("travel_stitch")
    wanted = queue.insert("i2v")
    claim = queue.claim(task_types=["t2v", "i2v"])
    assert claim.task.id == wanted
    assert queue.try_claim(task_types=["t2v", "i2v"]) is None


def test_a_task_waits_for_its_dependencies(queue: "Queue") -> None:
    """A task is not eligible until every dependency is Complete."""
    first, second = queue.insert("i2v"), queue.insert("i2v")
    queue.insert("t2v", dependant_on=(first, second))
    queue.run(task_types=["i2v"])
    assert queue.try_claim(task_types=["t2v"]) is None
    queue.run(task_types=["i2v"])
    assert queue.claim(task_types=["t2v"]).task.dependant_on == (first, second)


def test_a_claim_brings_what_the_dependencies_left(queue: "Queue") -> None:
    """Dependencies come with their outputs, in the order of `dependant_on`."""
    first = queue.insert("i2v", params={"n": 1})
    second = queue.insert("i2v", params={"n": 2})
    queue.insert("t2v", dependant_on=(second, first))
    queue.run(output="1.mp4", task_types=["i2v"])
    queue.run(output="2.mp4", task_types=["i2v"])
    left = queue.claim().dependencies
    assert [(each.id, each.output_location, each.params) for each in left] == [
        (second, "2.mp4", {"n": 2}),
        (first, "1.mp4", {"n": 1}),
    ]


def test_the_loaded_model_comes_first(queue: "Queue") -> None:
    """A worker gets tasks of the model that it has loaded before older ones."""
    queue.insert(params={"model_name": "wan-a"})
    wanted = queue.insert(params={"orchestrator_details": {"model_name": "wan-b"}})
    assert queue.claim(loaded_model="wan-b").task.id == wanted


def test_another_model_is_taken_when_the_loaded_one_has_none(queue: "Queue") -> None:
    """A preference for a model keeps no worker idle."""
    only = queue.insert(params={"model_name": "wan-a"})
    assert queue.claim(loaded_model="wan-b").task.id == only


def test_no_task_waits_longer_than_the_bound_for_another_model(queue: "Queue") -> None:
    """Past `affinity_wait_s` the oldest task comes first, whatever is loaded."""
    oldest = queue.insert(params={"model_name": "wan-a"})
    queue.advance(301)
    queue.insert(params={"model_name": "wan-b"})
    assert queue.claim(loaded_model="wan-b", affinity_wait_s=300).task.id == oldest


def test_up_to_the_bound_the_loaded_model_comes_first(queue: "Queue") -> None:
    """At `affinity_wait_s` exactly, the loaded model still comes first."""
    queue.insert(params={"model_name": "wan-a"})
    queue.advance(300)
    wanted = queue.insert(params={"model_name": "wan-b"})
    assert queue.claim(loaded_model="wan-b", affinity_wait_s=300).task.id == wanted


def test_a_child_brings_its_orchestrators_params(queue: "Queue") -> None:
    """A segment that refers to its orchestrator gets the orchestrator's params with the claim."""
    queue.journey()
    assert queue.claim().parent_params == {"run_id": "r"}


def test_an_individual_segment_brings_the_params_of_the_journey_it_names(queue: "Queue") -> None:
    """A segment made again alone finds its old orchestrator's params, ended or not."""
    orchestrator, _ = queue.journey(1, stitch=False)
    queue.run()
    queue.insert(
        "individual_travel_segment", params={"orchestrator_task_id_ref": str(orchestrator)}
    )
    assert queue.claim().parent_params == {"run_id": "r"}


def test_a_task_keeps_the_trace_that_it_came_with(queue: "Queue") -> None:
    """The attempt's context has the trace of the row and the span of the request."""
    queue.insert(trace_context=PARENT_TRACE)
    claim = queue.claim(trace_id="a1" * 16, span_id="b2" * 8)
    assert claim.task.process_context == f"00-{'7e' * 16}-{'b2' * 8}-01"


@pytest.mark.parametrize(
    "context",
    [None, "", "nonsense", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01"],
)
def test_a_task_without_a_valid_trace_gets_the_requests(
    queue: "Queue", context: str | None
) -> None:
    """The request's trace id stands in for a missing or malformed one."""
    queue.insert(trace_context=context)
    claim = queue.claim(trace_id="a1" * 16, span_id="b2" * 8)
    assert claim.task.process_context == f"00-{'a1' * 16}-{'b2' * 8}-01"


def test_the_first_attempt_has_none_before_it(queue: "Queue") -> None:
    """There is nothing to link the first attempt to."""
    queue.insert()
    assert queue.claim().previous_context is None


def test_an_attempt_knows_the_one_before(queue: "Queue") -> None:
    """A second attempt has the first one's context, also when its claim is repeated."""
    queue.insert(trace_context=PARENT_TRACE)
    first = queue.claim(span_id="01" * 8)
    queue.store.release(first.token, reason="again", give_back=False)
    token: UUID = uuid4()
    claims = [queue.claim(token=token, span_id="02" * 8) for _ in range(2)]
    assert [claim.previous_context for claim in claims] == [first.task.process_context] * 2


def test_attempts_without_a_trace_share_the_first_ones(queue: "Queue") -> None:
    """A task is one trace, even where its producer sent none."""
    queue.insert()
    first = queue.claim(trace_id="a1" * 16)
    queue.store.release(first.token, reason="again", give_back=False)
    second = queue.claim(trace_id="ee" * 16, span_id="02" * 8)
    assert second.task.process_context == f"00-{'a1' * 16}-{'02' * 8}-01"


def test_a_claim_says_so_in_the_history(queue: "Queue") -> None:
    """The `claimed` event names worker, attempt and token."""
    task_id = queue.insert()
    claim = queue.claim(worker_id="worker-7")
    event = queue.event(task_id, "claimed")
    assert (event["worker_id"], event["attempt"]) == ("worker-7", 1)
    assert event["token"] == str(claim.token)
