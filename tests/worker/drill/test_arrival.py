"""What is said of telemetry's arrival is no more than what a backend has said itself."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from telemetry import Recorder
from telemetry.reports.trace import read_trace
from telemetry.testing import OtlpReceiver, Reply, SentryReceiver
from worker.drill.arrival import arrivals
from worker.drill.planted import planted
from worker.drill.running import Drilled
from worker.settings import Settings

from .conftest import ID, Web, drilled_without_a_record, row_error

SHORT_S = 0.5  # for what never comes; what does come is waited for


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Give the settings of a folder."""
    return Settings(home=tmp_path)


@pytest.fixture
def drilled(home: Settings) -> Drilled:
    """Give a drill whose record is one span, one log and one error."""
    recorder = Recorder.open(home.spool_dir, role="task")
    recorder.install()
    trace_id = bytes.fromhex("5a" * 16)
    with (
        recorder.task(
            task_id=str(ID), attempt=1, task_type="t2v", trace_id=trace_id, worker_id="w"
        ),
        recorder.span("stage generate", trace_id=trace_id),
    ):
        logging.getLogger(__name__).warning("a log record")
        try:
            raise LookupError("planted")  # noqa: TRY301 - it is recorded with the line that raised
        except LookupError as exc:
            error = recorder.error(exc)
    recorder.close()
    one = drilled_without_a_record({**row_error(planted("exception")), "event_id": error.event_id})
    return replace(one, case=replace(one.case, model=read_trace(home.spool_dir, str(ID))))


@pytest.fixture
def otlp() -> Iterator[OtlpReceiver]:
    """Run a collector."""
    with OtlpReceiver() as receiver:
        yield receiver


def said(settings: Settings, drilled: Drilled, wait_s: float = 20.0) -> dict[str, tuple[str, bool]]:
    """Return what is found, and whether that is all right, by the check's name."""
    told: list[str] = []
    checks = arrivals(settings, [drilled], wait_s=wait_s, tell=told.append)
    return {check.name: (check.found, check.ok) for check in checks}


def at(settings: Settings, **values: object) -> Settings:
    """Return the settings with others of these."""
    return settings.model_copy(update=values)


def test_without_a_backend_the_journal_is_all_there_is(home: Settings, drilled: Drilled) -> None:
    """Which is said, and is no fault."""
    ((found, ok),) = said(home, drilled).values()
    assert ok
    assert "neither an OTLP endpoint nor a Sentry DSN is set" in found


def test_what_is_acknowledged_is_not_said_to_have_arrived(
    home: Settings, drilled: Drilled, otlp: OtlpReceiver
) -> None:
    """Nobody has asked for it."""
    with SentryReceiver() as sentry:
        settings = at(home, otlp_endpoint=otlp.endpoint, sentry_dsn=SecretStr(sentry.dsn))
        found = said(settings, drilled)
    assert found == {"OTLP": ("acknowledged", True), "Sentry": ("acknowledged", True)}
    assert len(otlp.spans) == 1


def test_an_endpoint_without_a_place_for_logs_is_told(
    home: Settings, drilled: Drilled, otlp: OtlpReceiver
) -> None:
    """As Jaeger, which is no fault of the deployment's."""
    otlp.answer_by(lambda path, _body: Reply(404 if path == "/v1/logs" else 200))
    found = said(at(home, otlp_endpoint=otlp.endpoint), drilled)
    assert found["OTLP"] == ("spans acknowledged; logs are not taken there", True)


@pytest.mark.parametrize("status", [401, 404, 503])
def test_an_endpoint_that_takes_nothing_is_told(
    home: Settings, drilled: Drilled, otlp: OtlpReceiver, status: int
) -> None:
    """After the time that was given."""
    otlp.answer_by(lambda _path, _body: Reply(status))
    found = said(at(home, otlp_endpoint=otlp.endpoint), drilled, SHORT_S)
    assert found["OTLP"] == ("not acknowledged in time", False)


def test_what_is_refused_for_what_it_is_is_told(
    home: Settings, drilled: Drilled, otlp: OtlpReceiver
) -> None:
    """It counts as read by the shipper, and has come nowhere."""
    otlp.answer_by(lambda _path, _body: Reply(400))
    found, ok = said(at(home, otlp_endpoint=otlp.endpoint), drilled)["refused"]
    assert found == "2 refused"
    assert not ok


def test_what_was_refused_while_the_worker_ran_is_told_too(
    home: Settings, drilled: Drilled, otlp: OtlpReceiver
) -> None:
    """Most is shipped then."""
    found = said(at(home, otlp_endpoint=otlp.endpoint), replace(drilled, refused=2))
    assert found["refused"] == ("2 refused", False)


def test_a_jaeger_that_lacks_the_trace_or_is_none_fails_the_drill(
    home: Settings, drilled: Drilled, otlp: OtlpReceiver, web: Web
) -> None:
    """Whatever its endpoint has acknowledged."""
    shipped = at(home, otlp_endpoint=otlp.endpoint)
    assert said(shipped, drilled)["OTLP"] == ("acknowledged", True)
    settings = at(shipped, jaeger_url=web.url)
    path = f"/api/v3/traces/{'5a' * 16}"
    web.answers[path] = (404, {"error": {"httpCode": 404, "message": "trace not found"}})
    assert said(settings, drilled, SHORT_S)["Jaeger"] == ("the trace is not there", False)
    web.answers[path] = (200, b"<html>")
    assert not said(settings, drilled, SHORT_S)["Jaeger"][1]


def test_an_event_that_is_not_there_fails_the_drill(
    home: Settings, drilled: Drilled, web: Web
) -> None:
    """Though its server has acknowledged it; once it is there, it has arrived."""
    with SentryReceiver() as sentry:
        shipped = at(home, sentry_dsn=SecretStr(sentry.dsn))
        assert said(shipped, drilled)["Sentry"] == ("acknowledged", True)
        settings = at(shipped, sentry_url=web.url, sentry_token=SecretStr("t0ken"))
        web.answers["/api/canonical/0/issues/"] = (200, {"results": [{"id": "i"}]})
        web.answers["/api/canonical/0/events/"] = (200, {"results": []})
        assert said(settings, drilled, SHORT_S)["Sentry"] == ("0 arrived", False)
        event = {"event_id": (drilled.task.error or {})["event_id"]}
        web.answers["/api/canonical/0/events/"] = (200, {"results": [event]})
        assert said(settings, drilled)["Sentry"] == ("1 arrived", True)
        web.answers["/api/canonical/0/issues/"] = (403, {})
        found, ok = said(settings, drilled)["Sentry"]
    assert "refuses the token" in found
    assert not ok
