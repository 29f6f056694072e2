"""Attempts at a segment, written by real recorders as a worker and its task process write them."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry import context as otel_context

from telemetry import Recorder, names
from telemetry.death import close_dead
from telemetry.propagation import remote_context
from telemetry.records import Error, ProcessEnd
from telemetry.reports.case import Case, QueueEvent, TaskRow
from telemetry.reports.findings import HypothesisFound, Investigation, LinksFound
from telemetry.reports.investigate import investigate
from telemetry.reports.trace import TraceModel, read_trace

DEFAULTS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data/incident_defaults.json").read_text()
)
SEGMENT = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
WORKER = "gpu-20260210_155915-58372e0e"
MODEL = "wan_2_2_i2v_lightning_baseline_2_2_2"
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")

Work = Callable[[Recorder], None]


class Died(BaseException):
    """Ends an attempt whose process has died."""


def dies(recorder: Recorder) -> None:
    """Die: what is written after this moment, as the spans are left, does not reach the journal."""
    directory = recorder.writer.directory
    shutil.copytree(directory, _left(directory))
    raise Died


def _left(directory: Path) -> Path:
    return directory.parent.parent / f"left-{directory.name}"


@dataclass(slots=True, kw_only=True)
class Attempted:
    """One attempt: run it, then ask what an investigation of it finds.

    Attributes:
        spool: Where its journals are.
        attempt: Its number.
        task_id: Of which task.
        error: What it failed with.
    """

    spool: Path
    attempt: int = 1
    task_id: str = SEGMENT
    task_journal: Path = field(default_factory=Path)
    supervisor_journal: Path = field(default_factory=Path)
    error: Error | None = None

    def run(
        self, work: Work, end: ProcessEnd | None = None, own_code: Sequence[str] = ()
    ) -> "Attempted":
        """Record an attempt that does this; with an `end`, the process dies where `Died` is raised.

        What a death leaves behind is what stood in the journal at that moment. `own_code` are
        folders whose code is our own.
        """
        supervisor = Recorder.open(self.spool, role="supervisor")
        facts = {"device": "cpu", "worker_id": WORKER}
        task = Recorder.open(self.spool, role="task", facts=facts, own_code=own_code)
        self.task_journal, self.supervisor_journal = (
            one.writer.directory for one in (task, supervisor)
        )
        about = {names.TASK_ID: self.task_id, names.TASK_ATTEMPT: self.attempt}
        with (
            self._scope(supervisor, {}),
            supervisor.span(names.process("travel_segment"), about, trace_id=TRACE) as span,
        ):
            parent = remote_context(f"00-{TRACE.hex()}-{span.span_id.hex()}-01")
            token = otel_context.attach(parent)
            try:
                self._in_task_process(task, work, end)
            finally:
                otel_context.detach(token)
        supervisor.close()
        return self

    def model(self) -> TraceModel:
        """Read what is recorded."""
        model = read_trace(self.spool, self.task_id)
        assert model is not None
        return model

    def row(self, **facts: Any) -> TaskRow:
        """Return the row of a failed segment."""
        told = {"status": "Failed", "attempt": self.attempt, **facts}
        return TaskRow(id=self.task_id, type="travel_segment", **told)

    def case(self, row: Mapping[str, Any] | None = None, **facts: Any) -> Case:
        """Return its case; `row` is what the queue's row says, and `facts` are of the case."""
        given: dict[str, Any] = {
            "asked": self.task_id,
            "model": read_trace(self.spool, self.task_id),
            "source": "the journals",
            "links": LinksFound(trace_id=TRACE.hex(), sentry_event_id=""),
            "replay": f"loop26 replay {self.task_id}",
            **facts,
        }
        return Case(task=self.row(**(row or {})), **given)

    def found(self, row: Mapping[str, Any] | None = None, **facts: Any) -> Investigation:
        """Investigate it."""
        return investigate(self.case(row, **facts))

    def _scope(self, recorder: Recorder, params: Mapping[str, Any]) -> Any:
        return recorder.task(
            task_id=self.task_id,
            attempt=self.attempt,
            task_type="travel_segment",
            trace_id=TRACE,
            worker_id=WORKER,
            params=params,
        )

    def _in_task_process(self, task: Recorder, work: Work, end: ProcessEnd | None) -> None:
        directory = task.writer.directory
        left = _left(directory)
        try:
            with self._scope(task, {"model_name": MODEL}) as scope:
                try:
                    work(task)
                    scope.outcome = "Done"
                except Died:
                    pass
                except Exception as exc:  # noqa: BLE001 - the boundary of the task
                    self.error = task.error(exc)
                    scope.outcome = "Failed"
        finally:
            task.close()
        if left.is_dir():
            shutil.rmtree(directory)
            left.rename(directory)
            if end is not None:
                self.error = close_dead(directory, end)


def segment(
    recorder: Recorder,
    *,
    stop: Callable[[int], None] = lambda _index: None,
    after: Callable[[], None] = lambda: None,
    digest_after: str = "d1" * 32,
) -> None:
    """Do what a segment does up to its parameters: `stop` in each iteration, `after` the loop."""
    with recorder.stage("inputs"):
        pass
    with recorder.stage("parameters") as span:
        with recorder.engine_call("default_settings", engine="wan2gp", model=MODEL):
            pass
        about = {names.DEFAULTS_TYPE: "dict", names.DEFAULTS_COUNT: len(DEFAULTS)}
        span.set({**about, names.DEFAULTS_BEFORE: "d1" * 32})
        try:
            for index, (key, value) in enumerate(DEFAULTS.items(), start=1):
                begin = {names.PARAM_KEY: key, names.PARAM_OLD: value}
                with recorder.iteration(index, len(DEFAULTS), begin) as iteration:
                    stop(index)
                    said = {names.PARAM_KEY: key, names.PARAM_NEW: value, names.PARAM_ASKED: None}
                    iteration.end(attributes={**said, names.PARAM_SOURCE: "model"})
        finally:
            span.set({names.DEFAULTS_AFTER: digest_after})
        after()


def frames_and_step(model_type: str) -> int:
    """Fail as the engine of the incident did: the name had been stripped before."""
    entry = dict[str, dict[str, int]]().get(model_type)
    return entry.get("frames_minimum", 5)  # type: ignore[union-attr]  # that it is None is the failure


def incident(recorder: Recorder) -> None:
    """Do what the incident's segment did: all 32 iterations, then the lookup of no name."""
    segment(recorder, after=lambda: frames_and_step("") and None)


def verdict(found: Investigation, name: str) -> HypothesisFound:
    """Return what an investigation says of a suspected cause."""
    [one] = [one for one in found.hypotheses if one.name == name]
    return one


def history(*events: str, **data: Any) -> list[QueueEvent]:
    """Make a history of these events, a second apart."""
    return [
        QueueEvent(at_ns=1_770_000_000 * 10**9 + at * 10**9, name=name, data={"attempt": 1, **data})
        for at, name in enumerate(events)
    ]
