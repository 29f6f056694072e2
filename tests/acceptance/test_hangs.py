"""A task that hangs, in Python or below it, fails as a hang at its line; the next one is done."""

import os
import signal
import time
from contextlib import closing
from itertools import pairwise, product
from typing import Any
from uuid import UUID

import pytest

from telemetry.journal import JournalReader, process_directories
from telemetry.records import Error, Kind
from telemetry.testing import OtlpReceiver, SentryReceiver
from tests.acceptance.backends import assert_arrived_once, backends
from tests.acceptance.home import PATIENCE_S, Home, Worker, a_quick_task, a_slow_task, wait_for
from tests.acceptance.injection import STAGES, Fault, Point, inject, place_of
from worker.task import Task, TaskStatus

LIMIT_S = 6
# The other limits stay what they are by default: a loaded machine takes its time for a model.
MODEL_LIMIT_S = 20
WAYS = (
    "sleep_in_python",
    "wait_for_itself",
    "stop_itself",
    "hang_without_the_gil",
    "hang_with_the_gil",
)
# Each way once, each stage once.
FEW = list(zip(STAGES, WAYS, strict=True))


def errors_of(home: Home) -> list[Error]:
    """Return the errors that a home's processes have recorded."""
    return [
        record.body
        for directory in process_directories(home.path / "spool")
        for record in JournalReader(directory).read()
        if record.kind is Kind.ERROR
    ]


def limit_of(stage: str) -> int:
    """Return after how many seconds a stage is to be a hang here."""
    return MODEL_LIMIT_S if stage == "model" else LIMIT_S


def hang_after(*stages: str) -> tuple[str, str]:
    """Return the options for short limits of some stages."""
    return ("--set", "hang_after_s=" + ",".join(f"{name}={limit_of(name)}" for name in stages))


def assert_hung(task: Task, stage: str, fault: Fault) -> dict[str, Any]:
    """See that a task has failed as a hang at its first attempt, and where; return the error."""
    error = task.error or {}
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.FAILED, 1, 0), task
    assert (error["kind"], error["type"], error["stage"]) == ("hang", "hang", stage)
    assert (error["loop_index"], error["loop_count"]) == fault.point.loop
    assert error["signal"] == "SIGKILL"
    assert f"no progress for {limit_of(stage)} s" in (task.error_message or "")
    assert (error["file"], error["line"]) == place_of(fault)
    stopped = fault.name != "stop_itself"  # it can run no handler, and leaves no stack
    assert error["place"] == ("stopped at" if stopped else "opened at")
    assert not stopped or error["function"] == fault.name
    return error


def late_s(task: Task, stage: str) -> float:
    """Return how long after the limit the failure was on the row."""
    assert task.progress is not None
    return task.updated_at.timestamp() - task.progress["at"] - limit_of(stage)


def closed_by_hangs(receiver: OtlpReceiver) -> list[str]:
    """Return the names of the spans that were closed for a death: all of them as a hang."""
    closed = [span for span in receiver.spans if "loop26.death.kind" in span.attributes]
    assert {span.attributes["loop26.death.kind"] for span in closed} == {"hang"}
    assert {span.span.status.code for span in closed} == {2}
    return [span.span.name for span in closed]


def assert_sentry_has_each_once(receiver: SentryReceiver, errors: list[dict[str, Any]]) -> None:
    """See that each failure is one event, at the place that the row names, in its trace."""
    wait_for(lambda: len(receiver.events) >= len(errors), "events", 20)
    events = {event["event_id"]: event for event in receiver.events}
    assert len(receiver.events) == len(errors)
    for error in errors:
        event = events[error["event_id"]]
        assert event["contexts"]["trace"]["trace_id"] == error["trace_id"]
        innermost = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
        place = (innermost["abs_path"], innermost["lineno"], innermost["function"])
        assert place == (error["file"], error["line"], error["function"])


