"""Several requests at once: each is made, and what the first of them raises is raised."""

import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from worker.output.at_once import at_once


def test_answers_are_in_order_and_asked_at_once() -> None:
    """Each waits for the others: one after the other, none would be answered."""
    together = threading.Barrier(3)

    def ask(number: int) -> int:
        together.wait(60)
        return number * number

    assert at_once(ask, [3, 1, 2]) == [9, 1, 4]


def test_no_more_than_a_few_are_under_way() -> None:
    """A storage is not overrun by an attempt of many files."""
    lock, under_way, most = threading.Lock(), [0], [0]

    def ask(_number: int) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        with lock:
            under_way[0] -= 1

    at_once(ask, range(50))
    assert 1 <= most[0] <= 4


def test_all_are_over_when_one_has_failed() -> None:
    """Whoever cleans up afterwards meets none that is still under way."""
    done: list[int] = []

    def ask(number: int) -> None:
        if number == 1:
            raise LookupError("the second")
        done.append(number)

    with pytest.raises(LookupError, match="the second"):
        at_once(ask, [0, 1, 2, 3])
    assert sorted(done) == [0, 2, 3]


def test_they_belong_to_the_span_that_is_current() -> None:
    """What is logged in another thread is the task's all the same."""
    provider = TracerProvider()
    with provider.get_tracer("test").start_as_current_span("settle") as span:
        seen = at_once(lambda _: trace.get_current_span(), [1, 2])
    assert seen == [span, span]
