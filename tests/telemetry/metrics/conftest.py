"""Meters that send to a real receiver."""

from collections.abc import Callable, Iterator

import pytest

from telemetry.journal import ProcessFacts
from telemetry.metrics import Meters
from telemetry.shipper import OtlpTarget
from telemetry.testing import OtlpReceiver

FACTS = ProcessFacts(id="sup-1", role="supervisor", pid=26, started_ns=0, host="gpu", version="9.9")


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A backend."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def new_meters(receiver: OtlpReceiver) -> Iterator[Callable[..., Meters]]:
    """Return what makes meters that have started, for a backend or this test's own."""
    made: list[Meters] = []

    def make(endpoint: str = "", every_s: float = 0.05) -> Meters:
        target = OtlpTarget(endpoint=endpoint or receiver.endpoint, headers={"x-key": "k"})
        meters = Meters(target, every_s=every_s)
        made.append(meters)
        meters.start(FACTS)
        return meters

    yield make
    for meters in made:
        meters.stop(5)


@pytest.fixture
def meters(new_meters: Callable[..., Meters]) -> Meters:
    """Meters that have started, and export at their end alone."""
    return new_meters(every_s=3600)
