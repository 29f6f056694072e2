"""The shipper, against a real receiver, from journals of real processes."""

import contextlib
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from telemetry import death, names
from telemetry.errors import JournalTooNew
from telemetry.journal import JournalReader, JournalWriter, process_directories
from telemetry.records import Kind, ProcessEnd
from telemetry.shipper import OtlpTarget, Shipper
from telemetry.shipper.follower import read_shipped
from telemetry.spans import Folder
from telemetry.testing import OtlpReceiver, Reply

from .conftest import ship, shipper, spans_of

TASK = """
import os, signal, sys
from pathlib import Path
from telemetry.recorder import Recorder
recorder = Recorder.open(Path(sys.argv[1]), role="task")
with recorder.task(task_id="t1", attempt=1, task_type="travel_segment", trace_id=b"t" * 16,
                   worker_id="w"), recorder.span("process travel_segment", trace_id=b"t" * 16):
    with recorder.stage("parameters"):
        for index in range(1, 33):
            with recorder.iteration(index, 32, {}):
                if index == 25:
                    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(spool: Path) -> Path:
    """Run a task process to its SIGKILL inside of iteration 25; return its journal."""
    subprocess.run([sys.executable, "-c", TASK, str(spool)], check=False)
    return process_directories(spool)[-1]


def test_every_span_of_a_killed_process_arrives_once(spool: Path) -> None:
    """27 began, 24 iterations had ended: all 27 arrive, the open three closed as failed."""
    directory = killed(spool)
    with OtlpReceiver() as receiver:
        one = shipper(spool, receiver)
        assert one.drain(20)
        assert Counter(receiver.names) == {"loop iteration": 24}
        death.close_dead(directory, death.from_returncode(-9))
        assert one.drain(20)
        one.stop(5)
        assert Counter(receiver.names) == {
            "loop iteration": 25,
            "stage parameters": 1,
            "process travel_segment": 1,
        }
        ids = [received.span.span_id for received in receiver.spans]
        assert len(ids) == len(set(ids)) == 27


def test_spans_arrive_with_the_ids_of_the_journal(spool: Path) -> None:
    """A trace that crosses processes hangs together by them."""
    directory = killed(spool)
    death.close_dead(directory, death.from_returncode(-9))
    folder = Folder()
    folded = [s for record in JournalReader(directory).read() for s in folder.feed(record)]
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        assert [
            (one.span.trace_id, one.span.span_id, one.span.parent_span_id or None)
            for one in receiver.spans
        ] == [(span.trace_id, span.span_id, span.parent_id) for span in folded]


def test_what_a_death_closed_says_how_it_died(spool: Path) -> None:
    """Status, error type, the death's own attributes."""
    directory = killed(spool)
    death.close_dead(directory, death.from_returncode(-9))
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        innermost = next(one for one in receiver.spans if one.span.status.code == 2)
    assert innermost.attributes[names.ERROR_TYPE] == "sigkill"
    assert innermost.attributes[names.DEATH_SIGNAL] == "SIGKILL"
    assert innermost.attributes[names.LOOP_INDEX] == 25
    assert [event.name for event in innermost.span.events] == ["exception"]


def test_the_resource_says_which_process_it_was(script: Any, spool: Path) -> None:
    """By the facts in its journal's header."""
    script.span("x", 0, 1)
    facts = JournalReader(script.directory).facts
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        resource = receiver.spans[0].resource
    assert resource["service.name"] == "loop26"
    assert resource["service.instance.id"] == script.directory.name
    assert (resource["process.pid"], resource["host.name"]) == (facts.pid, facts.host)
    assert (resource["loop26.role"], resource["loop26.process.device"]) == ("task", "cpu")


def test_an_open_span_is_not_sent(script: Any, spool: Path) -> None:
    """A partial version and a final one of a span are both shown by Jaeger."""
    script.begin("process x")
    script.span("stage model", 0, 1)
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        assert receiver.names == ["stage model"]


def test_logs_arrive_with_their_span(script: Any, spool: Path) -> None:
    """So that a backend shows them where they belong."""
    span_id = script.begin("stage parameters")
    script.log("LOOP [26/32]")
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        [log] = receiver.logs
    assert log.record.body.string_value == "LOOP [26/32]"
    assert (log.record.span_id, log.record.severity_text) == (span_id, "INFO")
    assert log.logger == "worker.params"


