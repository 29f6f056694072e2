"""What backends in trouble cost: the tasks of a worker, and its end."""

import time

import pytest

from tests.acceptance.backends import TROUBLES, Rule, backends, work
from tests.acceptance.home import Home, a_quick_task
from tests.benchmarks.conftest import Bench

_Kind = tuple[str, Rule | None]

pytestmark = [pytest.mark.benchmark("A1"), pytest.mark.timeout(1800)]


def test_what_troubles_cost_tasks(bench: Bench, home: Home) -> None:
    """How long tasks take with backends in trouble, and with ones that are well, in turns."""
    rounds = bench.pick(12, 2)
    rules: dict[str, Rule | None] = {"well": None, **TROUBLES}
    took: dict[str, list[float]] = {kind: [] for kind in rules}
    with backends(home) as (otlp, sentry):
        worker = home.worker(until_idle=False)
        work(home, worker)  # loads the model
        for turn in range(rounds):
            # Each kind comes first, and last, as often as the others.
            for kind, rule in _rotated(list(rules.items()), turn):
                otlp.answer_by(rule)
                sentry.answer_by(rule)
                (task_id,) = home.enqueue(a_quick_task())
                took[kind].append(worker.wait_for("settled", task_id=str(task_id))["seconds"])
        assert worker.end() == 0
    for kind in TROUBLES:
        bench.add(
            f"a small task, telemetry's backends {kind}",
            "s",
            took[kind],
            took["well"],
            beside="the same with backends that are well",
        )


@pytest.mark.parametrize("kind", ["none", "well", "slow", "down"])
def test_how_long_an_end_takes(bench: Bench, home: Home, kind: str) -> None:
    """From SIGTERM to the end of an idle worker with telemetry still to be sent."""
    with backends(home) as (otlp, sentry):
        otlp.answer_by(TROUBLES.get(kind))
        sentry.answer_by(TROUBLES.get(kind))
        if kind == "none":
            del home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"], home.environment["SENTRY_DSN"]
        if kind == "down":
            home.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
            home.environment["SENTRY_DSN"] = "http://public@127.0.0.1:9/1"
        took = [_seconds_to_end(home) for _ in range(bench.pick(3, 1))]
    bench.add("SIGTERM to the end of a worker", "s", took, size=f"backends {kind}")


def _seconds_to_end(home: Home) -> float:
    worker = home.worker(until_idle=False)
    work(home, worker)
    began = time.monotonic()
    assert worker.end() == 0
    return time.monotonic() - began


def _rotated(rules: list[_Kind], by: int) -> list[_Kind]:
    by %= len(rules)
    return rules[by:] + rules[:by]
