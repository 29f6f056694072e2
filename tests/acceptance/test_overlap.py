"""While an output is uploaded the next task runs; what becomes of either is its own."""

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from telemetry import names
from telemetry.journal import JournalReader, process_directories
from telemetry.spans import Folder, Span
from tests.acceptance.bucket_home import Harbour, harbour_at
from tests.acceptance.home import Worker, a_quick_task, a_slow_task, wait_for
from tests.acceptance.injection import STAGES, inject
from tests.servers.proxy import Fault
from tests.servers.s3 import S3Server
from worker.task import TaskStatus

SETTLE = names.settle("tasks")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run an S3 server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def harbour(server: S3Server, tmp_path: Path) -> Iterator[Harbour]:
    """Give a home with a bucket."""
    with harbour_at(tmp_path, server) as harbour:
        yield harbour


def two_underway(harbour: Harbour, *options: str) -> tuple[UUID, UUID, Worker]:
    """Have a worker generate one task while the output of another is held back on its way."""
    first, second = harbour.home.enqueue(a_quick_task(), a_slow_task())
    harbour.gate.hold(first)
    worker = harbour.worker(*options, until_idle=False)
    harbour.held(first)
    worker.wait_for("progress", task_id=str(second), stage="generate", step=2)
    return first, second, worker


def spans_of(harbour: Harbour, role: str = "supervisor") -> list[Span]:
    """Read the spans of all processes of a role, and see that none is open or there twice."""
    found: list[Span] = []
    for directory in process_directories(harbour.home.path / "spool"):
        reader, folder = JournalReader(directory), Folder()
        ended = [span for record in reader.read() for span in folder.feed(record)]
        assert folder.open_spans == ()
        found += ended if reader.facts.role == role else []
    assert len({span.span_id for span in found}) == len(found)
    return found


def test_the_next_task_runs_while_an_output_is_uploaded(harbour: Harbour) -> None:
    """The queue knows of both, and so does whoever asks for the worker's health."""
    first, second, worker = two_underway(harbour)
    for task_id in (first, second):
        assert harbour.home.task(task_id).status is TaskStatus.IN_PROGRESS
    assert harbour.published(first) == []
    said = harbour.home.run("health")
    assert said.returncode == 0
    assert f"task {second}" in said.stdout
    assert f"the output of task {first} is being uploaded" in said.stdout
    harbour.gate.open(first)
    settled = worker.wait_for("settled", task_id=str(first))
    assert settled["outcome"] == "Complete"
    assert harbour.home.task(second).status is TaskStatus.IN_PROGRESS
    assert f"fleet/{first}/video.mp4" in harbour.published(first)


def test_a_second_output_waits_for_the_first(harbour: Harbour) -> None:
    """One upload at a time, and no third task meanwhile; all of them end well."""
    first, second, third = tasks = harbour.home.enqueue(*[a_quick_task()] * 3)
    harbour.gate.hold(first)
    worker = harbour.worker()
    harbour.held(first)
    wait_for(lambda: harbour.ended(second), "end of the second task", 120)
    wait_for(lambda: worker.heard("progress", task_id=str(second), stage="output"), "word of it")
    assert harbour.home.task(third).status is TaskStatus.QUEUED
    assert harbour.proxy.count("PUT", str(second)) == 0
    harbour.gate.open(first)
    assert worker.process.wait(timeout=120) == 0
    assert {harbour.home.task(task_id).status for task_id in tasks} == {TaskStatus.COMPLETE}
    order = [UUID(line["task_id"]) for line in worker.lines() if line["event"] == "settled"]
    assert order == tasks
    assert not [key for key in harbour.objects() if ".attempts" in key]


def test_an_upload_that_is_refused_fails_its_task_alone(harbour: Harbour) -> None:
    """The next one was running and goes on; each failure is in the trace of its own task."""
    first, second = harbour.home.enqueue(a_quick_task(), a_quick_task())
    harbour.proxy.faults = [Fault(403, "PUT", f".attempts/{first}", times=10**6)]
    worker = harbour.worker()
    assert worker.process.wait(timeout=120) == 0
    failed, done = harbour.home.task(first), harbour.home.task(second)
    assert (failed.status, done.status) == (TaskStatus.FAILED, TaskStatus.COMPLETE)
    assert "the key may not do this" in (failed.error_message or "")
    by_trace = {span.trace_id.hex(): span.status for span in spans_of(harbour) if is_process(span)}
    assert by_trace[trace_of(harbour, first)] != by_trace[trace_of(harbour, second)]
    assert (failed.error or {})["trace_id"] == trace_of(harbour, first)