def test_a_restart_sends_nothing_twice_and_nothing_less(script: Any, spool: Path) -> None:
    """Open spans of before the restart are folded again, and sent when they end."""
    script.begin("process x")
    made = spans_of(script, 5)
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        made += spans_of(script, 3)
        script.end(2)
        ship(spool, receiver)
        assert receiver.names == [*made, "process x"]


def test_a_restart_between_two_batches_goes_on_after_the_first(script: Any, spool: Path) -> None:
    """The end of one process may give more spans than a batch holds, all at one position."""
    for number in range(700):
        script.begin(f"span {number}")
    script.end_process()
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(200), Reply(503))
        first = shipper(spool, receiver)
        assert not first.drain(20)
        first.stop(0)
        assert len(receiver.spans) < 700
        ship(spool, receiver)
        assert Counter(receiver.names) == {f"span {number}": 1 for number in range(700)}


def test_a_journal_that_is_shipped_is_not_read_again(script: Any, spool: Path) -> None:
    """Its size is noted with what was acknowledged."""
    script.span("x", 0, 1)
    script.end_process()
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        asked = len(receiver.requests)
        ship(spool, receiver)
        assert len(receiver.requests) == asked
    assert set(read_shipped(script.directory).settled) == {"traces", "logs"}


def test_a_receiver_that_is_down_loses_nothing(script: Any, spool: Path) -> None:
    """The mark stands until there is somebody to take it."""
    with OtlpReceiver() as gone:
        port = gone.port
    made = spans_of(script, 3)
    one = Shipper(spool, otlp=OtlpTarget(endpoint=f"http://127.0.0.1:{port}"), interval_s=0.01)
    assert not one.drain(5)
    assert (one.counters.exported, one.counters.behind) == (0, 3)
    assert one.counters.failures > 0
    with OtlpReceiver(port) as back:
        assert one.drain(20)
        assert back.names == made
    assert (one.counters.exported, one.counters.behind) == (3, 0)
    one.stop(1)


def test_the_thread_tries_again_by_itself(script: Any, spool: Path) -> None:
    """Nobody has to ask."""
    made = spans_of(script, 3)
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(503), Reply(429))
        one = shipper(spool, receiver)
        one.start()
        receiver.wait_for(lambda: receiver.names == made)
        one.stop(5)
    assert one.counters.failures == 2


def test_the_thread_follows_a_journal_that_grows(script: Any, spool: Path) -> None:
    """And one that is new."""
    with OtlpReceiver() as receiver:
        one = shipper(spool, receiver)
        one.start()
        script.span("first", 0, 1)
        receiver.wait_for(lambda: receiver.names == ["first"])
        script.span("second", 1, 2)
        receiver.wait_for(lambda: receiver.names == ["first", "second"])
        one.stop(5)


def test_a_retry_after_is_heeded(script: Any, spool: Path) -> None:
    """A busy collector says when to come back."""
    now = [1000.0]
    script.span("x", 0, 1)
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(429, {"Retry-After": "30"}))
        one = shipper(spool, receiver, clock=lambda: now[0])
        one._pass(lambda: 10.0)
        now[0] += 29
        one._pass(lambda: 10.0)
        assert receiver.requests == ["/v1/traces"]
        now[0] += 2
        one._pass(lambda: 10.0)
        assert receiver.names == ["x"]
        one.stop(1)


def test_what_is_too_large_is_sent_in_halves(script: Any, spool: Path) -> None:
    """Until each part is small enough."""
    made = spans_of(script, 100)
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, body: Reply(413 if len(body) > 3000 else 200))
        one = ship(spool, receiver)
        assert receiver.names == made
    assert (one.counters.exported, one.counters.refused) == (100, 0)


def test_one_span_that_is_too_large_is_passed_over(script: Any, spool: Path) -> None:
    """It would stand in the way of all that follow."""
    script.span("small", 0, 1)
    script.span("huge", 0, 1, text="x" * 10_000)
    script.span("after", 0, 1)
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, body: Reply(413 if len(body) > 5000 else 200))
        one = ship(spool, receiver)
        assert receiver.names == ["small", "after"]
    assert (one.counters.exported, one.counters.refused) == (2, 1)


