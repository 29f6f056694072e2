"""What backends in trouble cost: the tasks of a worker, and its end."""

import statistics
import time

import pytest

from tests.acceptance.backends import TROUBLES, Rule, backends, work
from tests.acceptance.home import Home, a_quick_task

_Kind = tuple[str, Rule | None]

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]


def test_what_troubles_cost_tasks(home: Home) -> None:
    """Print how long tasks take with backends that are well and with ones in trouble, in turns."""
    rounds = 10
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
    base = statistics.median(took["well"])
    print()
    for kind, seconds in took.items():
        median = statistics.median(seconds)
        print(f"{kind}: median {median:.3f} s a task, ratio {median / base:.2f}")


@pytest.mark.parametrize("kind", ["none", "well", "slow", "down"])
def test_how_long_an_end_takes(home: Home, kind: str) -> None:
    """Print the time from SIGTERM to the end of an idle worker with telemetry still to be sent."""
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


def _rotated(rules: list[_Kind], by: int) -> list[_Kind]:
    by %= len(rules)
    return rules[by:] + rules[:by]
