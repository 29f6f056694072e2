"""How long journals are kept."""

from pathlib import Path
from typing import Any

from telemetry.journal import JournalWriter, process_directories
from telemetry.records import Kind, ProcessEnd
from telemetry.shipper import OtlpTarget, Retention, Shipper
from telemetry.shipper import spool as spool_module
from telemetry.testing import OtlpReceiver

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
    """There is no thread that would."""
    dead(spool, 3)
    shipper = Shipper(spool, retention=Retention(keep_bytes=1))
    shipper.start()
    assert process_directories(spool) == []


def test_whether_a_process_has_ended_is_read_from_the_last_file(new_script: Any) -> None:
    """A spool of gigabytes is not read for it."""
    script = new_script(rotate_bytes=100)
    for number in range(5):
        script.span(f"span {number}", 0, 1)
    assert not spool_module.has_ended(script.directory)
    script.end_process()
    assert len(list(script.directory.glob("*.journal"))) > 1
    assert spool_module.has_ended(script.directory)


def test_a_journal_that_another_worker_ships_is_not_deleted(spool: Path) -> None:
    """It is being read."""
    [directory] = dead(spool, 1)
    lock = spool_module.ShippingLock.take(directory)
    assert lock is not None
    assert not spool_module.delete(directory)
    lock.release()
    assert spool_module.delete(directory)