def test_a_partial_success_is_counted(script: Any, spool: Path) -> None:
    """A collector may take some of a batch and say so in its answer."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    spans_of(script, 3)
    body = trace_service_pb2.ExportTraceServiceResponse()
    body.partial_success.rejected_spans = 2
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(200, body=body.SerializeToString()))
        one = ship(spool, receiver)
    assert (one.counters.exported, one.counters.refused) == (1, 2)


def test_a_slow_answer_is_waited_for(script: Any, spool: Path) -> None:
    """One request, one batch: nothing is sent again while the answer is on its way."""
    made = spans_of(script, 3)
    hold = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(hold=hold))
        one = shipper(spool, receiver)
        one.start()
        receiver.wait_for(lambda: receiver.requests == ["/v1/traces"])
        hold.set()
        receiver.wait_for(lambda: receiver.names == made)
        assert one.stop(5)
        assert receiver.requests == ["/v1/traces"]


def test_an_answer_that_does_not_come_is_given_up(script: Any, spool: Path) -> None:
    """A collector that hangs blocks neither the shipper nor its end."""
    spans_of(script, 1)
    hold = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(503, hold=hold))
        one = shipper(spool, receiver, timeout_s=0.2)
        assert not one.drain(5)
        assert one.counters.failures == 1
        hold.set()
        assert one.drain(5)
        one.stop(1)


def test_two_workers_on_one_spool_send_each_span_once(script: Any, spool: Path) -> None:
    """The first to follow a journal has the right to ship it."""
    made = spans_of(script, 3)
    with OtlpReceiver() as receiver:
        one, other = shipper(spool, receiver), shipper(spool, receiver)
        assert one.drain(20)
        assert other.drain(20)
        assert receiver.names == made
        one.stop(1)
        made += spans_of(script, 2)
        assert other.drain(20)
        assert receiver.names == made
        other.stop(1)


def test_a_backlog_beyond_memory_is_shipped_whole(script: Any, spool: Path) -> None:
    """More than is ever held at once, over several journal files."""
    made = spans_of(script, 5000)
    with OtlpReceiver() as receiver:
        one = ship(spool, receiver)
        assert receiver.names == made
    assert one.counters.exported == 5000


def test_without_a_target_only_retention_runs(spool: Path) -> None:
    """Local history is shipped to nobody, and grows all the same."""
    before = {thread.name for thread in threading.enumerate()}
    one = Shipper(spool)
    one.start()
    assert {thread.name for thread in threading.enumerate()} - before == {"retention"}
    assert one.stop(1)
    assert {thread.name for thread in threading.enumerate()} == before


def test_a_leftover_is_closed_as_lost_once_adopted(spool: Path) -> None:
    """Supervisor and child killed together: nobody saw it."""
    directory = killed(spool)
    one = Shipper(spool)
    assert one.adopt() == [directory]
    *_, last = JournalReader(directory).read()
    assert isinstance(last.body, ProcessEnd)
    assert last.body.kind == "lost"
    assert one.adopt() == []


def test_a_dead_journal_is_left_alone_until_adopted(spool: Path) -> None:
    """The supervisor settles first: only it may know how the process died."""
    directory = killed(spool)
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
    assert not any(r.kind is Kind.PROCESS_END for r in JournalReader(directory).read())


def test_a_command_that_was_killed_is_closed_by_whoever_ships(spool: Path) -> None:
    """It has no supervisor."""
    JournalWriter.create(spool, role="cli", facts={}).close()
    with OtlpReceiver() as receiver:
        one = shipper(spool, receiver)
        one.adopt()
        one.stop(5)
    [record] = JournalReader(process_directories(spool)[0]).read()
    assert record.body.kind == "lost"


def test_a_journal_deleted_under_the_shipper_is_passed_over(script: Any, spool: Path) -> None:
    """An operator may clear the spool."""
    script.span("x", 0, 1)
    with OtlpReceiver() as receiver:
        one = shipper(spool, receiver)
        assert one.drain(5)
        shutil.rmtree(script.directory)
        assert one.drain(5)
        one.stop(1)


def test_shipping_goes_on_though_it_cannot_be_noted(script: Any, spool: Path) -> None:
    """A full disk: this process knows what was acknowledged, and sends nothing twice."""
    in_the_way = script.directory / "shipped.json.new"
    in_the_way.mkdir()
    made = spans_of(script, 2)
    with OtlpReceiver() as receiver:
        one = shipper(spool, receiver)
        assert not one.drain(5)
        in_the_way.rmdir()
        made += spans_of(script, 2)
        assert one.drain(5)
        one.stop(1)
        assert receiver.names == made
        ship(spool, receiver)
        assert receiver.names == made


def test_a_journal_of_a_newer_version_stops_no_other(script: Any, spool: Path) -> None:
    """It waits for the loop26 that can read it."""
    newer = JournalWriter.create(spool, role="task", facts={})
    newer.close()
    file = newer.directory / "000001.journal"
    data = file.read_bytes()
    body = data[18:]
    checked = struct.pack(">HI", 99, len(body)) + body
    file.write_bytes(data[:8] + struct.pack(">HII", 99, len(body), zlib.crc32(checked)) + body)
    with pytest.raises(JournalTooNew):
        JournalReader(newer.directory)
    made = spans_of(script, 2)
    with OtlpReceiver() as receiver:
        ship(spool, receiver)
        assert receiver.names == made


def test_the_end_is_on_time_though_the_collector_never_answers(script: Any, spool: Path) -> None:
    """It takes the connection and says nothing, to each stream in turn."""
    script.begin("x")
    script.log("hello")
    script.end(1)
    hold = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503, hold=hold))
        one = shipper(spool, receiver)
        one.start()
        receiver.wait_for(lambda: bool(receiver.requests))
        begun = time.monotonic()
        assert not one.stop(0.5)
        took = time.monotonic() - begun
        hold.set()
    assert took < 1.0


def test_the_end_is_on_time_though_the_answer_comes_byte_by_byte(script: Any, spool: Path) -> None:
    """Each byte comes in time, and the answer never."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 503 ")
            while not over.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip, args=(listener,))
        server.start()
        target = OtlpTarget(endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}")
        one = Shipper(spool, otlp=target, interval_s=60.0)
        one.start()
        script.span("x", 0, 1)
        begun = time.monotonic()
        assert not one.stop(0.5)
        took = time.monotonic() - begun
        over.set()
        server.join()
    assert took < 1.0


