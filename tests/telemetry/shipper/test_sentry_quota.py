"""What Sentry gets of a flood, and what it is told of the rest."""

from pathlib import Path
from typing import Any

import pytest

from telemetry.shipper import Shipper
from telemetry.shipper.sentry import SentryTarget
from telemetry.shipper.sentry_quota import Quota, Turnstile
from telemetry.testing import Reply, SentryReceiver


class Clock:
    """Seconds, as told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands."""
    return Clock()


def pass_through(turnstile: Turnstile, count: int, fingerprint: str = "a") -> list[int]:
    """Pass so many events through; return the numbers of those that went, from 1."""
    gone = []
    for number in range(1, count + 1):
        if turnstile.admits(fingerprint).sends:
            turnstile.went(fingerprint)
            gone.append(number)
    return gone


def test_of_a_flood_each_power_of_two_goes_on(clock: Clock) -> None:
    """5,000 of one kind are 106 events."""
    turnstile = Turnstile(Quota(of_one=100), clock)
    gone = pass_through(turnstile, 5000)
    assert gone[:100] == list(range(1, 101))
    assert gone[100:] == [128, 256, 512, 1024, 2048, 4096]


def test_each_that_goes_says_how_many_were_held_back_before_it(clock: Clock) -> None:
    """Together with those that went they are all there were."""
    turnstile = Turnstile(Quota(of_one=1), clock)
    told = []
    for _ in range(64):
        admission = turnstile.admits("a")
        if admission.sends:
            told.append(admission.held_back)
            turnstile.went("a")
    assert told == [0, 0, 1, 3, 7, 15, 31]


def test_another_kind_is_not_held_back_for_the_first(clock: Clock) -> None:
    """Each has its own count."""
    turnstile = Turnstile(Quota(of_one=2), clock)
    pass_through(turnstile, 50, "a")
    assert pass_through(turnstile, 2, "b") == [1, 2]


def test_beyond_what_goes_in_all_an_event_waits(clock: Clock) -> None:
    """It is not held back: in the next window it goes."""
    turnstile = Turnstile(Quota(of_one=100, in_all=3, window_s=60), clock)
    assert pass_through(turnstile, 5) == [1, 2, 3]
    clock.now += 20
    assert turnstile.admits("a") == (False, 40, 0, False)
    clock.now += 40
    assert pass_through(turnstile, 5) == [1, 2, 3]


def test_a_new_window_tells_what_the_old_one_held_back(clock: Clock) -> None:
    """Nothing that was held back is forgotten."""
    turnstile = Turnstile(Quota(of_one=1, window_s=60), clock)
    pass_through(turnstile, 7)
    clock.now += 61
    assert turnstile.admits("a") == (True, 0.0, 3, False)


def test_asked_twice_about_one_event_it_is_one(clock: Clock) -> None:
    """A server that is away is asked again with the same event."""
    turnstile = Turnstile(Quota(of_one=1), clock)
    for _ in range(10):
        assert turnstile.admits("a").sends


def test_kinds_beyond_number_do_not_fill_the_memory(clock: Clock) -> None:
    """A thousand are remembered."""
    turnstile = Turnstile(Quota(in_all=10**9), clock)
    for number in range(3000):
        pass_through(turnstile, 1, str(number))
    assert len(turnstile._kinds) == 1000


def flood(script: Any, spool: Path, count: int, quota: Quota, *replies: Reply) -> Any:
    """Journal so many errors of one kind, ship them; return the shipper and what arrived."""
    script.task("t1")
    for number in range(count):
        script.error(event_id=f"{number:032x}")
    with SentryReceiver() as receiver:
        receiver.answer_next(*replies)
        shipper = Shipper(
            spool, sentry=SentryTarget(dsn=receiver.dsn, quota=quota), interval_s=0.01
        )
        shipper.drain(10)
        shipper.drain(10)
        shipper.stop(1)
        return shipper, receiver.events


def test_sentry_is_told_how_many_were_not_sent(script: Any, spool: Path) -> None:
    """In a tag that can be searched for, and in words."""
    shipper, events = flood(script, spool, 16, Quota(of_one=3))
    told = [event["tags"].get("held_back") for event in events]
    assert told == [None, None, None, None, "3", "7"]
    assert events[-1]["contexts"]["held back"] == {
        "failures like this one, not sent since the last": 7
    }
    assert (shipper.counters.exported, shipper.counters.held_back) == (6, 10)
    assert shipper.counters.behind == 0


def test_what_was_refused_for_the_moment_is_sent_again(script: Any, spool: Path) -> None:
    """A server's own quota costs nothing of ours."""
    shipper, events = flood(script, spool, 3, Quota(of_one=1), Reply(status=429))
    assert [event["event_id"] for event in events] == [f"{n:032x}" for n in (0, 1)]
    assert (shipper.counters.exported, shipper.counters.held_back) == (2, 1)


def test_it_is_said_once_that_a_failure_is_held_back(
    script: Any, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its line and its fingerprint."""
    flood(script, spool, 40, Quota(of_one=17))
    (said,) = [line for line in caplog.messages if "Sentry gets few" in line]
    assert "ffffffffffffffff" in said
