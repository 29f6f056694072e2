"""What becomes of telemetry that a backend, or this machine, does not take."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.shipper import Shipper
from telemetry.shipper.follower import read_shipped
from telemetry.shipper.sentry import SentryTarget
from telemetry.testing import OtlpReceiver, Reply, SentryReceiver

from .conftest import ship, shipper, spans_of

MISPLACED = [301, 302, 307, 308, 401, 403, 404, 405, 407, 410, 415]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver that listens."""
    with OtlpReceiver() as one:
        yield one


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_not_now_keeps_what_was_sent(
    script: Any, spool: Path, receiver: OtlpReceiver, status: int
) -> None:
    """The backend has not got it; it is sent again."""
    assert_kept(script, spool, receiver, status)


@pytest.mark.parametrize("status", MISPLACED)
def test_not_here_keeps_what_was_sent(
    script: Any, spool: Path, receiver: OtlpReceiver, status: int
) -> None:
    """A wrong header or address says nothing about what was sent; somebody will mend it."""
    assert_kept(script, spool, receiver, status)


def assert_kept(script: Any, spool: Path, receiver: OtlpReceiver, status: int) -> None:
    """Answer so once; what was refused arrives with the next request."""
    script.span("x", 0, 1)
    receiver.answer_next(Reply(status, {"Location": f"{receiver.endpoint}/elsewhere"}))
    one = shipper(spool, receiver)
    assert not one.drain(5)
    assert one.drain(5)
    one.stop(1)
    assert receiver.names == ["x"]
    assert (one.counters.refused, one.counters.failures) == (0, 1)