@pytest.mark.timeout(1200)
def test_a_hang_fails_its_task_at_its_line(home: Home, pytestconfig: pytest.Config) -> None:
    """In Python, a deadlock, native code with and without the GIL, a stopped process.

    All its spans arrive, closed as a hang, and Sentry has it once. Each ends its process; a new one
    takes the next task, and the last finds nothing in its way.
    """
    every = pytestconfig.getoption("--deaths") == "all"
    hangs = list(product(STAGES, WAYS)) if every else FEW
    with backends(home) as (otlp, sentry):
        *hung, last = home.enqueue(*[a_quick_task()] * (len(hangs) + 1))
        faults = [
            inject(home, STAGES[stage], way, task=task_id)
            for (stage, way), task_id in zip(hangs, hung, strict=True)
        ]
        home.work_until_idle(*hang_after(*STAGES), patience_s=PATIENCE_S * len(hangs) / len(FEW))
        tasks = [home.task(task_id) for task_id in hung]
        stages = [stage for stage, _way in hangs]
        errors = [assert_hung(*one) for one in zip(tasks, stages, faults, strict=True)]
        assert home.task(last).status is TaskStatus.COMPLETE
        assert_arrived_once(home, otlp)
        closed = closed_by_hangs(otlp)
        assert_sentry_has_each_once(sentry, errors)
    assert closed.count("process t2v") == len(hangs)
    for (stage, way), task in zip(hangs, tasks, strict=True):
        assert closed.count(f"stage {stage}") == stages.count(stage)
        print(f"{stage}, {way}: on the row {late_s(task, stage):.2f} s after the limit")


def test_slow_progress_is_no_hang(home: Home) -> None:
    """A stage may take far longer than its limit, as long as it goes on."""
    (task_id,) = home.enqueue(a_slow_task(100))
    inject(home, STAGES["generate"], "slow_the_steps_down")
    worker = home.work_until_idle("--set", "hang_after_s=generate=3")
    settled = worker.wait_for("settled", task_id=str(task_id))
    assert settled["outcome"] == "Complete"
    assert settled["seconds"] > 3


def extensions(home: Home, task_id: UUID, until: Any) -> list[float]:
    """Return when a task's lease was extended, by the queue's own clock, until something holds."""
    seen: list[float] = []
    query = "SELECT (julianday(lease_expires_at) - 2440587.5) * 86400 FROM tasks WHERE id = ?"
    with closing(home.rows()) as connection:
        while not until():
            (expires_at,) = connection.execute(query, [str(task_id)]).fetchone()
            if expires_at is not None and expires_at not in seen[-1:]:
                seen.append(expires_at)
            time.sleep(0.02)
    return seen


def beating(heartbeat_s: float) -> tuple[str, ...]:
    """Return the options for a heartbeat."""
    return ("--set", f"heartbeat_s={heartbeat_s}", "--set", f"lease_s={6 * heartbeat_s}")


def held(home: Home, hold_s: float, heartbeat_s: float) -> tuple[list[float], Worker, UUID]:
    """Hold the GIL of a task process; return the gaps between the heartbeats meanwhile."""
    (task_id,) = home.enqueue(a_quick_task())
    fault = inject(home, STAGES["generate"], "hold_the_gil_for_a_while", seconds=hold_s)
    worker = home.worker(*beating(heartbeat_s), until_idle=False)
    wait_for(lambda: fault.met_at, "hold of the GIL")
    beats = extensions(home, task_id, until=lambda: worker.heard("progress", step=2))
    return [later - earlier for earlier, later in pairwise(beats)], worker, task_id


