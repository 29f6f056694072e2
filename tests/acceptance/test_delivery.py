"""Backends that are down, slow, busy or rude cost tasks nothing and telemetry nothing."""

import time
from collections import Counter
from contextlib import ExitStack
from uuid import UUID

import pytest

from telemetry.testing import OtlpReceiver, Receiver, SentryReceiver
from tests.acceptance.backends import NEVER, TROUBLES, assert_arrived_once, backends, work
from tests.acceptance.home import Home, wait_for


def assert_all_arrived(home: Home, bad: list[UUID], *receivers: Receiver) -> None:
    """See that each span that was begun, and each failed task's event, came exactly once."""
    assert_arrived_once(home, *(one for one in receivers if isinstance(one, OtlpReceiver)))
    events = [event for one in receivers if isinstance(one, SentryReceiver) for event in one.events]
    wanted = [(home.task(task_id).error or {})["event_id"] for task_id in bad]
    assert Counter(event["event_id"] for event in events) == Counter(wanted)


def test_whatever_the_backends_answer_all_arrives_once(home: Home) -> None:
    """One after another, for as long as two tasks take; what is left comes with the next start."""
    with backends(home) as (otlp, sentry):
        worker = home.worker(until_idle=False)
        bad = []
        for rule in TROUBLES.values():
            otlp.answer_by(rule)
            sentry.answer_by(rule)
            bad.append(work(home, worker))
        assert worker.end() == 0
        otlp.answer_by(None)
        sentry.answer_by(None)
        home.work_until_idle()
        assert_all_arrived(home, bad, otlp, sentry)


def test_what_is_down_from_the_start_gets_all_at_the_next(home: Home) -> None:
    """Nobody listens; the worker works, and ends; the next one ships what was left, once."""
    with backends(home) as (otlp, sentry):
        ports = otlp.port, sentry.port
    worker = home.worker(until_idle=False)
    bad = work(home, worker)
    assert worker.end() == 0
    with backends(home, *ports) as (otlp, sentry):
        home.work_until_idle()
        assert_all_arrived(home, [bad], otlp, sentry)


@pytest.mark.parametrize(
    "outage_s",
    [2.0, pytest.param(600.0, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])],
)
def test_an_outage_in_between_loses_nothing(home: Home, outage_s: float) -> None:
    """Tasks are done before it, all through it and after it; nobody starts the worker again."""
    bad = []
    with ExitStack() as before, ExitStack() as after:
        otlp, sentry = before.enter_context(backends(home))
        worker = home.worker(until_idle=False)
        bad.append(work(home, worker))
        wait_for(lambda: sentry.events, "event before the outage")
        before.close()
        over = time.monotonic() + outage_s
        while time.monotonic() < over:
            bad.append(work(home, worker))
            NEVER.wait(outage_s / 40)
        otlp2, sentry2 = after.enter_context(backends(home, otlp.port, sentry.port))
        bad.append(work(home, worker))
        wait_for(lambda: len(sentry2.events) == len(bad) - 1, "events after the outage", 100)
        assert worker.end() == 0
        home.work_until_idle()
        assert_all_arrived(home, bad, otlp, otlp2, sentry, sentry2)
