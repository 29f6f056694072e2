"""Servers that are stopped and killed: where they are when they are back, and what they have."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sentry_sdk

from tests.servers.base import answers
from tests.servers.bugsink.server import Bugsink
from tests.servers.cache import Unavailable
from tests.servers.jaeger.server import Jaeger
from tests.servers.s3 import S3Server

ARRIVAL_S = 60


def arrived(found: Callable[[], Any]) -> None:
    """Wait until something is found."""
    deadline = time.monotonic() + ARRIVAL_S
    while not found():
        assert time.monotonic() < deadline, "it does not arrive"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run the server that starts soonest of those that are always to be had."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_server_that_has_ended_is_back_where_it_was(s3: S3Server, ending: str) -> None:
    """Meanwhile nobody answers there; then another process does."""
    before = s3.pid
    getattr(s3, ending)()
    assert not s3.is_ready()
    s3.start()
    assert s3.is_ready()
    assert s3.pid != before


def send_span(jaeger: Jaeger, trace_id: str) -> None:
    """Send a trace of one span, and wait until it is there."""
    now = str(time.time_ns())
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "stage load",
        "kind": 1,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
    }
    sent = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    request = urllib.request.Request(  # noqa: S310 - a server of this test
        f"{jaeger.otlp_endpoint}/v1/traces", sent, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - as above
        pass
    arrived(lambda: has_trace(jaeger, trace_id))


def has_trace(jaeger: Jaeger, trace_id: str) -> bool:
    """Whether it can be asked for."""
    return answers(f"{jaeger.query_url}/api/v3/traces/{trace_id}")


@pytest.mark.timeout(1800)  # it is built first, where no cache has it
@pytest.mark.parametrize("persistent", [True, False])
def test_a_jaeger_keeps_traces_if_it_is_told_to(tmp_path: Path, *, persistent: bool) -> None:
    """Over a kill, in its folder; and takes more where it took them."""
    before, after = uuid4().hex, uuid4().hex
    try:
        made = Jaeger(tmp_path / "jaeger", persistent=persistent)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with made as jaeger:
        send_span(jaeger, before)
        jaeger.kill()
        jaeger.start()
        assert has_trace(jaeger, before) == persistent
        send_span(jaeger, after)


def test_a_bugsink_keeps_its_issues(tmp_path: Path) -> None:
    """Over a kill and a stop; and takes more by the DSN that it had."""
    try:
        made = Bugsink(tmp_path / "site")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with made as bugsink:
        send_event(bugsink, "one thing")
        arrived(lambda: len(bugsink.issues()) == 1)
        bugsink.kill()
        bugsink.start()
        send_event(bugsink, "another thing")
        arrived(lambda: len(bugsink.issues()) == 2)
        bugsink.restart()
        assert len(bugsink.issues()) == 2


def send_event(bugsink: Bugsink, message: str) -> None:
    """Send what makes an issue of its own."""
    client = sentry_sdk.Client(bugsink.dsn, default_integrations=False)
    client.capture_event({"message": message, "level": "error"})
    client.close(timeout=ARRIVAL_S)
