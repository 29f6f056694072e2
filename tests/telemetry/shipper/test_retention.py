"""How long journals are kept."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from telemetry.journal import JournalReader, JournalWriter, process_directories, read_index
from telemetry.journal.directory import journal_files
from telemetry.records import Kind, ProcessEnd
from telemetry.shipper import OtlpTarget, Retention, Shipper
from telemetry.testing import OtlpReceiver, Reply, wait_until

NOW_S = 2_000_000_000.0


def dead(spool: Path, count: int) -> list[Path]:
    """Make journals of processes that have ended, about 10 kB each, oldest first."""
    made = []
    for _ in range(count):
        writer = JournalWriter.create(spool, role="task", facts={})
        end = ProcessEnd(at_ns=1, kind="exit", exit_code=0, message="x" * 10_000)
        writer.append(Kind.PROCESS_END, end)
        writer.close()
        made.append(writer.directory)
    return made


def retain(spool: Path, retention: Retention, **options: Any) -> Shipper:
    """Apply retention once."""
    shipper = Shipper(spool, retention=retention, **options)
    shipper.retain()
    shipper.stop(0)
    return shipper


def test_the_oldest_go_until_the_spool_is_small_enough(spool: Path) -> None:
    """Three of about 10 kB, where two have room."""
    made = dead(spool, 3)
    retain(spool, Retention(keep_bytes=25_000))
    assert process_directories(spool) == made[1:]


def test_the_old_go_though_there_is_room(spool: Path) -> None:
    """By their last record's age."""
    dead(spool, 2)
    shipper = retain(spool, Retention(keep_age_s=60.0), wall_clock=lambda: NOW_S * 2)
    assert process_directories(spool) == []
    assert (shipper.counters.deleted, shipper.counters.lost) == (2, 0)


def test_a_live_process_keeps_its_journal(script: Any, spool: Path) -> None:
    """Whatever the limits are."""
    script.span("x", 0, 1)
    retain(spool, Retention(keep_bytes=1, keep_age_s=0.0), wall_clock=lambda: NOW_S * 2)
    assert process_directories(spool) == [script.directory]


def test_what_is_not_shipped_stays(spool: Path) -> None:
    """While there is a target that has not got it."""
    made = dead(spool, 2)
    target = OtlpTarget(endpoint="http://127.0.0.1:9")
    retain(spool, Retention(keep_bytes=15_000), otlp=target)
    assert process_directories(spool) == made


def test_beyond_twice_the_limit_it_is_lost_and_counted(spool: Path) -> None:
    """A full disk would lose more."""
    made = dead(spool, 3)
    target = OtlpTarget(endpoint="http://127.0.0.1:9")
    shipper = retain(spool, Retention(keep_bytes=12_000), otlp=target)
    assert process_directories(spool) == made[1:]
    assert (shipper.counters.deleted, shipper.counters.lost) == (1, 1)


def test_what_is_shipped_goes_like_any_other(spool: Path) -> None:
    """The backend has it."""
    made = dead(spool, 3)
    with OtlpReceiver() as receiver:
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=25_000))
        assert shipper.drain(5)
        shipper.retain()
        shipper.stop(1)
    assert process_directories(spool) == made[1:]
    assert shipper.counters.lost == 0


def test_start_applies_retention_where_nothing_is_shipped(spool: Path) -> None:
    """In a thread of its own: nobody has to ask."""
    dead(spool, 3)
    shipper = Shipper(spool, retention=Retention(keep_bytes=1))
    shipper.start()
    wait_until(lambda: process_directories(spool) == [])
    assert shipper.stop(5)


def test_retention_does_not_wait_for_a_slow_collector(script: Any, spool: Path) -> None:
    """The request hangs while the old journals go."""
    made = dead(spool, 3)
    script.span("x", 0, 1)
    hold = threading.Event()
    with OtlpReceiver() as receiver:
        receiver.answer_next(Reply(hold=hold))
        target = OtlpTarget(endpoint=receiver.endpoint, timeout_s=30.0)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=12_000))
        shipper.start()
        receiver.wait_for(lambda: bool(receiver.requests))
        shipper.retain()
        # Which of them the hanging request is about is the threads' choice; that one may stay.
        gone = [journal for journal in made if not journal.exists()]
        names = receiver.names
        hold.set()
        shipper.stop(5)
    assert gone
    assert names == []


