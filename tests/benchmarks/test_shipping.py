"""How fast journals are folded and shipped."""

import time
from pathlib import Path

import pytest

from telemetry import records
from telemetry.journal import JournalReader, JournalWriter
from telemetry.records import Kind
from telemetry.shipper import OtlpTarget, Shipper
from telemetry.spans import Folder
from telemetry.testing import OtlpReceiver

SPANS = 10_000
ATTRIBUTES = {"a": 1, "b": "two", "c": 3.0, "d": "four", "e": True}

pytestmark = pytest.mark.benchmark


def journal(spool: Path) -> Path:
    """Write a journal of spans with five attributes each."""
    writer = JournalWriter.create(spool, role="task", facts={})
    for number in range(1, SPANS + 1):
        span_id = number.to_bytes(8, "big")
        begin = records.SpanBegin(
            trace_id=b"t" * 16,
            span_id=span_id,
            parent_id=None,
            name="denoise step",
            kind=0,
            start_ns=number,
            attributes=ATTRIBUTES,
        )
        writer.append(Kind.SPAN_BEGIN, begin)
        writer.append(Kind.SPAN_END, records.SpanEnd(span_id=span_id, end_ns=number + 1, status=0))
    writer.close()
    return writer.directory


def test_folding(tmp_path: Path) -> None:
    """Records become spans."""
    directory = journal(tmp_path)
    folder, begun = Folder(), time.perf_counter()
    count = sum(len(folder.feed(record)) for record in JournalReader(directory).read())
    rate = count / (time.perf_counter() - begun)
    print(f"\nfolded: {rate:,.0f} spans/s")
    assert count == SPANS


def test_shipping(tmp_path: Path) -> None:
    """Journal to acknowledged, the receiver's decoding in the same process included."""
    journal(tmp_path)
    with OtlpReceiver() as receiver:
        shipper = Shipper(tmp_path, otlp=OtlpTarget(endpoint=receiver.endpoint))
        begun, busy = time.perf_counter(), time.thread_time()
        assert shipper.drain(120)
        took, used = time.perf_counter() - begun, time.thread_time() - busy
        shipper.stop(1)
    rate, own = SPANS / took, SPANS / used
    print(f"\nshipped: {rate:,.0f} spans/s; {own:,.0f} per second of the shipper's own thread")
    assert len(receiver.spans) == SPANS
