"""The receivers that workers send to, what troubles them, and what must have come there."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from uuid import UUID

from telemetry.testing import OtlpReceiver, Reply, SentryReceiver
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


def assert_arrived_once(home: Home, *receivers: OtlpReceiver) -> None:
    """See that each span that was begun has come, once over all receivers."""
    begun = home.begun()
    wait_for(lambda: sum(len(one.spans) for one in receivers) >= begun.total(), "spans", 20)
    came = Counter(span.span.span_id.hex() for one in receivers for span in one.spans)
    assert came == begun
    assert set(begun.values()) == {1}