def test_an_upload_that_may_yet_come_off_costs_an_attempt(harbour: Harbour) -> None:
    """The storage was away for too long; the task is done again, and the other once."""
    first, second = harbour.home.enqueue(a_quick_task(), a_quick_task())
    harbour.proxy.faults = [Fault(503, "PUT", f".attempts/{first}")]
    worker = harbour.worker("--set", "storage_patience_s=0.1")
    assert worker.process.wait(timeout=120) == 0
    tasks = [harbour.home.task(task_id) for task_id in (first, second)]
    assert [task.status for task in tasks] == [TaskStatus.COMPLETE] * 2
    assert [task.attempts for task in tasks] == [2, 1]


def test_a_cancel_during_an_upload_publishes_nothing(harbour: Harbour) -> None:
    """And stops nothing else."""
    first, second, worker = two_underway(harbour)
    child = worker.task_process()
    assert harbour.home.run("cancel", str(first)).returncode == 0
    wait_for(
        lambda: [line for line in worker.lines() if "is given up" in line.get("message", "")],
        "word of the cancel",
    )
    harbour.gate.open(first)
    assert worker.wait_for("settled", task_id=str(first))["outcome"] == "superseded"
    assert harbour.home.task(first).status is TaskStatus.CANCELLED
    assert harbour.objects() == []
    assert worker.task_process() == child
    assert harbour.home.task(second).status is TaskStatus.IN_PROGRESS


def test_an_upload_that_is_cut_off_is_done_by_the_next_start(harbour: Harbour) -> None:
    """`kill -9`: the death is that of the task which ran; the other is published, once."""
    first, second, worker = two_underway(harbour)
    worker.end(signal.SIGKILL)
    harbour.gate.open(first)
    assert harbour.home.run("cancel", str(second)).returncode == 0
    harbour.home.work_until_idle()
    done, died = harbour.home.task(first), harbour.home.task(second)
    assert (done.status, done.attempts, done.deaths) == (TaskStatus.COMPLETE, 1, 0)
    assert harbour.home.told(first) == ["inserted", "claimed", "started", "completed"]
    assert died.status is TaskStatus.CANCELLED
    assert len(harbour.published(first)) == len(set(harbour.published(first))) > 0
    assert harbour.ended(first) is not None
    assert len([span for span in spans_of(harbour) if is_process(span)]) == 2


def test_both_that_a_death_leaves_are_found(harbour: Harbour) -> None:
    """Each by its own note: one was over, of the other it is a death."""
    first, second, worker = two_underway(harbour)
    worker.end(signal.SIGKILL)
    harbour.gate.open(first)
    following = harbour.worker(until_idle=False)
    following.wait_for("claimed", task_id=str(second))
    done, again = harbour.home.task(first), harbour.home.task(second)
    assert (done.status, done.deaths) == (TaskStatus.COMPLETE, 0)
    assert (again.attempts, again.deaths) == (2, 1)
    following.process.send_signal(signal.SIGTERM)
    assert following.end() == 0


def test_a_drain_waits_for_an_upload(harbour: Harbour) -> None:
    """As it waits for a task."""
    (task_id,) = harbour.home.enqueue(a_quick_task())
    harbour.gate.hold(task_id)
    worker = harbour.worker("--set", "grace_s=200", until_idle=False)
    harbour.held(task_id)
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("note", level="info")
    harbour.gate.open(task_id)
    assert worker.process.wait(timeout=120) == 0
    assert harbour.home.task(task_id).status is TaskStatus.COMPLETE


def test_a_drain_that_cannot_wait_leaves_the_output_to_the_next_start(harbour: Harbour) -> None:
    """The running task is given back; the other is not: its work is done."""
    first, second, worker = two_underway(harbour)
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("note", level="info")
    assert worker.end() == 69
    done, back = harbour.home.task(first), harbour.home.task(second)
    assert (done.status, done.attempts) == (TaskStatus.IN_PROGRESS, 1)
    assert (back.status, back.attempts, back.deaths) == (TaskStatus.QUEUED, 0, 0)
    harbour.gate.open(first)
    assert harbour.home.run("cancel", str(second)).returncode == 0
    harbour.home.work_until_idle()
    done = harbour.home.task(first)
    assert (done.status, done.attempts, done.deaths) == (TaskStatus.COMPLETE, 1, 0)


