"""What the writer writes, the reader reads: across files, processes and time."""

import itertools
import os
import stat
import threading
from pathlib import Path

import pytest

from telemetry.errors import JournalBusy
from telemetry.journal import (
    JournalReader,
    JournalWriter,
    Position,
    is_alive,
    process_directories,
    read_index,
)
from telemetry.journal.directory import INDEX, lock_alive
from telemetry.records import (
    Error,
    ExceptionFacts,
    Frame,
    Kind,
    Log,
    Metric,
    ProcessEnd,
    Raised,
    SpanBegin,
    SpanEnd,
    SpanEvent,
    SpanUpdate,
    TaskBegin,
    TaskEnd,
)

from .conftest import append_ends

ONE_OF_EACH = {
    Kind.SPAN_BEGIN: SpanBegin(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        parent_id=None,
        name="loop iteration",
        kind=0,
        start_ns=1,
        attributes={"a": 1, "b": [1.5, 2.0], "c": "ü", "d": True},
        links=[(b"u" * 16, b"v" * 8, {"w": 1})],
    ),
    Kind.SPAN_UPDATE: SpanUpdate(span_id=b"s" * 8, attributes={"e": "null"}, name="other"),
    Kind.SPAN_EVENT: SpanEvent(span_id=b"s" * 8, name="exception", at_ns=2, attributes={}),
    Kind.SPAN_END: SpanEnd(span_id=b"s" * 8, end_ns=3, status=2, description="TypeError: no"),
    Kind.LOG: Log(
        at_ns=4,
        severity=9,
        logger="worker",
        message="LOOP [26/32]",
        trace_id=None,
        span_id=None,
        attributes={},
    ),
    Kind.ERROR: Error(
        event_id="0" * 32,
        at_ns=5,
        kind="exception",
        chain=[
            ExceptionFacts(
                type="TypeError",
                module="builtins",
                message="no",
                frames=[Frame(file="f.py", line=1, function="f", locals={"x": {"y": [None]}})],
            )
        ],
        type="TypeError",
        message="no",
        file="f.py",
        line=1,
        function="f",
        place="raised at",
        stage="parameters",
        loop_index=26,
        loop_count=32,
        fingerprint="0" * 16,
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
    ),
    Kind.METRIC: Metric(at_ns=6, name="hw.gpu.memory", value=1.5, unit="By", attributes={}),
    Kind.TASK_BEGIN: TaskBegin(
        task_id="e040ae48",
        attempt=1,
        task_type="travel_segment",
        trace_id=b"t" * 16,
        worker_id="w",
        at_ns=7,
    ),
    Kind.TASK_END: TaskEnd(task_id="e040ae48", attempt=1, at_ns=8, outcome="Done"),
    Kind.PROCESS_END: ProcessEnd(at_ns=9, kind="signal", signal="SIGKILL"),
}
ONE_OF_EACH[Kind.RAISED] = Raised(error=ONE_OF_EACH[Kind.ERROR])


def begin(task_id: str) -> TaskBegin:
    """Return a task's beginning."""
    return TaskBegin(
        task_id=task_id, attempt=1, task_type="t2v", trace_id=b"t" * 16, worker_id="w", at_ns=1
    )


def end(task_id: str) -> TaskEnd:
    """Return a task's end."""
    return TaskEnd(task_id=task_id, attempt=1, at_ns=2, outcome="Done")


def test_a_record_of_every_kind_comes_back_as_it_was(writer: JournalWriter) -> None:
    """Numbered from 1, in order."""
    for kind, body in ONE_OF_EACH.items():
        writer.append(kind, body)

    read = list(JournalReader(writer.directory).read())

    assert {record.kind: record.body for record in read} == ONE_OF_EACH
    assert list(ONE_OF_EACH) == list(Kind)
    assert [record.seq for record in read] == list(range(1, len(Kind) + 1))


