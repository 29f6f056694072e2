"""The one way in which anything is sent twice: a death between an answer and its note."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from telemetry.testing import OtlpReceiver, Reply, SentryReceiver

from .conftest import ship, spans_of

SHIP = """
import sys
from pathlib import Path
from telemetry.shipper import OtlpTarget, SentryTarget, Shipper
spool, endpoint, dsn = sys.argv[1:]
otlp = OtlpTarget(endpoint=endpoint) if endpoint else None
Shipper(Path(spool), otlp=otlp, sentry=SentryTarget(dsn=dsn) if dsn else None).drain(60)
"""
BATCH = 512


def killed_while_shipping(spool: Path, receiver: Any, at: int) -> None:
    """Ship in a process that is killed when its request number `at` has been accepted."""
    address = [receiver.endpoint, ""] if isinstance(receiver, OtlpReceiver) else ["", receiver.dsn]
    process = subprocess.Popen([sys.executable, "-c", SHIP, str(spool), *address])

    def kill(_path: str, _body: bytes) -> Reply:
        if len(receiver.requests) == at:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        return Reply()

    receiver.answer_by(kill)
    assert process.wait(60) == -signal.SIGKILL
    receiver.answer_by(None)


def test_only_the_batch_that_was_not_noted_comes_twice(script: Any, spool: Path) -> None:
    """With the same ids, and the same in every byte; those before it and after it come once."""
    made = spans_of(script, 3 * BATCH)
    with OtlpReceiver() as receiver:
        killed_while_shipping(spool, receiver, at=2)
        receiver.wait_for(lambda: len(receiver.spans) >= 2 * BATCH)  # decoded after the kill
        assert receiver.names == made[: 2 * BATCH]
        ship(spool, receiver)
        spans = [received.span for received in receiver.spans]
    counts = Counter(span.span_id for span in spans)
    assert [counts[span.span_id] for span in spans[: 2 * BATCH]] == [1] * BATCH + [2] * BATCH
    assert receiver.names == [*made[: 2 * BATCH], *made[BATCH:]]
    again = [span.SerializeToString() for span in spans[2 * BATCH : 3 * BATCH]]
    assert again == [span.SerializeToString() for span in spans[BATCH : 2 * BATCH]]


def test_an_error_that_was_not_noted_comes_twice_under_one_id(script: Any, spool: Path) -> None:
    """Sentry drops the second of two events with one id."""
    for number in range(3):
        script.error(event_id=f"{number:032x}")
    with SentryReceiver() as receiver:
        killed_while_shipping(spool, receiver, at=2)
        again = subprocess.run(
            [sys.executable, "-c", SHIP, str(spool), "", receiver.dsn], timeout=60, check=False
        )
    assert again.returncode == 0
    assert [int(event["event_id"], 16) for event in receiver.events] == [0, 1, 1, 2]