def test_a_wrong_header_is_said_once(
    script: Any, spool: Path, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """With the answer, for as long as it stays the same."""
    script.span("x", 0, 1)
    receiver.answer_by(lambda _path, _body: Reply(401, body=b"no such token"))
    with caplog.at_level(logging.WARNING, "telemetry.shipper"):
        one = shipper(spool, receiver)
        for _ in range(3):
            assert not one.drain(5)
        one.stop(0)
    [said] = [record.message for record in caplog.records]
    assert said.startswith("traces cannot be shipped now and are kept: HTTP 401 no such token")
    assert one.counters.failures >= 3


def test_another_answer_of_a_backend_that_is_down_is_said(
    script: Any, spool: Path, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """It came up, and now refuses the header: that is news."""
    script.span("x", 0, 1)
    receiver.answer_next(Reply(503), Reply(401))
    with caplog.at_level(logging.WARNING, "telemetry.shipper"):
        one = shipper(spool, receiver)
        assert not one.drain(5)
        assert not one.drain(5)
        one.stop(0)
    assert ["503" in r.message or "401" in r.message for r in caplog.records] == [True, True]


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_is_counted_said_once_and_passed_over(
    script: Any,
    spool: Path,
    receiver: OtlpReceiver,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    """What a backend will never take must not stop what it takes."""
    script.span("one", 0, 1)
    with caplog.at_level(logging.WARNING, "telemetry.shipper"):
        receiver.answer_next(Reply(status, body=b"bad span"), Reply(status, body=b"bad span"))
        one = shipper(spool, receiver)
        for name in ("two", "three"):
            assert one.drain(20)
            script.span(name, 0, 1)
        assert one.drain(20)
        one.stop(1)
    assert receiver.names == ["three"]
    assert (one.counters.refused, one.counters.exported) == (2, 1)
    assert [r.message for r in caplog.records] == [
        f"traces are refused and passed over: HTTP {status} bad span"
    ]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("bad", [(), (0,), (57,), (99,), (10, 11, 80)])
def test_a_bad_item_takes_no_good_one_with_it(
    script: Any, spool: Path, receiver: OtlpReceiver, status: int, bad: tuple[int, ...]
) -> None:
    """The batch is halved until the bad one is alone, and what is good arrives once."""
    made = ["bad" if number in bad else f"good {number}" for number in range(100)]
    for name in made:
        script.span(name, 0, 1)
    receiver.answer_by(lambda _path, body: Reply(status if b"bad" in body else 200))
    one = ship(spool, receiver)
    assert receiver.names == [name for name in made if name != "bad"]
    assert (one.counters.exported, one.counters.refused) == (100 - len(bad), len(bad))
    assert len(receiver.requests) <= 1 + 20 * len(bad)


def test_a_backend_that_refuses_everything_gets_what_was_kept_once_it_is_mended(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """A batch is halved once, then it is one after another, then a few in a minute."""
    made = spans_of(script, 100)
    receiver.answer_by(lambda _path, _body: Reply(400))
    one = shipper(spool, receiver)
    assert not one.drain(5)
    one.stop(0)
    refused = one.counters.refused
    assert 8 < refused < 20
    assert len(receiver.requests) <= refused + 6
    receiver.answer_by(None)
    ship(spool, receiver)
    assert receiver.names == made[refused:]


def test_a_header_that_cannot_be_encoded_keeps_everything(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """It is our own fault, and no item's."""
    made = spans_of(script, 3)
    wrong = shipper(spool, receiver, headers={"authorization": "Bearer \u2026"})
    assert not wrong.drain(5)
    wrong.stop(0)
    assert (wrong.counters.refused, wrong.counters.failures) == (0, 1)
    ship(spool, receiver)
    assert receiver.names == made


def test_a_module_that_is_missing_keeps_everything(
    script: Any, spool: Path, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation can be mended."""
    made = spans_of(script, 3)
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "telemetry.otlp_encoding", None)
        patch.delattr("telemetry.otlp_encoding", raising=False)
        one = shipper(spool, receiver)
        assert not one.drain(5)
        one.stop(0)
    assert (one.counters.refused, one.counters.failures) == (0, 1)
    ship(spool, receiver)
    assert receiver.names == made


def test_an_item_that_cannot_be_encoded_is_the_only_one_dropped(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """OpenTelemetry has no span of kind 99."""
    script.span("before", 0, 1)
    script.span("strange", 0, 1, kind=99)
    script.span("after", 0, 1)
    one = ship(spool, receiver)
    assert receiver.names == ["before", "after"]
    assert (one.counters.exported, one.counters.refused) == (2, 1)


def test_a_sentry_address_that_is_none_keeps_the_errors(script: Any, spool: Path) -> None:
    """Until somebody corrects it."""
    script.error()
    wrong = Shipper(spool, sentry=SentryTarget(dsn="http://nothing"))
    assert not wrong.drain(5)
    wrong.stop(0)
    assert (wrong.counters.refused, wrong.counters.failures) == (0, 1)
    with SentryReceiver() as sentry:
        right = Shipper(spool, sentry=SentryTarget(dsn=sentry.dsn))
        assert right.drain(20)
        right.stop(1)
        assert len(sentry.events) == 1


def test_logs_without_an_address_leave_the_spans_alone(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """Jaeger has no /v1/logs: they wait, and the traces go."""
    script.begin("x")
    script.log("hello")
    script.end(1)
    receiver.answer_by(lambda path, _body: Reply(404 if path == "/v1/logs" else 200))
    one = shipper(spool, receiver)
    assert not one.drain(5)
    assert receiver.names == ["x"]
    assert (one.counters.exported, one.counters.refused, one.counters.behind) == (1, 0, 1)
    receiver.answer_by(None)
    assert one.drain(5)
    assert [log.record.body.string_value for log in receiver.logs] == ["hello"]
    one.stop(1)


def test_traces_that_are_with_the_backend_are_settled_though_logs_wait(
    script: Any, spool: Path, receiver: OtlpReceiver
) -> None:
    """A restart does not fold them again."""
    script.begin("x")
    script.log("hello")
    script.end(1)
    script.end_process()
    receiver.answer_by(lambda path, _body: Reply(404 if path == "/v1/logs" else 200))
    one = shipper(spool, receiver)
    assert not one.drain(5)
    one.stop(0)
    assert set(read_shipped(script.directory).settled) == {"traces"}
    receiver.answer_by(None)
    again = ship(spool, receiver)
    assert (receiver.names, len(receiver.logs), again.counters.exported) == (["x"], 1, 1)
