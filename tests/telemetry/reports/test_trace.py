"""A journey gathered from the journals of several processes."""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

from telemetry import death
from telemetry.journal import JournalReader
from telemetry.journal.directory import journal_file
from telemetry.records import Kind, SpanEnd, Status
from telemetry.reports.endings import Endings
from telemetry.reports.trace import TraceModel, otlp_json, read_trace
from tests.telemetry.journal.test_damage import with_version

OTHER = bytes.fromhex("ffffffffffffffffffffffffffffffff")


def journey(new_script: Any) -> tuple[Any, Any]:
    """Write an orchestrator and a segment of one trace, in a supervisor and a task process."""
    supervisor = new_script(role="supervisor")
    supervisor.task("orchestrator", "travel_orchestrator", 0)
    root = supervisor.begin("process travel_orchestrator", 0, kind=4)
    supervisor.end(10)
    supervisor.end_task("orchestrator", at_ms=10)
    supervisor.task("segment", at_ms=11)
    segment = supervisor.begin("process travel_segment", 11, parent=root, kind=4)
    worker = new_script(role="task", first_id=100)
    worker.task("segment", at_ms=12)
    worker.begin("stage parameters", 12, parent=segment)
    worker.log("LOOP [1/32]", 12)
    worker.end(20)
    worker.end_task("segment", at_ms=20)
    supervisor.end(22)
    supervisor.end_task("segment", at_ms=22)
    return supervisor, worker


def read(spool: Path, task_id: str) -> TraceModel:
    """Read a trace that is there."""
    model = read_trace(spool, task_id)
    assert model is not None
    return model


def test_a_journey_is_one_trace_over_processes(new_script: Any, spool: Path) -> None:
    """Whichever of its tasks is asked for."""
    journey(new_script)
    for task_id in ("orchestrator", "segment"):
        model = read(spool, task_id)
        assert [span.name for span in model.spans] == [
            "process travel_orchestrator",
            "process travel_segment",
            "stage parameters",
        ]
        assert [part.facts.role for part in model.processes] == ["supervisor", "task"]
        assert model.task_ids == ["orchestrator", "segment"]


def test_logs_and_errors_of_the_journey_are_there(new_script: Any, spool: Path) -> None:
    """With the spans."""
    supervisor, _ = journey(new_script)
    supervisor.task("stitch", at_ms=30)
    supervisor.error()
    supervisor.end_task("stitch", at_ms=31)
    model = read(spool, "segment")
    assert [log.message for log in model.logs] == ["LOOP [1/32]"]
    assert [error.type for error in model.errors] == ["AttributeError"]


def test_a_task_that_no_journal_knows_has_no_trace(new_script: Any, spool: Path) -> None:
    """Its record may have been deleted, or lie on another machine."""
    journey(new_script)
    assert read_trace(spool, "nobody") is None
    assert read_trace(spool / "missing", "nobody") is None


def in_another_trace(line: str) -> str:
    """Return a line of an index as it would be of another trace."""
    _, entry = json.loads(line)
    said = json.dumps({**entry, "trace_id": OTHER.hex()})
    return f"[{crc32(said.encode())},{said}]"


def test_only_what_the_index_names_is_read(script: Any, spool: Path) -> None:
    """Damage in another task's records is not even seen."""
    script.task("first", at_ms=0)
    for number in range(200):
        script.span(f"of first {number}", number, number + 1)
    script.end_task("first", at_ms=1)
    middle = script.writer.position
    script.task("second", at_ms=2)
    script.span("of second", 2, 3)
    script.end_task("second", at_ms=3)
    file = script.directory / "000001.journal"
    data = bytearray(file.read_bytes())
    data[1000:1100] = bytes(100)
    file.write_bytes(data)
    index = script.directory / "index.jsonl"
    # The first task gets a trace of its own, so that it is no part of the second's journey.
    first, rest = index.read_text().split("\n", 1)
    index.write_text(f"{in_another_trace(first)}\n{rest}")
    model = read(spool, "second")
    assert [span.name for span in model.spans] == ["of second"]
    assert (model.damaged_bytes, model.missing) == (0, 0)
    assert middle.offset > 1100


