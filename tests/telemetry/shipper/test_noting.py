"""What was acknowledged is noted, as soon as it can be, so that a restart sends nothing twice."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.shipper.follower import SHIPPED
from telemetry.testing import OtlpReceiver, Reply

from .conftest import ship, shipper, spans_of


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver that listens."""
    with OtlpReceiver() as one:
        yield one


def no_second_file(script: Any) -> Path:
    """Leave no room for another file beside the journal, as a full disk does; return what does."""
    in_the_way = Path(script.directory / f"{SHIPPED}.new")
    in_the_way.mkdir()
    return in_the_way


def test_on_a_full_disk_the_note_is_written_over(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """It was made before anything was sent; the disk is as full at the end, and at the restart."""
    one = shipper(spool, receiver)
    assert one.drain(5)
    no_second_file(script)
    made = spans_of(script, 3)
    assert one.drain(5)
    one.stop(1)
    ship(spool, receiver)
    assert receiver.names == made


@pytest.mark.parametrize("then", ["it is killed", "it ends without any time"])
def test_it_is_noted_once_there_is_room_though_nothing_more_is_sent(
    script: Any, spool: Path, receiver: OtlpReceiver, then: str
) -> None:
    """With the next look at the journal, or at the end."""
    in_the_way = no_second_file(script)
    made = spans_of(script, 3)
    one = shipper(spool, receiver)
    assert not one.drain(5)
    in_the_way.rmdir()
    if then == "it is killed":
        assert one.drain(5)
        one._roster.shipments[script.directory.name]._lock.release()  # as the kernel does then
    else:
        one.stop(0)
    ship(spool, receiver)
    assert receiver.names == made


def test_an_answer_that_comes_during_the_end_is_waited_for(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """While there is time."""
    hold = threading.Event()
    made = spans_of(script, 3)
    script.end_process()
    receiver.answer_next(Reply(hold=hold))
    one = shipper(spool, receiver)
    one.start()
    receiver.wait_for(lambda: bool(receiver.requests))
    ended: list[bool] = []
    ending = threading.Thread(target=lambda: ended.append(one.stop(30)))
    ending.start()
    assert one._stopping.wait(20)
    hold.set()
    ending.join()
    ship(spool, receiver)
    assert (ended, receiver.names) == ([True], made)


def test_what_was_sent_and_not_answered_in_time_is_counted(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """The backend has it, and gets it again with the same ids, by which it can tell."""
    hold = threading.Event()
    script.span("x", 0, 1)
    receiver.answer_next(Reply(hold=hold))
    one = shipper(spool, receiver, timeout_s=0.2)
    assert not one.drain(5)
    assert (one.counters.unanswered, one.counters.failures) == (1, 1)
    hold.set()
    receiver.wait_for(lambda: receiver.names == ["x"])
    assert one.drain(5)
    one.stop(1)
    assert receiver.names == ["x", "x"]
    first, second = (received.span.SerializeToString() for received in receiver.spans)
    assert first == second


def test_a_connection_that_breaks_before_the_answer_is_counted(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """The backend may have taken what came over it."""
    script.span("x", 0, 1)
    receiver.answer_next(Reply(reset=True))
    one = shipper(spool, receiver)
    assert not one.drain(5)
    assert one.drain(5)
    one.stop(1)
    assert one.counters.unanswered == 1


def test_what_never_went_out_is_not_counted_as_unanswered(script: Any, spool: Path) -> None:
    """Nobody listens."""
    script.span("x", 0, 1)
    with OtlpReceiver() as receiver:
        pass
    one = shipper(spool, receiver)
    assert not one.drain(5)
    one.stop(0)
    assert (one.counters.unanswered, one.counters.failures) == (0, 1)
