"""What is measured reaches a real receiver, and what goes wrong with it reaches nobody."""

import logging
import socket
from collections.abc import Callable
from threading import Event

import pytest

from telemetry import names
from telemetry.metrics import CATALOG, Meters, Observed
from telemetry.metrics.meters import MOST_SETS, Measured
from telemetry.testing import OtlpReceiver, Reply, wait_until

from .received import PATH, exports, last, values

ATTEMPT = Measured(names.TASK_ATTEMPTS, 1, {names.TASK_TYPE: "t2v", names.TASK_STATUS: "Complete"})
STAGE = {names.TASK_TYPE: "t2v", names.STAGE_NAME: "generate"}
TRACE, SPAN = b"t" * 16, b"s" * 8


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what our own metrics have logged."""
    return [one.getMessage() for one in caplog.records if one.name.startswith("telemetry.metrics")]


def nobody() -> str:
    """Return an endpoint at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def test_counts_arrive_with_their_unit_their_attributes_and_the_resource(
    meters: Meters, receiver: OtlpReceiver
) -> None:
    """A total since the start, of this process, with the headers of spans."""
    meters.take([ATTEMPT, ATTEMPT])
    meters.stop(20)
    (point,) = last(receiver)
    assert (point.name, point.value, point.unit) == (names.TASK_ATTEMPTS, 2, "{attempt}")
    assert (point.kind, point.attributes) == ("counter", ATTEMPT.attributes)
    assert point.resource["service.name"] == "loop26"
    assert point.resource["service.instance.id"] == "sup-1"


def test_a_duration_is_in_its_bucket_with_the_trace_that_it_is_of(
    meters: Meters, receiver: OtlpReceiver
) -> None:
    """The buckets are the catalog's; the exemplar leads to the span."""
    meters.take([Measured(names.STAGE_DURATION, 700.0, STAGE, TRACE, SPAN)])
    meters.stop(20)
    (point,) = last(receiver)
    assert (point.count, point.value, point.traces) == (1, 700.0, (TRACE,))
    assert point.bounds == CATALOG[names.STAGE_DURATION].buckets


def test_what_is_observed_is_looked_at_for_each_export(
    new_meters: Callable[..., Meters], receiver: OtlpReceiver
) -> None:
    """With its newest value."""
    meters = new_meters()
    sizes = iter(range(1, 1000))
    meters.observe({names.TELEMETRY_SPOOL_SIZE: lambda: [Observed(next(sizes))]})
    receiver.wait_for(lambda: len(exports(receiver)) >= 2)
    first, second = exports(receiver)[:2]
    assert first[0].value < second[0].value


def test_too_many_sets_of_attributes_are_counted_together(
    meters: Meters, receiver: OtlpReceiver
) -> None:
    """Whatever names tasks bring, a backend does not drown, and the sum stays right."""
    meters.take([Measured(names.TASK_ATTEMPTS, 1, {names.TASK_TYPE: f"t{n}"}) for n in range(2000)])
    meters.stop(20)
    points = last(receiver)
    assert len(points) <= MOST_SETS + 1
    assert sum(point.value for point in points) == 2000
    assert any(point.attributes.get("otel.metric.overflow") for point in points)


def test_a_look_that_fails_is_said_once_and_keeps_no_other_back(
    new_meters: Callable[..., Meters], receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is looked at."""
    meters = new_meters()

    def broken() -> list[Observed]:
        raise LookupError("gone")

    meters.observe({names.GPU_POWER: broken, names.TELEMETRY_SPOOL_SIZE: lambda: [Observed(26)]})
    receiver.wait_for(lambda: len(exports(receiver)) >= 3)
    assert values(last(receiver), names.TELEMETRY_SPOOL_SIZE) == {(): 26}
    assert said(caplog) == [f"{names.GPU_POWER} cannot be looked at"]


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO])
def test_an_outage_is_one_line_and_so_is_its_end(
    new_meters: Callable[..., Meters],
    receiver: OtlpReceiver,
    caplog: pytest.LogCaptureFixture,
    level: int,
) -> None:
    """A backend that has no place for metrics is none to worry about: INFO; nothing is lost."""
    caplog.set_level(logging.INFO)
    status = 503 if level == logging.WARNING else 404
    receiver.answer_by(lambda _path, _body: Reply(status))
    meters = new_meters()
    meters.take([ATTEMPT])
    receiver.wait_for(lambda: receiver.requests.count(PATH) >= 4)
    receiver.answer_by(None)
    wait_until(lambda: len(said(caplog)) == 2)
    first, second = said(caplog)
    assert first.startswith(f"metrics cannot be shipped now: HTTP {status}")
    assert second == "metrics are shipped again"
    assert next(one.levelno for one in caplog.records if one.getMessage() == first) == level
    assert values(last(receiver), names.TASK_ATTEMPTS) == {(): 1}


def test_a_backend_that_is_not_there_costs_one_line(
    new_meters: Callable[..., Meters], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the SDK nor urllib3 adds any."""
    meters = new_meters(nobody())
    meters.take([ATTEMPT])
    exporter = meters._exporter
    assert exporter is not None
    wait_until(lambda: exporter.failures >= 3)
    meters.stop(20)
    assert len(caplog.records) == len(said(caplog)) == 1


def test_a_failure_at_the_end_is_no_warning(
    new_meters: Callable[..., Meters], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing keeps the log any more, and Python would print it."""
    caplog.set_level(logging.INFO)
    meters = new_meters(nobody(), every_s=3600)
    meters.take([ATTEMPT])
    meters.stop(20)
    assert [one.levelno for one in caplog.records] == [logging.INFO]


def test_the_end_does_not_wait_for_a_backend_that_does_not_answer(
    new_meters: Callable[..., Meters], receiver: OtlpReceiver
) -> None:
    """It is over while the backend still holds the request."""
    released = Event()
    receiver.answer_by(lambda _path, _body: Reply(hold=released, hold_s=120))
    meters = new_meters()
    meters.take([ATTEMPT])
    receiver.wait_for(lambda: PATH in receiver.requests)
    meters.stop(0.2)
    answered = receiver.requests.count(PATH) > 1
    released.set()
    assert not answered


def test_what_comes_after_the_end_is_dropped(meters: Meters, receiver: OtlpReceiver) -> None:
    """As is what comes before the beginning: no thread of the shipper fails over it."""
    meters.stop(20)
    meters.take([ATTEMPT])
    meters.stop(20)
    assert all(not points for points in exports(receiver))
