"""Shippers to real receivers, for every test of what they do."""

from pathlib import Path
from typing import Any

from telemetry.shipper import OtlpTarget, Shipper
from telemetry.testing import OtlpReceiver


def shipper(spool: Path, receiver: OtlpReceiver, **options: Any) -> Shipper:
    """Make a shipper to a receiver; `timeout_s` and `headers` are its target's."""
    facts = {name: options.pop(name) for name in ("timeout_s", "headers") if name in options}
    target = OtlpTarget(endpoint=receiver.endpoint, **facts)
    return Shipper(spool, otlp=target, interval_s=0.01, **options)


def ship(spool: Path, receiver: OtlpReceiver) -> Shipper:
    """Ship all that is there with a shipper that is made and stopped for it."""
    one = shipper(spool, receiver)
    assert one.drain(20)
    one.stop(5)
    return one


def spans_of(script: Any, count: int) -> list[str]:
    """Write ended spans; return their names."""
    made = [f"span {number}" for number in range(count)]
    for name in made:
        script.span(name, 0, 1)
    return made