@pytest.mark.parametrize(
    ("hold_s", "heartbeat_s"), [(8, 1), pytest.param(86, 10, marks=pytest.mark.soak)]
)
def test_the_heart_beats_on_while_native_code_holds_the_gil(
    home: Home, hold_s: float, heartbeat_s: float
) -> None:
    """No gap is as long as one and a half intervals, and the task goes on afterwards."""
    gaps, worker, task_id = held(home, hold_s, heartbeat_s)
    worker.wait_for("settled", task_id=str(task_id), outcome="Complete")
    assert worker.end() == 0
    print(f"GIL held for {hold_s} s, a beat each {heartbeat_s} s: gaps up to {max(gaps):.2f} s")
    assert len(gaps) >= hold_s // heartbeat_s - 1
    assert max(gaps) < 1.5 * heartbeat_s


def test_a_quiet_task_is_said_to_be_quiet_and_a_drain_then_ends_in_time(home: Home) -> None:
    """The row has the task's own last stamp, which stands still, and for how long it has.

    The grace is all that the task gets at the drain; it goes back with its attempt.
    """
    (task_id,) = home.enqueue(a_quick_task())
    inject(home, STAGES["generate"], "hang_with_the_gil")
    worker = home.worker(*beating(1), "--set", "grace_s=1", until_idle=False)

    def quiet() -> dict[str, Any] | None:
        progress = home.task(task_id).progress or {}
        generates = progress.get("stage") == "generate"  # a model may be quiet, too
        return progress if generates and progress["quiet_s"] >= 3 else None

    progress = wait_for(quiet, "silence")
    task = home.task(task_id)
    assert task.status is TaskStatus.IN_PROGRESS
    assert task.updated_at.timestamp() - progress["at"] >= 2
    health = home.run("health", "--json")
    assert health.returncode == 0
    assert '"quiet_s"' in health.stdout
    began = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - began < 15
    task = home.task(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)


def test_a_task_process_that_hangs_at_its_start_says_where(home: Home) -> None:
    """As at a driver that does not answer: its line is on record, and another one is tried."""
    engine = Point(module="worker.engines.registry", function="engine_named")
    fault = inject(home, engine, "hang_with_the_gil")
    worker = home.worker("--set", "child_start_timeout_s=10", until_idle=False)
    error = wait_for(lambda: errors_of(home), "error")[0]
    assert (error.kind, error.place, error.task_id) == ("hang", "stopped at", "")
    assert (error.file, error.line) == place_of(fault)
    assert "raise child_start_timeout_s" in error.message
    wait_for(worker.task_process, "another task process")
    worker.end()


@pytest.mark.soak
def test_a_cancelled_task_that_hangs_is_cancelled_and_says_where(home: Home) -> None:
    """It has half a minute to stop; then its line is on record, and the next task is done."""
    hung, following = home.enqueue(a_quick_task(), a_quick_task())
    fault = inject(home, STAGES["generate"], "hang_with_the_gil")
    worker = home.worker()
    wait_for(lambda: fault.met_at, "hang")
    assert home.run("cancel", str(hung)).returncode == 0
    assert worker.process.wait(timeout=120) == 0
    (error,) = errors_of(home)
    assert (error.kind, error.stage) == ("hang", "generate")
    assert (error.file, error.line) == place_of(fault)
    assert home.task(hung).status is TaskStatus.CANCELLED
    assert home.task(following).status is TaskStatus.COMPLETE


def test_a_process_that_cannot_be_killed_costs_the_task_nothing(home: Home) -> None:
    """As one that is stuck in a driver: the task goes back, exit code 80 asks for another host.

    No signal to a group leaves the supervisor: to it, a process in uninterruptible sleep is alike.
    """
    (task_id,) = home.enqueue(a_slow_task())
    inject(home, Point(module="worker.supervisor.child", function="Child.end"), "lose_all_kills")
    worker = home.worker(*hang_after("generate"), until_idle=False)
    worker.wait_for("progress", stage="generate", step=2)
    os.kill(worker.task_process(), signal.SIGSTOP)
    assert worker.process.wait(timeout=120) == 80
    task = home.task(task_id)
    assert (task.status, task.attempts, task.deaths) == (TaskStatus.QUEUED, 0, 0)
    assert worker.heard("settled", task_id=str(task_id), outcome="Queued")
