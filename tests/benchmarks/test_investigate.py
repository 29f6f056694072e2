"""How long `loop26 investigate` takes, as a whole process: fresh, and in a spool of many spans."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from telemetry import Recorder, names
from worker.settings.configuration import load
from worker.settings.home import prepare_home
from worker.store.base import ClaimRequest
from worker.store.local import LocalStore
from worker.task import Failure, NewTask

SPANS_OF_A_TASK = 100
TASKS_OF_A_PROCESS = 100
ROUNDS = 7
FORMS = {"terminal": (), "json": ("--json",), "markdown": ("--markdown",), "html": ("--html",)}

pytestmark = pytest.mark.benchmark


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


def timed(home: Path, task_id: str, *form: str) -> list[float]:
    """Return how long the command took as a whole process, in seconds, the first not counted.

    That one compiles what it imports, as an installation does once: a machine may be told not to.
    """
    program = str(Path(sys.executable).with_name("loop26"))
    page = [str(home / "report.html")] if form == ("--html",) else []
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    took = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        done = subprocess.run(
            [program, "--home", str(home), "investigate", task_id, *form, *page],
            check=False,
            capture_output=True,
            timeout=120,
            env={**kept, "PYTHONPYCACHEPREFIX": str(home.parent / "bytecode")},
        )
        took.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
    return took[1:]


@pytest.mark.parametrize("spans", [100, 1_000, 10_000, 100_000])
def test_investigate(tmp_path: Path, spans: int) -> None:
    """Print seconds a form; the goal is 1 s at 100,000 spans."""
    home = tmp_path / "home"
    task_id = populate(home, spans)
    for name, form in FORMS.items():
        took = timed(home, task_id, *form)
        print(
            f"\n{spans:,} spans, {name}: median {statistics.median(took):.3f} s, "
            f"worst {max(took):.3f} s",
            end="",
        )
