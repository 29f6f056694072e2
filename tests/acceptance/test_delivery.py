"""Backends that are down, slow, busy or rude cost tasks nothing and telemetry nothing."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event
from uuid import UUID

import pytest

from telemetry.testing import OtlpReceiver, Receiver, Reply, SentryReceiver
from tests.acceptance.home import Home, Worker, a_quick_task, wait_for
from worker.task import TaskStatus

Rule = Callable[[str, bytes], Reply]
NEVER = Event()
TROUBLES: dict[str, Rule] = {
    "slow": lambda _path, _body: Reply(hold=NEVER, hold_s=2.0),
    "busy": lambda _path, _body: Reply(429, {"Retry-After": "1"}),
    "too large": lambda _path, body: Reply(413 if len(body) > 6000 else 200),
    "broken": lambda _path, _body: Reply(500),
    "reset": lambda _path, _body: Reply(reset=True),
}


@contextmanager
def backends(home: Home, *ports: int) -> Iterator[tuple[OtlpReceiver, SentryReceiver]]:
    """Run both, and have workers send to them."""
    with OtlpReceiver(*ports[:1]) as otlp, SentryReceiver(*ports[1:]) as sentry:
        home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp.endpoint
        home.environment["SENTRY_DSN"] = sentry.dsn
        yield otlp, sentry


def work(home: Home, worker: Worker) -> UUID:
    """Have a task done and another one failed; return the latter's id."""
    (good,) = home.enqueue(a_quick_task())
    bad = home.insert(seed="some")
    for task_id in (good, bad):
        worker.wait_for("settled", task_id=str(task_id))
    assert home.task(good).status is TaskStatus.COMPLETE
    return bad


def assert_all_arrived(home: Home, bad: list[UUID], *receivers: Receiver) -> None:
    """See that each span that was begun, and each failed task's event, came exactly once."""
    spans = [span for one in receivers if isinstance(one, OtlpReceiver) for span in one.spans]
    events = [event for one in receivers if isinstance(one, SentryReceiver) for event in one.events]
    assert Counter(received.span.span_id.hex() for received in spans) == home.begun()
    wanted = [(home.task(task_id).error or {})["event_id"] for task_id in bad]
    assert Counter(event["event_id"] for event in events) == Counter(wanted)


def test_whatever_the_backends_answer_all_arrives_once(home: Home) -> None:
    """One after another, for as long as two tasks take; what is left comes with the next start."""
    home.run("tasks")
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
    home.run("tasks")
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
    home.run("tasks")
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


@pytest.mark.benchmark
def test_what_troubles_cost_tasks(home: Home) -> None:
    """Print how long tasks take with backends that are well and with ones in trouble, in turns."""
    rounds = 8
    home.run("tasks")
    rules: dict[str, Rule | None] = {"well": None, **TROUBLES}
    took: dict[str, list[float]] = {kind: [] for kind in rules}
    with backends(home) as (otlp, sentry):
        worker = home.worker(until_idle=False)
        work(home, worker)  # loads the model
        for _ in range(rounds):
            for kind, rule in rules.items():
                otlp.answer_by(rule)
                sentry.answer_by(rule)
                (task_id,) = home.enqueue(a_quick_task())
                took[kind].append(worker.wait_for("settled", task_id=str(task_id))["seconds"])
        assert worker.end() == 0
    base = statistics.median(took["well"])
    print()
    for kind, seconds in took.items():
        median = statistics.median(seconds)
        print(f"{kind}: median {median:.3f} s a task, ratio {median / base:.2f}")


@pytest.mark.benchmark
@pytest.mark.parametrize("kind", ["none", "well", "slow", "down"])
def test_how_long_an_end_takes(home: Home, kind: str) -> None:
    """Print the time from SIGTERM to the end of an idle worker with telemetry still to be sent."""
    home.run("tasks")
    with backends(home) as (otlp, sentry):
        otlp.answer_by(TROUBLES.get(kind))
        sentry.answer_by(TROUBLES.get(kind))
        if kind == "none":
            del home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"], home.environment["SENTRY_DSN"]
        if kind == "down":
            home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
            home.environment["SENTRY_DSN"] = "http://public@127.0.0.1:9/1"
        worker = home.worker(until_idle=False)
        work(home, worker)
        began = time.monotonic()
        assert worker.end() == 0
        print(f"\n{kind}: ended in {time.monotonic() - began:.2f} s")
