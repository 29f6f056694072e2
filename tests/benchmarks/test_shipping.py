"""What it takes to fold a journal into spans, and to ship them."""

import time
from pathlib import Path

import pytest

from telemetry import records
from telemetry.journal import JournalReader, JournalWriter
from telemetry.records import Kind
from telemetry.shipper import OtlpTarget, Shipper
from telemetry.spans import Folder
from telemetry.testing import OtlpReceiver
from tests.benchmarks.conftest import Bench

ATTRIBUTES = {"a": 1, "b": "two", "c": 3.0, "d": "four", "e": True}

pytestmark = pytest.mark.benchmark("A3")


def journal(spool: Path, spans: int) -> Path:
    """Write a journal of spans with five attributes each."""
    writer = JournalWriter.create(spool, role="task", facts={})
    for number in range(1, spans + 1):
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


def test_folding(bench: Bench, tmp_path: Path) -> None:
    """Records become spans."""
    spans, took = bench.pick(10_000, 1_000), []
    directory = journal(tmp_path, spans)
    for _ in range(bench.pick(9, 2)):
        folder, began = Folder(), time.perf_counter()
        count = sum(len(folder.feed(record)) for record in JournalReader(directory).read())
        took.append((time.perf_counter() - began) * 1e6 / spans)
        assert count == spans
    bench.add("a span, from the journal to a report", "µs", took)


def test_shipping(bench: Bench, tmp_path: Path) -> None:
    """Journal to acknowledged, the receiver's decoding in the same process included."""
    spans = bench.pick(10_000, 1_000)
    took, used = [], []
    for turn in range(bench.pick(9, 2)):
        journal(tmp_path / str(turn), spans)
        with OtlpReceiver() as receiver:
            shipper = Shipper(tmp_path / str(turn), otlp=OtlpTarget(endpoint=receiver.endpoint))
            began, busy = time.perf_counter(), time.thread_time()
            assert shipper.drain(120)
            took.append((time.perf_counter() - began) * 1e6 / spans)
            used.append((time.thread_time() - busy) * 1e6 / spans)
            shipper.stop(1)
        assert len(receiver.spans) == spans
    bench.add("a span, from the journal to acknowledged", "µs", took)
    bench.add("a span shipped, the shipper's own processor time", "µs", used)
