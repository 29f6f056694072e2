"""A writer that is called while it writes: by a destructor, or by a signal's handler.

Both run in the thread that holds the writer's lock, between any two lines. A trace function does
so, too, and leaves none out.
"""

import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from telemetry.journal import JournalReader, JournalWriter
from telemetry.journal import index as index_module
from telemetry.journal import writer as writer_module
from telemetry.records import Kind, Log, SpanEnd, TaskBegin, TaskEnd

from .conftest import append_ends

FILES = {writer_module.__file__, index_module.__file__}
DEADLINE_S = 20.0


def log(number: int) -> Log:
    """Return a log record that can be told from others."""
    return Log(
        at_ns=number,
        severity=13,
        logger="library",
        message="Unclosed client session",
        trace_id=None,
        span_id=None,
        attributes={},
    )


def write_a_task(writer: JournalWriter) -> None:
    """Append what has a path of its own in the writer: marks, and enough to rotate."""
    begin = TaskBegin(
        task_id="a", attempt=1, task_type="t2v", trace_id=b"t" * 16, worker_id="w", at_ns=1
    )
    writer.append(Kind.TASK_BEGIN, begin)
    append_ends(writer, 5)
    writer.append(Kind.TASK_END, TaskEnd(task_id="a", attempt=1, at_ns=2, outcome="Done"))


def interrupted(function: Callable[[], Any], at_each_line: Callable[[str], Any]) -> bool:
    """Run a function in a thread, and another at each line of the writer; whether both ended.

    The other is given the name of the writer's function that the line is in.
    """

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            at_each_line(frame.f_code.co_name)
        return trace

    def run() -> None:
        sys.settrace(trace)
        try:
            function()
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(DEADLINE_S)
    return not thread.is_alive()


def test_a_record_made_while_another_is_written_follows_it(writer: JournalWriter) -> None:
    """None is lost, none is waited for, and the numbers are in the order of the file."""
    made: list[int] = []

    def remark(_: str) -> None:
        made.append(len(made))
        writer.append(Kind.LOG, log(made[-1]))

    assert interrupted(lambda: write_a_task(writer), remark)
    reader = JournalReader(writer.directory)
    read = list(reader.read())
    said = [record.body.at_ns for record in read if record.kind is Kind.LOG]
    assert len(made) > 50
    assert sorted(said) == made
    assert [record.seq for record in read] == list(range(1, len(made) + 8))
    assert (reader.damaged_bytes, writer.lost) == (0, 0)


def test_a_thousand_records_may_wait_for_one(writer: JournalWriter) -> None:
    """One collection of garbage ends as many objects as there are."""
    left = list(range(1000))

    def remark(function: str) -> None:
        while left and function == "_write":
            writer.append(Kind.LOG, log(left.pop()))

    assert interrupted(lambda: append_ends(writer, 1), remark)
    read = list(JournalReader(writer.directory).read())
    assert [record.seq for record in read] == list(range(1, 1002))
    assert read[0].kind is Kind.SPAN_END


def test_what_cannot_be_encoded_is_its_own_callers_fault(writer: JournalWriter) -> None:
    """The record that was being written is none the worse."""
    refused: list[str] = []

    unfit: Any = object()

    def remark(_: str) -> None:
        try:
            writer.append(Kind.SPAN_END, SpanEnd(span_id=unfit, end_ns=1, status=0))
        except TypeError as fault:
            refused.append(str(fault))

    assert interrupted(lambda: append_ends(writer, 3), remark)
    assert len(refused) > 10
    assert [record.body.end_ns for record in JournalReader(writer.directory).read()] == [1, 2, 3]


def test_a_journal_closed_while_a_record_is_written_has_that_record(writer: JournalWriter) -> None:
    """As a handler of SIGTERM does."""

    def stop(function: str) -> None:
        if function == "_write":
            writer.close()

    assert interrupted(lambda: append_ends(writer, 3), stop)
    assert [record.body.end_ns for record in JournalReader(writer.directory).read()] == [1]
    assert writer.lost == 0


def test_another_thread_waits(writer: JournalWriter) -> None:
    """Its record is not put off: it is in the kernel's hands when its call returns."""
    other: list[threading.Thread] = []

    def start(_: str) -> None:
        if not other:
            other.append(threading.Thread(target=append_ends, args=(writer, 100)))
            other[0].start()

    assert interrupted(lambda: append_ends(writer, 100), start)
    other[0].join(DEADLINE_S)
    assert [r.seq for r in JournalReader(writer.directory).read()] == list(range(1, 201))


@pytest.mark.parametrize("function", ["append", "_append", "_write"])
def test_a_child_forked_while_a_record_is_written_writes_nothing(
    writer: JournalWriter, function: str
) -> None:
    """Neither what its parent was writing, nor what its parent had put off."""
    parent, children = os.getpid(), [0]
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if code.co_filename not in FILES:
            return None
        if event == "line" and code.co_name == function and children == [0]:
            writer.append(Kind.LOG, log(7))
            children[0] = os.fork()
        return trace

    sys.settrace(trace)
    try:
        append_ends(writer, 2)
    finally:
        sys.settrace(before)
        if os.getpid() != parent:
            os._exit(0 if writer.append(Kind.LOG, log(8)) == 0 else 1)
    _, status = os.waitpid(children[0], 0)

    assert os.waitstatus_to_exitcode(status) == 0
    read = list(JournalReader(writer.directory).read())
    assert sorted(record.kind for record in read) == [Kind.SPAN_END, Kind.SPAN_END, Kind.LOG]
    assert [record.seq for record in read] == [1, 2, 3]
