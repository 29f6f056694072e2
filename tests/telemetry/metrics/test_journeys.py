"""What journals tell of tasks is measured once, whoever dies meanwhile."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telemetry import death, names, records
from telemetry.journal import process_directories
from telemetry.metrics import MeasuringStream
from telemetry.metrics.journeys import OLDEST_S
from telemetry.metrics.meters import Measured
from telemetry.records import Kind
from telemetry.shipper import OtlpTarget, Retention, Shipper
from telemetry.shipper.follower import read_shipped
from telemetry.testing import OtlpReceiver, Reply
from tests.telemetry.conftest import T0, at

CONSUMER, CLIENT = 4, 2
QUEUE = {"messaging__system": "sqlite", "messaging__destination__name": "tasks"}
KILLED = """
import os, signal, sys
from pathlib import Path
from telemetry import names
from telemetry.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), role="task")
with recorder.task(task_id="t1", attempt=1, task_type="travel_segment", trace_id=b"t" * 16,
                   worker_id="w"):
    with recorder.stage("parameters"):
        pass
    with recorder.stage("generate"), recorder.span(names.DENOISE_STEP, {names.STEP_PHASE: 2}):
        os.kill(os.getpid(), signal.SIGKILL)
"""


class Taken(list[Measured]):
    """What a stream has measured."""

    def take(self, measured: Any) -> None:
        """Keep measurements."""
        self.extend(measured)

    def of(self, name: str) -> list[Measured]:
        """Return those of one instrument."""
        return [one for one in self if one.name == name]


def measured(spool: Path, taken: Taken, *, now_s: float = T0 / 1e9 + 1, **backends: Any) -> Shipper:
    """Measure what is in a spool, as one run of a worker does."""
    shipper = Shipper(spool, interval_s=0.01, **backends)
    stream = MeasuringStream(taken.take, wall_clock=lambda: now_s)
    shipper.also_feed(stream, newest_s=OLDEST_S)
    shipper.drain(30)
    shipper.stop(0.1)
    return shipper


def process(script: Any, to_ms: float = 500, status: int = 0, **attributes: Any) -> None:
    """Write the span of one attempt, as a supervisor does, at its end."""
    script.begin("process t2v", 0, kind=CONSUMER, **QUEUE, loop26__task__type="t2v", **attributes)
    script.end(to_ms, status)


def test_an_attempt_is_counted_and_timed(script: Any, spool: Path) -> None:
    """By type and status; the measurement leads to its span."""
    process(script, 1500, loop26__task__status="Complete")
    taken = Taken()
    measured(spool, taken)
    (count,), (duration,) = taken.of(names.TASK_ATTEMPTS), taken.of(names.PROCESS_DURATION)
    assert (count.value, count.attributes) == (
        1,
        {names.TASK_TYPE: "t2v", names.TASK_STATUS: "Complete"},
    )
    assert (duration.value, duration.attributes[names.MESSAGING_OPERATION_NAME]) == (1.5, "process")
    assert duration.trace_id


def test_a_failed_attempt_has_its_kind(script: Any, spool: Path) -> None:
    """And the type of the error, as the supervisor has said both on its span."""
    said = {"loop26__failure__kind": "hang", "error__type": "hang"}
    process(script, status=2, loop26__task__status="Failed", **said)
    taken = Taken()
    measured(spool, taken)
    (count,) = taken.of(names.TASK_ATTEMPTS)
    assert count.attributes[names.FAILURE_KIND] == "hang"
    assert count.attributes[names.ERROR_TYPE] == "hang"


def test_an_attempt_that_failed_at_its_settle_has_the_kind_of_the_supervisors_error(
    script: Any, spool: Path
) -> None:
    """As when its output cannot be published: its span says no kind."""
    script.task("t1", "t2v")
    script.error(kind="exception")
    process(script, status=2, loop26__task__status="Failed")
    taken = Taken()
    measured(spool, taken)
    (count,) = taken.of(names.TASK_ATTEMPTS)
    assert count.attributes[names.FAILURE_KIND] == "exception"
    assert count.attributes[names.ERROR_TYPE] == names.OTHER


def test_calls_to_the_queue_are_timed_by_what_they_do(script: Any, spool: Path) -> None:
    """A claim that got a task, and a settle."""
    for operation, ms in (("receive", 4), ("settle", 30)):
        script.span(
            f"{operation} tasks", 0, ms, kind=CLIENT, messaging__operation__type=operation, **QUEUE
        )
    taken = Taken()
    measured(spool, taken)
    assert {
        one.attributes[names.MESSAGING_OPERATION_TYPE]: one.value
        for one in taken.of(names.OPERATION_DURATION)
    } == {"receive": 0.004, "settle": 0.03}


def test_a_killed_task_process_is_measured_as_one_that_lived(spool: Path) -> None:
    """Its stages and steps, those open at its death with how it died, and the death."""
    subprocess.run([sys.executable, "-c", KILLED, str(spool)], check=False)
    (directory,) = process_directories(spool)
    death.close_dead(directory, death.from_returncode(-signal.SIGKILL))
    taken = Taken()
    measured(spool, taken, now_s=0)
    stages = {
        one.attributes[names.STAGE_NAME]: one.attributes.get(names.ERROR_TYPE)
        for one in taken.of(names.STAGE_DURATION)
    }
    assert stages == {"parameters": None, "generate": "sigkill"}
    (step,) = taken.of(names.STEP_DURATION)
    assert step.attributes == {
        names.TASK_TYPE: "travel_segment",
        names.STEP_PHASE: 2,
        names.ERROR_TYPE: "sigkill",
    }
    (end,) = taken.of(names.TASK_PROCESS_ENDS)
    assert end.attributes == {names.DEATH_KIND: "sigkill"}


def test_an_attempt_whose_supervisor_died_is_a_death(
    new_script: Callable[..., Any], spool: Path
) -> None:
    """What became of its task, the next supervisor knows. It was no task process itself."""
    script = new_script(role="supervisor")
    script.begin("process t2v", 0, kind=CONSUMER, **QUEUE, loop26__task__type="t2v")
    script.end_process("lost", at_ms=400)
    taken = Taken()
    measured(spool, taken)
    (count,) = taken.of(names.TASK_ATTEMPTS)
    assert count.attributes[names.FAILURE_KIND] == "death"
    assert count.attributes[names.TASK_STATUS] == names.OTHER
    assert taken.of(names.TASK_PROCESS_ENDS) == []


def test_a_worker_that_was_restarted_counts_nothing_twice(script: Any, spool: Path) -> None:
    """And the next takes up what ended meanwhile."""
    taken = Taken()
    process(script, loop26__task__status="Complete")
    measured(spool, taken)
    process(script, loop26__task__status="Failed")
    measured(spool, taken)
    measured(spool, taken)
    found = [one.attributes[names.TASK_STATUS] for one in taken.of(names.TASK_ATTEMPTS)]
    assert Counter(found) == {"Complete": 1, "Failed": 1}


def test_what_ended_long_ago_is_history(script: Any, spool: Path) -> None:
    """In the journal of a process that lives, too."""
    process(script, loop26__task__status="Complete")
    taken = Taken()
    measured(spool, taken, now_s=T0 / 1e9 + OLDEST_S + 60)
    assert taken == []


def test_old_journals_are_not_even_read(spool: Path) -> None:
    """As those of two weeks before a collector was set: a worker is not to begin with them."""
    subprocess.run([sys.executable, "-c", KILLED, str(spool)], check=False)
    (directory,) = process_directories(spool)
    death.close_dead(directory, death.from_returncode(-signal.SIGKILL))
    for file in directory.iterdir():
        os.utime(file, (1.0, 1.0))
    taken = Taken()
    measured(spool, taken, now_s=0)
    assert taken == []
    assert "metrics" not in read_shipped(directory).settled


def test_retention_does_not_wait_for_what_is_measured(spool: Path) -> None:
    """A journal that every backend has may go, measured or not."""
    subprocess.run([sys.executable, "-c", KILLED, str(spool)], check=False)
    (directory,) = process_directories(spool)
    death.close_dead(directory, death.from_returncode(-signal.SIGKILL))
    shipper = Shipper(spool, retention=Retention(keep_bytes=1))
    shipper.also_feed(MeasuringStream(Taken().take), newest_s=OLDEST_S)
    shipper.retain()
    assert (shipper.counters.deleted, shipper.counters.lost) == (1, 0)


def test_tasks_are_measured_while_the_backend_of_spans_is_down(script: Any, spool: Path) -> None:
    """And neither counts as shipped what is measured alone."""
    process(script, loop26__task__status="Complete")
    taken = Taken()
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        shipper = measured(spool, taken, otlp=OtlpTarget(endpoint=receiver.endpoint))
    assert len(taken.of(names.TASK_ATTEMPTS)) == 1
    assert (shipper.counters.exported, shipper.counters.refused) == (0, 0)
    traces = shipper.by_signal["traces"]
    assert set(shipper.by_signal) == {"traces", "logs"}
    assert (traces.failures > 0, traces.exported) == (True, 0)


def test_the_oldest_item_that_waits_has_its_age(
    new_script: Callable[..., Any], spool: Path
) -> None:
    """While its backend is down; once that has it, nothing is left that could."""
    script = new_script()
    script.span("first", 0, 100)
    script.span("second", 0, 200)
    script.writer.append(
        Kind.LOG,
        records.Log(
            at_ns=at(50),
            severity=9,
            logger="worker",
            message="m",
            trace_id=None,
            span_id=None,
            attributes={},
        ),
    )
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        shipper = Shipper(spool, otlp=OtlpTarget(endpoint=receiver.endpoint))
        assert not shipper.drain(5)
        oldest = {name: one.oldest_ns for name, one in shipper.by_signal.items()}
        waiting = {name: one.waiting for name, one in shipper.by_signal.items()}
        receiver.answer_by(None)
        assert shipper.drain(20)
        after = {name: one.oldest_ns for name, one in shipper.by_signal.items()}
        shipper.stop(5)
    assert oldest == {"traces": at(100), "logs": at(50)}
    assert waiting == {"traces": 2, "logs": 1}
    assert after == {"traces": 0, "logs": 0}


def test_the_size_of_the_spool_is_that_of_all_journals(
    new_script: Callable[..., Any], spool: Path
) -> None:
    """The living and the dead, as retention has seen them."""
    new_script().span("a", 0, 1)
    dead = new_script()
    dead.end_process()
    shipper = Shipper(spool)
    shipper.retain()
    on_disk = sum(
        file.stat().st_size for one in process_directories(spool) for file in one.iterdir()
    )
    assert shipper.spool_bytes == on_disk