def test_the_header_tells_who_wrote(writer: JournalWriter) -> None:
    """So a journal can be told from others without its name."""
    facts = JournalReader(writer.directory).facts

    assert facts.id == writer.directory.name
    assert (facts.role, facts.pid, facts.facts) == ("task", os.getpid(), {"device": "cpu"})


def test_only_the_owner_may_read_a_journal(writer: JournalWriter) -> None:
    """It holds locals of every frame of every failure."""
    writer.append(Kind.TASK_BEGIN, begin("a"))

    assert stat.S_IMODE(writer.directory.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in writer.directory.iterdir()}
    assert modes == {0o600}


def test_files_are_rotated_by_size_and_read_as_one(writer: JournalWriter) -> None:
    """A reader does not notice."""
    append_ends(writer, 150)

    reader = JournalReader(writer.directory)
    read = list(reader.read())

    assert [record.seq for record in read] == list(range(1, 151))
    assert {record.end.file for record in read} == set(range(1, read[-1].end.file + 1))
    assert read[-1].end.file > 2
    sizes = [path.stat().st_size for path in sorted(writer.directory.glob("*.journal"))]
    assert all(size < 2048 + 64 for size in sizes)
    assert (reader.gaps, reader.damaged_bytes, reader.tail_bytes) == ([], 0, 0)


def test_a_reader_follows_a_writer(writer: JournalWriter) -> None:
    """Each call yields what is new, across rotations."""
    reader = JournalReader(writer.directory)
    seen = []
    for _ in range(50):
        append_ends(writer, 3)
        seen.append([record.seq for record in reader.read()])

    assert seen == [[n, n + 1, n + 2] for n in range(1, 151, 3)]


def test_reading_starts_and_stops_at_the_ends_of_records(writer: JournalWriter) -> None:
    """Whatever file they are in."""
    append_ends(writer, 100)
    reader = JournalReader(writer.directory)
    ends = [record.end for record in reader.read()]

    for first, last in itertools.combinations((0, 1, 40, 41, 98, 99), 2):
        read = [r.seq for r in reader.read(start=ends[first], stop=ends[last])]
        assert read == list(range(first + 2, last + 2))
    assert reader.gaps == []