def test_a_journal_of_a_newer_version_is_passed_over(new_script: Any, spool: Path) -> None:
    """Its index can be read, and names the task; the other journals tell what they have."""
    _, worker = journey(new_script)
    file = journal_file(worker.directory, 1)
    content = file.read_bytes()
    size = 18 + int.from_bytes(content[10:14], "big")
    file.write_bytes(with_version(content[:size], 2) + content[size:])
    assert [part.facts.role for part in read(spool, "segment").processes] == ["supervisor"]


def ended(model: TraceModel) -> list[str]:
    """Say of each span how it ended."""
    return [Endings.of_trace(model).how(span) for span in model.spans]


def test_a_running_task_shows_its_open_spans(script: Any, spool: Path) -> None:
    """The process is alive: they are at work."""
    script.task("t1")
    script.begin("process x", 0)
    script.span("stage inputs", 0, 1)
    model = read(spool, "t1")
    assert (model.begun, model.ended) == (2, 1)
    assert ended(model) == ["open", "ok"]


def test_what_a_dead_process_left_open_is_cut_off_once_its_end_is_written(
    script: Any, spool: Path
) -> None:
    """Before that its record may have lost more than its end."""
    script.task("t1")
    script.begin("process x", 0)
    script.writer.close()
    assert ended(read(spool, "t1")) == ["unknown"]
    death.close_dead(script.directory, death.from_returncode(-9))
    model = read(spool, "t1")
    assert ended(model) == ["cut off"]
    assert model.processes[0].end is not None
    assert [error.kind for error in model.errors] == ["death"]


def test_missing_records_are_counted(script: Any, spool: Path) -> None:
    """A report says so instead of taking what is left for the whole."""
    script.task("t1")
    script.span("stage inputs", 0, 1)
    script.writer.next_seq += 5
    script.span("stage model", 1, 2)
    script.end_task("t1")
    assert read(spool, "t1").missing == 5


def test_an_end_without_its_begin_makes_no_span(script: Any, spool: Path) -> None:
    """What is gone is counted, not made up."""
    script.task("t1")
    end = SpanEnd(span_id=b"\x09" * 8, end_ns=1, status=Status.UNSET)
    script.writer.append(Kind.SPAN_END, end)
    assert read(spool, "t1").spans == []


def test_a_task_whose_end_was_lost_stops_at_the_next(script: Any, spool: Path) -> None:
    """Its range has no end in the index."""
    script.task("t1")
    script.span("of t1", 0, 1)
    script.task("t2")
    script.span("of t2", 0, 1)
    index = script.directory / "index.jsonl"
    lines = index.read_text().splitlines()
    index.write_text(f"{lines[0]}\n{in_another_trace(lines[1])}\n")
    assert [span.name for span in read(spool, "t1").spans] == ["of t1"]


def test_json_is_that_of_otlp(new_script: Any, spool: Path) -> None:
    """One resource a process, ids in hex, as Jaeger's query API answers."""
    _, worker = journey(new_script)
    found = otlp_json(read(spool, "segment"))
    assert list(found) == ["resourceSpans"]
    assert len(found["resourceSpans"]) == 2
    group = found["resourceSpans"][1]
    resource = {one["key"]: one["value"] for one in group["resource"]["attributes"]}
    assert resource["service.instance.id"] == {"stringValue": worker.directory.name}
    [span] = group["scopeSpans"][0]["spans"]
    assert span["traceId"] == "0af7651916cd43dd8448eb211c80319c"
    assert len(span["parentSpanId"]) == 16
    assert span["startTimeUnixNano"] == "1770000000012000000"
    assert json.loads(json.dumps(found)) == found


def test_reading_does_not_change_the_journal(script: Any, spool: Path) -> None:
    """A report may be asked for at any time."""
    script.task("t1")
    script.span("x", 0, 1)
    before = [record.seq for record in JournalReader(script.directory).read()]
    read(spool, "t1")
    assert [record.seq for record in JournalReader(script.directory).read()] == before