def test_an_end_without_a_beginning_is_on_time(script: Any, spool: Path) -> None:
    """Nobody started the threads: what is sent, is sent in the time that there is."""
    for _ in range(3):
        script.span("x", 0, 1)
        script.log("hello")
    hold = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503, hold=hold))
        one = shipper(spool, receiver)
        begun = time.monotonic()
        assert not one.stop(0.5)
        took = time.monotonic() - begun
        hold.set()
    assert took < 1.0


def test_a_backlog_that_fills_memory_is_shipped_when_the_backend_is_back(
    script: Any, spool: Path
) -> None:
    """What is held is offered again, though there is no room to read on."""
    made = spans_of(script, 5000)
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(503))
        one = shipper(spool, receiver)
        assert not one.drain(20)
        assert one.counters.behind == 4096
        assert one.drain(20)
        assert receiver.names == made
        one.stop(1)


def test_logs_that_nobody_takes_do_not_hold_up_the_traces_of_many(
    new_script: Any, spool: Path
) -> None:
    """More journals than are ever followed at once, each with a log that waits."""
    for number in range(300):
        script = new_script(first_id=1000 * number + 1)
        script.begin("x")
        script.log("hello")
        script.end(1)
        script.end_process()
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda path, _body: Reply(404 if path == "/v1/logs" else 200))
        one = shipper(spool, receiver)
        for _ in range(3):
            assert not one.drain(30)
        assert len(receiver.names) == 300
        receiver.answer_by(None)
        assert one.drain(30)
        assert one.drain(30)
        assert (len(receiver.names), len(receiver.logs)) == (300, 300)
        one.stop(1)


def test_a_journal_deleted_while_its_backend_is_down_is_forgotten(script: Any, spool: Path) -> None:
    """By retention, or by an operator."""
    script.span("x", 0, 1)
    script.end_process()
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(503))
        one = shipper(spool, receiver)
        assert not one.drain(5)
        shutil.rmtree(script.directory)
        assert one.drain(5)
        assert (receiver.names, one.counters.behind) == ([], 0)
        one.stop(1)