def test_threads_write_without_harm_to_each_other(writer: JournalWriter) -> None:
    """No number is missing, no record torn."""
    threads = [threading.Thread(target=append_ends, args=(writer, 200)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    reader = JournalReader(writer.directory)

    assert [record.seq for record in reader.read()] == list(range(1, 801))
    assert reader.damaged_bytes == 0


def test_the_index_leads_to_one_task(writer: JournalWriter) -> None:
    """A report on one task reads one task."""
    for name in ("a", "b", "c"):
        writer.append(Kind.TASK_BEGIN, begin(name))
        append_ends(writer, 30)
        writer.append(Kind.TASK_END, end(name))

    entries = read_index(writer.directory)
    reader = JournalReader(writer.directory)
    read = list(reader.read(start=entries[1].first, stop=entries[1].last))

    assert [entry.task_id for entry in entries] == ["a", "b", "c"]
    assert (read[0].body, read[-1].body, len(read)) == (begin("b"), end("b"), 32)


def test_a_task_that_never_ended_is_in_the_index(writer: JournalWriter) -> None:
    """Its process died in it."""
    writer.append(Kind.TASK_BEGIN, begin("a"))

    assert [(entry.task_id, entry.last) for entry in read_index(writer.directory)] == [("a", None)]


@pytest.mark.parametrize("damage", ["missing", "torn", "garbage"])
def test_an_index_that_cannot_be_used_is_made_up_for(writer: JournalWriter, damage: str) -> None:
    """By reading the whole journal."""
    for name in ("a", "b"):
        writer.append(Kind.TASK_BEGIN, begin(name))
        append_ends(writer, 30)
        writer.append(Kind.TASK_END, end(name))
    index = writer.directory / INDEX
    whole = index.read_bytes()
    index.unlink()
    if damage == "torn":
        index.write_bytes(whole[:-10])
    elif damage == "garbage":
        index.write_bytes(b"\x00\xff" + whole)

    entries = read_index(writer.directory)
    reader = JournalReader(writer.directory)
    read = list(reader.read(start=entries[1].first, stop=entries[1].last))

    assert [entry.task_id for entry in entries] == ["a", "b"]
    assert (read[0].body, read[-1].body) == (begin("b"), end("b"))


def test_an_index_that_cannot_be_written_is_made_up_for(writer: JournalWriter) -> None:
    """Its file is unusable from the start; the journal goes on."""
    (writer.directory / INDEX).mkdir()
    for name in ("a", "b"):
        writer.append(Kind.TASK_BEGIN, begin(name))
        writer.append(Kind.TASK_END, end(name))

    assert [entry.task_id for entry in read_index(writer.directory)] == ["a", "b"]
    assert writer.lost == 0


def test_reopening_is_not_disturbed_by_those_who_ask_for_life(writer: JournalWriter) -> None:
    """Asking takes the lock, for some microseconds."""
    writer.close()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            is_alive(writer.directory)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            lock = lock_alive(writer.directory)
            os.close(lock)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_journal_is_reopened_where_it_ended(writer: JournalWriter) -> None:
    """The numbers go on, in a file of its own."""
    append_ends(writer, 100)
    writer.close()

    again = JournalWriter.reopen(writer.directory)
    assert again.append(Kind.PROCESS_END, ONE_OF_EACH[Kind.PROCESS_END]) == 101
    again.close()

    reader = JournalReader(writer.directory)
    assert [record.seq for record in reader.read()] == list(range(1, 102))
    assert reader.facts == writer.facts


def test_the_journal_of_a_live_process_is_not_reopened(writer: JournalWriter) -> None:
    """Two writers would number twice."""
    with pytest.raises(JournalBusy, match=writer.directory.name):
        JournalWriter.reopen(writer.directory)


def test_a_journal_is_alive_until_it_is_closed(writer: JournalWriter) -> None:
    """The kernel gives the lock back at any death."""
    assert is_alive(writer.directory)
    writer.close()
    assert not is_alive(writer.directory)


def test_a_closed_journal_takes_nothing_more(writer: JournalWriter) -> None:
    """And says so with the number 0."""
    writer.close()

    assert writer.append(Kind.TASK_END, end("a")) == 0


def test_a_forked_child_neither_writes_nor_keeps_the_journal_alive(writer: JournalWriter) -> None:
    """Both belong to its parent."""
    # A data loader's workers are forked; they may outlive the process that owns the journal.
    ready, tell_ready = os.pipe()
    until, hold = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hold)
        code = 0 if writer.append(Kind.TASK_END, end("child")) == 0 else 1
        os.write(tell_ready, b"x")
        os.read(until, 1)  # until the parent closes its end
        os._exit(code)
    os.read(ready, 1)
    writer.append(Kind.TASK_END, end("parent"))
    writer.close()
    alive = is_alive(writer.directory)
    for descriptor in (hold, until, ready, tell_ready):
        os.close(descriptor)
    _, status = os.waitpid(child, 0)

    assert not alive
    assert os.waitstatus_to_exitcode(status) == 0
    assert [r.body.task_id for r in JournalReader(writer.directory).read()] == ["parent"]


def test_directories_are_listed_oldest_first(tmp_path: Path) -> None:
    """Names begin with the time."""
    writers = [JournalWriter.create(tmp_path, role=r, facts={}) for r in ("task", "cli", "task")]
    try:
        assert process_directories(tmp_path) == [writer.directory for writer in writers]
    finally:
        for writer in writers:
            writer.close()


def test_a_spool_that_is_not_there_has_no_journals(tmp_path: Path) -> None:
    """Nothing has run yet."""
    assert process_directories(tmp_path / "none") == []


def test_positions_are_ordered() -> None:
    """By file, then by offset."""
    assert Position(1, 900) < Position(2, 16) < Position(2, 17)
