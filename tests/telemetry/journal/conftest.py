"""Journals written by the real writer into the test's folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.journal import JournalWriter
from telemetry.records import Kind, SpanEnd


def append_ends(writer: JournalWriter, count: int) -> None:
    """Write `count` small records that can be told apart by their `end_ns`, counted from 1."""
    for number in range(1, count + 1):
        body = SpanEnd(
            span_id=number.to_bytes(8), end_ns=number, status=2, description="x" * (number % 7)
        )
        writer.append(Kind.SPAN_END, body)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    """Return a writer of small files: about 50 small records each."""
    writer = JournalWriter.create(
        tmp_path / "spool", role="task", facts={"device": "cpu"}, rotate_bytes=2048
    )
    yield writer
    writer.close()
