"""How long `loop26 investigate` takes, as a whole process, in a spool of many spans.

Beside it, the same command reads the same trace from a real Jaeger that was sent all of the spool,
and Jaeger alone is asked for the trace by HTTP.
"""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from telemetry import Recorder, names
from telemetry.propagation import trace_id_of
from telemetry.shipper import OtlpTarget, Shipper
from tests.acceptance.home import LOOP26
from tests.benchmarks.conftest import Bench
from worker.settings.configuration import load
from worker.settings.home import prepare_home
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask

if TYPE_CHECKING:
    from tests.servers.jaeger.server import Jaeger

SPANS_OF_A_TASK = 100
TASKS_OF_A_PROCESS = 100
SHIPPED_S = 600
FORMS = {"JSON": ("--json",), "Markdown": ("--markdown",), "a page": ("--html", "report.html")}
WHAT = "investigate, the whole process"

pytestmark = [pytest.mark.benchmark("P5"), pytest.mark.timeout(3600)]


def frames_and_step(model_type: str) -> int:
    """Fail as the engine of the incident did."""
    entry = dict[str, dict[str, int]]().get(model_type)
    return entry.get("frames_minimum", 5)  # type: ignore[union-attr]  # that it is None is the failure


def record(spool: Path, tasks: list[tuple[UUID, bytes]], *, failing: bool) -> None:
    """Record tasks of one process: a loop of as many iterations as there are spans to make."""
    recorder = Recorder.open(spool, role="task", facts={"device": "cpu"})
    for task_id, trace_id in tasks:
        about = {names.TASK_ID: str(task_id), names.TASK_ATTEMPT: 1}
        with (
            recorder.task(
                task_id=str(task_id),
                attempt=1,
                task_type="t2v",
                trace_id=trace_id,
                worker_id="gpu-1",
                params={"model_name": "wan", "prompt": "a lake"},
            ),
            recorder.span(names.process("t2v"), about, trace_id=trace_id) as span,
        ):
            try:
                loop(recorder, failing=failing)
            except AttributeError as exc:
                recorder.error(exc)
            span.set({names.TASK_STATUS: "Failed"})
    recorder.close()


def loop(recorder: Recorder, *, failing: bool) -> None:
    """Go through the iterations; then fail, or not."""
    count = SPANS_OF_A_TASK - 2
    with recorder.stage("parameters"):
        for index in range(1, count + 1):
            begin = {names.PARAM_KEY: f"key_{index}", names.PARAM_OLD: 1.5}
            with recorder.iteration(index, count, begin) as span:
                span.end(attributes={names.PARAM_NEW: 2.5, names.PARAM_SOURCE: "segment"})
        if failing:
            frames_and_step("")


def populate(home: Path, spans: int) -> str:
    """Fill a home with so many spans; return the id of a task that failed among the newest."""
    settings = load({"home": home}).settings
    prepare_home(settings)
    store = LocalStore(settings.queue_path)
    wanted = ""
    left = max(1, spans // SPANS_OF_A_TASK)
    while left:
        count = min(left, TASKS_OF_A_PROCESS)
        left -= count
        tasks = [settle(store, failed=number % 10 == count % 10) for number in range(1, count + 1)]
        record(settings.spool_dir, tasks, failing=True)
        wanted = str(tasks[-1][0])
    store.close()
    return wanted


def settle(store: LocalStore, *, failed: bool) -> tuple[UUID, bytes]:
    """Insert a task, claim and end it; return its id and its trace."""
    params = {"model_name": "wan", "prompt": "a lake"}
    [task_id] = store.insert([NewTask(task_type="t2v", params=params)])
    token, trace_id = uuid4(), os.urandom(16)
    request = ClaimRequest(
        worker_id="gpu-1",
        token=token,
        task_types=["t2v"],
        lease_s=60,
        trace_id=trace_id.hex(),
        span_id="b2" * 8,
    )
    assert store.claim(request) is not None
    if failed:
        failure = Failure(
            kind="exception", type="AttributeError", message="no get", sentence="no get",
            fingerprint="f00d", file="/opt/wgp.py", line=3907, function="minimum",
        )  # fmt: skip
        store.fail(token, failure)
    else:
        store.complete(token, output_location="out.mp4", result={})
    return task_id, trace_id


class Investigation:
    """The command, for one task of a home."""

    def __init__(self, home: Path, task_id: str) -> None:
        self._command = [LOOP26, "--home", str(home), "investigate", task_id]
        self._folder = home.parent
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        # An installation compiles what it imports once; a machine may be told not to.
        self._environment = {**kept, "PYTHONPYCACHEPREFIX": str(self._folder / "bytecode")}

    def seconds(self, *options: str) -> float:
        """Run it; return how long that took."""
        began = time.perf_counter()
        done = subprocess.run(
            [*self._command, *options],
            check=False,
            capture_output=True,
            timeout=120,
            cwd=self._folder,
            env=self._environment,
        )
        took = time.perf_counter() - began
        assert done.returncode == 0, done.stderr
        assert done.stdout or "--html" in options
        return took


def ship(spool: Path, jaeger: "Jaeger") -> None:
    """Have a Jaeger take all that is in a spool."""
    shipper = Shipper(spool, otlp=OtlpTarget(endpoint=jaeger.otlp_endpoint))
    assert shipper.drain(SHIPPED_S)
    shipper.stop(1)


def queried(jaeger: "Jaeger", trace_id: str) -> float:
    """Ask for a trace by HTTP, and read the answer; return the seconds."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{jaeger.query_url}/api/v3/traces/{trace_id}") as answer:  # noqa: S310 - a server of the tests
        assert answer.read().count(b'"spanId"') >= SPANS_OF_A_TASK
    return time.perf_counter() - began


def trace_of(home: Path, task_id: str) -> str:
    """Return the id of a task's trace."""
    with closing(LocalStore(home / "queue.db")) as store:
        return trace_id_of(store.get(UUID(task_id)).process_context).hex()


def sizes(bench: Bench) -> Iterator[int]:
    """Say how many spans there are in the spool, from few to many."""
    yield from bench.pick((1_000, 10_000, 100_000), (1_000, 2_000))


def test_investigate(bench: Bench, tmp_path: Path, jaeger_server: "Jaeger") -> None:
    """In turns; the goal is 1 s at 100,000 spans."""
    turns = bench.pick(9, 2)
    for spans in sizes(bench):
        home = tmp_path / f"home-{spans}"
        task_id = populate(home, spans)
        ship(home / "spool", jaeger_server)
        trace_id = trace_of(home, task_id)
        command = Investigation(home, task_id)
        asked = ("--jaeger", jaeger_server.query_url)
        took = [
            (command.seconds(), command.seconds(*asked), queried(jaeger_server, trace_id))
            for _ in range(turns + 1)
        ]
        ours, by_jaeger, query = zip(*took[1:], strict=True)  # the first turn compiles
        size = f"{spans:,} spans"
        goal = "1 s at 100,000"
        bench.add(WHAT, "s", ours, by_jaeger, size=size, beside="the same of Jaeger", goal=goal)
        bench.add("Jaeger's answer alone, one query by HTTP", "s", query, size=size)
    for name, form in FORMS.items():
        command.seconds(*form)
        took = [command.seconds(*form) for _ in range(turns)]
        bench.add(f"{WHAT}, as {name}", "s", took, size=size)