def test_a_worker_that_is_recycled_waits_for_its_upload(harbour: Harbour) -> None:
    """It counts as done, so that no task more than was said is taken."""
    first, second = harbour.home.enqueue(a_quick_task(), a_quick_task())
    harbour.gate.hold(first)
    worker = harbour.worker("--set", "recycle_after_tasks=1")
    harbour.held(first)
    worker.wait_for("note", message="recycled after 1 tasks")
    harbour.gate.open(first)
    assert worker.process.wait(timeout=120) == 75
    assert harbour.home.task(first).status is TaskStatus.COMPLETE
    assert harbour.home.task(second).status is TaskStatus.QUEUED


def test_a_worker_whose_device_is_gone_waits_for_its_upload(harbour: Harbour) -> None:
    """Its machine may be gone next, and the output with it: exit 80 after that."""
    first, second = harbour.home.enqueue(a_quick_task(), a_quick_task())
    harbour.gate.hold(first)
    inject(harbour.home, STAGES["generate"], "unavailable", task=second)
    worker = harbour.worker("--set", "grace_s=200")
    harbour.held(first)
    worker.wait_for("settled", task_id=str(second), outcome="Queued")
    harbour.gate.open(first)
    assert worker.process.wait(timeout=120) == 80
    assert harbour.home.task(first).status is TaskStatus.COMPLETE


def test_each_of_two_tasks_is_whole_in_its_own_trace(harbour: Harbour) -> None:
    """Its `process` span, once, from claim to settle; the settle in it; and their times overlap."""
    first, second = harbour.home.enqueue(a_quick_task(), a_quick_task())
    harbour.gate.hold(first)
    worker = harbour.worker()
    harbour.held(first)
    worker.wait_for("claimed", task_id=str(second))
    harbour.gate.open(first)
    assert worker.process.wait(timeout=120) == 0
    spans = spans_of(harbour)
    whole = [of_task(harbour, spans, task_id) for task_id in (first, second)]
    for process, receive, settle in whole:
        assert receive.parent_id == settle.parent_id == process.span_id
        assert process.start_ns <= receive.start_ns < settle.start_ns < settle.end_ns
        assert settle.end_ns <= (process.end_ns or 0)
        assert process.attributes[names.TASK_STATUS] == "Complete"
    assert whole[1][0].start_ns < (whole[0][2].end_ns or 0)


def test_a_journey_through_a_bucket_is_one_whole_trace(harbour: Harbour) -> None:
    """Of each of its tasks, whichever hand had it; the last one begins when it can."""
    harbour.home.environment["LOOP26_PRIVATE_ADDRESSES"] = "1"
    (journey,) = harbour.home.enqueue(harbour.home.journey(3))
    harbour.home.work_until_idle("--set", "poll_s=3600")
    assert harbour.home.task(journey).status is TaskStatus.COMPLETE
    trace_id = trace_of(harbour, journey)
    spans = [span for span in spans_of(harbour) if span.trace_id.hex() == trace_id]
    tasks = [journey, *(child.id for child in harbour.home.children(journey))]
    for task_id in tasks:
        of_task(harbour, spans, task_id)
    assert len([span for span in spans if is_process(span)]) == len(tasks)
    shown = harbour.home.run("trace", str(journey))
    assert shown.returncode == 0
    assert shown.stdout.count("process travel_segment") == 3


def is_process(span: Span) -> bool:
    """Whether it is the span of an attempt."""
    return span.name.startswith("process ")


def trace_of(harbour: Harbour, task_id: UUID) -> str:
    """Return the trace of a task, as its row has it."""
    return (harbour.home.task(task_id).process_context or "").split("-")[1]


def of_task(harbour: Harbour, spans: list[Span], task_id: UUID) -> tuple[Span, Span, Span]:
    """Return the spans `process`, `receive` and `settle` of a task, which is there once each."""
    trace_id = trace_of(harbour, task_id)
    mine = [
        span
        for span in spans
        if span.trace_id.hex() == trace_id
        and span.attributes.get(names.MESSAGING_MESSAGE_ID) == str(task_id)
    ]
    (process,) = [span for span in mine if is_process(span)]
    (receive,) = [span for span in mine if span.name == names.receive("tasks")]
    (settle,) = [span for span in mine if span.name == SETTLE]
    return process, receive, settle