def test_a_live_journal_costs_no_dead_one_its_place(script: Any, spool: Path) -> None:
    """However large it has grown."""
    made = dead(spool, 2)
    script.span("x", 0, 1, text="x" * 100_000)
    shipper = retain(spool, Retention(keep_bytes=30_000))
    assert process_directories(spool) == sorted([script.directory, *made])
    assert shipper.counters.deleted == 0


def long_life(new_script: Any) -> Any:
    """Let a process live through three tasks, each of about three files of 1 kB."""
    script = new_script(rotate_bytes=1000)
    for task in ("one", "two", "three"):
        script.task(task)
        for _ in range(12):
            script.span(f"of {task}", 0, 1)
        script.end_task(task)
    return script


def files(script: Any) -> list[int]:
    """Return the numbers of a journal's files."""
    return list(journal_files(script.directory))


def test_a_live_journal_gives_up_its_oldest_files(new_script: Any, spool: Path) -> None:
    """Until it is small enough; it goes on, and says what it still has."""
    script = long_life(new_script)
    before = files(script)
    shipper = retain(spool, Retention(keep_bytes=7_000))
    taken = shipper.counters.shortened
    assert taken > 0
    assert files(script) == before[taken:]
    assert sum(one.stat().st_size for one in script.directory.iterdir()) <= 7_000
    assert shipper.counters.deleted == 0
    script.span("after", 0, 1)
    assert JournalReader(script.directory).gaps == []


def test_the_newest_task_of_a_live_process_stays_whole(new_script: Any, spool: Path) -> None:
    """Whatever the limit is: a report on it may be asked for at any moment."""
    script = long_life(new_script)
    retain(spool, Retention(keep_bytes=1))
    *_, entry = read_index(script.directory)
    assert entry.task_id == "three"
    assert files(script)[0] == entry.first.file
    records = list(JournalReader(script.directory).read(start=entry.first, stop=entry.last))
    assert len(records) == 26


def test_a_live_process_keeps_what_is_not_shipped(new_script: Any, spool: Path) -> None:
    """The backend is down, and the journal is not beyond twice its limit."""
    script = long_life(new_script)
    before = files(script)
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=7_000))
        shipper.retain()
        assert not shipper.drain(5)
        shipper.retain()
        assert files(script) == before
        receiver.answer_by(None)
        assert shipper.drain(5)
        shipper.retain()
        assert files(script) != before
        assert (shipper.counters.lost, len(receiver.names)) == (0, 36)
        script.span("after", 0, 1)
        assert shipper.drain(5)
        assert receiver.names[36:] == ["after"]
        shipper.stop(1)


def test_a_restart_ships_the_rest_of_a_shortened_journal_once(new_script: Any, spool: Path) -> None:
    """What was acknowledged stands beside it, by file and offset."""
    script = long_life(new_script)
    with OtlpReceiver() as receiver:
        target = OtlpTarget(endpoint=receiver.endpoint)
        for expected in (36, 37):
            shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=1))
            assert shipper.drain(5)
            shipper.retain()
            shipper.stop(1)
            assert len(receiver.names) == expected
            script.span("after", 0, 1)
    assert shipper.counters.exported == 1


def test_beyond_twice_the_limit_a_live_journal_loses_what_is_not_shipped(
    new_script: Any, spool: Path
) -> None:
    """And it is counted; the newest task stays."""
    script = long_life(new_script)
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=1))
        assert not shipper.drain(5)
        shipper.retain()
        shipper.stop(0)
    assert shipper.counters.lost == shipper.counters.shortened > 0
    assert files(script)[0] == read_index(script.directory)[-1].first.file


def test_logs_that_nobody_takes_wait_within_the_ordinary_limits(
    new_script: Any, spool: Path
) -> None:
    """Jaeger has no place for them: that is no outage to keep everything for."""
    for number in range(3):
        script = new_script(first_id=100 * number + 1)
        script.begin("x")
        script.log("y" * 10_000)
        script.end(1)
        script.end_process()
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda path, _body: Reply(404 if path == "/v1/logs" else 200))
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=25_000))
        assert not shipper.drain(5)
        shipper.retain()
        assert len(process_directories(spool)) == 2
        assert (shipper.counters.deleted, shipper.counters.lost) == (1, 1)
        shipper.stop(0)


