"""How a journey's time is shared out: each moment once, to what stands further up."""

from telemetry import names
from tests.benchmarks.gaps import BETWEEN, BUSY, Interval, by_cause

SEGMENT = names.process("travel_segment")


def an_interval(name: str, begin_ns: int, end_ns: int) -> Interval:
    """Make one."""
    return Interval(name=name, begin_ns=begin_ns, end_ns=end_ns)


def test_each_moment_counts_once() -> None:
    """The engine's call lies within its stage, and that within the segment."""
    given = [
        an_interval(SEGMENT, 0, 100),
        an_interval(names.stage("generate"), 20, 80),
        an_interval(names.engine("generate"), 30, 70),
    ]
    assert by_cause(given, 0, 100) == {
        "between two processes": 40,
        "around the engine's call": 20,
        BUSY: 40,
    }


def test_an_engine_at_work_is_busy_whatever_else_goes_on() -> None:
    """The upload of the task before takes nothing from it."""
    given = [an_interval(names.engine("generate"), 0, 50), an_interval("upload", 0, 80)]
    assert by_cause(given, 0, 80) == {BUSY: 50, "upload": 30}


def test_an_upload_is_no_cause_while_the_next_task_prepares() -> None:
    """The engine waits for the pictures then: without the upload it would wait as long."""
    given = [an_interval("upload", 0, 50), an_interval(names.stage("inputs"), 10, 50)]
    assert by_cause(given, 0, 50) == {"upload": 10, "inputs": 40}


def test_time_in_which_nothing_is_open_lies_between_two_tasks() -> None:
    """And what lies outside is cut off."""
    given = [an_interval(SEGMENT, -50, 10), an_interval(SEGMENT, 30, 90)]
    assert by_cause(given, 0, 40) == {"between two processes": 20, BETWEEN: 20}