def test_what_a_backend_takes_is_kept_while_its_address_is_gone(
    new_script: Any, spool: Path
) -> None:
    """A proxy is being changed: that says nothing of what is behind it."""
    with OtlpReceiver() as receiver:
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=15_000))
        for number in range(3):
            script = new_script(first_id=100 * number + 1)
            script.log("y" * 10_000)
            script.end_process()
            receiver.answer_by(None if number == 0 else lambda _path, _body: Reply(404))
            assert shipper.drain(5) is (number == 0)
        shipper.retain()
        assert (len(process_directories(spool)), shipper.counters.lost) == (2, 0)
        receiver.answer_by(None)
        assert shipper.drain(5)
        assert len(receiver.logs) == 3
        shipper.stop(0)


def test_a_live_journal_counts_the_logs_that_nobody_took(new_script: Any, spool: Path) -> None:
    """Its oldest files go within the ordinary limits, too."""
    script = new_script(rotate_bytes=1000)
    for number in range(9):
        script.task(str(number))
        script.log("y" * 1_000)
        script.span("x", 0, 1)
        script.end_task(str(number))
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda path, _body: Reply(404 if path == "/v1/logs" else 200))
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=8_000))
        assert not shipper.drain(5)
        shipper.retain()
        assert shipper.counters.lost == shipper.counters.shortened > 0
        shipper.stop(0)


def test_beyond_twice_the_limit_a_journal_that_is_being_shipped_goes(
    new_script: Any, spool: Path
) -> None:
    """This worker follows it, and its backend is down."""
    for number in range(3):
        script = new_script(first_id=number + 1)
        script.span("x", 0, 1, text="x" * 10_000)
        script.end_process()
    made = process_directories(spool)
    with OtlpReceiver() as receiver:
        receiver.answer_by(lambda _path, _body: Reply(503))
        target = OtlpTarget(endpoint=receiver.endpoint)
        shipper = Shipper(spool, otlp=target, retention=Retention(keep_bytes=12_000))
        assert not shipper.drain(5)
        shipper.retain()
        assert process_directories(spool) == made[1:]
        receiver.answer_by(None)
        assert shipper.drain(5)
        shipper.stop(1)


def test_a_file_that_goes_meanwhile_stops_nothing(spool: Path) -> None:
    """Another worker deletes the journal at this moment: its name is there, the file is not."""
    made = dead(spool, 3)
    for name in ("000002.journal", "shipped.json.new"):
        (made[0] / name).symlink_to("nowhere")
    retain(spool, Retention(keep_bytes=25_000))
    assert process_directories(spool) == made[1:]


def test_two_workers_retain_one_spool(spool: Path) -> None:
    """Each deletes what the other is looking at."""
    dead(spool, 60)
    shippers = [Shipper(spool, retention=Retention(keep_bytes=1)) for _ in range(2)]
    troubles: list[Exception] = []

    def work(shipper: Shipper) -> None:
        try:
            shipper.retain()
        except Exception as trouble:  # noqa: BLE001 - told by the test below
            troubles.append(trouble)

    threads = [threading.Thread(target=work, args=(one,)) for one in shippers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (troubles, list(spool.iterdir())) == ([], [])
    assert sum(one.counters.deleted for one in shippers) == 60


KILLED_WHILE_CREATING = """
import os, signal, sys
from pathlib import Path
from telemetry.journal import JournalWriter

class Dying(type(Path())):
    def rename(self, target):
        os.kill(os.getpid(), signal.SIGKILL)

JournalWriter.create(Dying(sys.argv[1]), role="cli", facts={})
"""


def test_what_a_process_left_that_was_killed_at_its_start_is_removed(spool: Path) -> None:
    """After an hour: until then somebody may still be making it."""
    subprocess.run([sys.executable, "-c", KILLED_WHILE_CREATING, str(spool)], check=False)
    [left] = spool.iterdir()
    assert left.name.startswith(".new-")
    made_s = left.stat().st_mtime
    retain(spool, Retention(), wall_clock=lambda: made_s + 3590)
    assert list(spool.iterdir()) == [left]
    retain(spool, Retention(), wall_clock=lambda: made_s + 3610)
    assert list(spool.iterdir()) == []


def test_what_is_known_is_not_measured_again(spool: Path) -> None:
    """A journal of a process that has ended does not grow."""
    made = dead(spool, 2)
    shipper = Shipper(spool, retention=Retention(keep_bytes=50_000))
    shipper.retain()
    (made[0] / "000002.journal").write_bytes(b"x" * 100_000)
    shipper.retain()
    assert process_directories(spool) == made
