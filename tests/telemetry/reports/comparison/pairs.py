"""Pairs of runs to be compared, written by real recorders: each does what its plan says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from telemetry import Recorder, names
from telemetry.reports.case import Case, TaskRow
from telemetry.reports.comparison.compare import compare
from telemetry.reports.comparison.value import Comparison
from tests.telemetry.conftest import Script, at
from tests.telemetry.reports.recorded import Attempted, dies, frames_and_step
from tests.telemetry.reports.sample import ATTACKS

A = "a0000000-0000-4000-8000-000000000001"
B = "b0000000-0000-4000-8000-000000000002"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does.

    Attributes:
        values: What its loop decides, by key, in order.
        defaults: The model's, by key.
        layer: Which layer decides.
        extra: Parameters that the engine is called with besides.
        guidance: That of each step.
        steps: How many it takes.
        device: What the model is loaded onto.
        resident: Whether the engine had it already.
        fails_in: "loop", "preflight", "generate", "encode"; "" where it goes well.
        dies_in: Likewise, for a death.
        message: The text of what it raises in "encode" or "generate".
    """

    values: Mapping[str, Any] = field(
        default_factory=lambda: {"prompt": "a lake", "seed": 1, "steps": 2}
    )
    defaults: Mapping[str, Any] = field(
        default_factory=lambda: {"prompt": "", "seed": -1, "steps": 30}
    )
    layer: str = "task"
    extra: Mapping[str, Any] = field(default_factory=dict)
    guidance: float = 3.0
    steps: int = 2
    device: str = "cpu"
    resident: bool = False
    fails_in: str = ""
    dies_in: str = ""
    message: str = "there is no such thing"

    def __call__(self, recorder: Recorder) -> None:
        """Do it."""
        with recorder.stage("parameters") as span:
            with recorder.engine_call("default_settings", engine="tiny", model="tiny_t2v"):
                pass
            span.set({names.DEFAULTS_TYPE: "dict", names.DEFAULTS_COUNT: len(self.defaults)})
            span.set({names.DEFAULTS_BEFORE: "d1" * 32})
            self._loop(recorder)
            span.set({names.DEFAULTS_AFTER: "d1" * 32})
            if self.fails_in == "preflight":
                frames_and_step("")
        self._generate(recorder)
        with recorder.stage("encode"):
            self._meet("encode", recorder)

    def _loop(self, recorder: Recorder) -> None:
        for index, (key, value) in enumerate(self.values.items(), start=1):
            begin = {names.PARAM_KEY: key, names.PARAM_OLD: self.defaults.get(key)}
            with recorder.iteration(index, len(self.values), begin) as iteration:
                self._meet("loop", recorder)
                said = {names.PARAM_KEY: key, names.PARAM_NEW: value, names.PARAM_ASKED: value}
                iteration.end(attributes={**said, names.PARAM_SOURCE: self.layer})

    def _generate(self, recorder: Recorder) -> None:
        on = {"device": self.device}
        with (
            recorder.stage("model"),
            recorder.engine_call("load", engine="tiny", model="tiny_t2v", params=on) as span,
        ):
            span.set({f"{names.ENGINE_RESULT}already_loaded": self.resident})
        given = {**self.values, **self.extra}
        with (
            recorder.stage("generate"),
            recorder.engine_call("generate", engine="tiny", model="tiny_t2v", params=given),
        ):
            for index in range(1, self.steps + 1):
                about = {names.STEP_INDEX: index, names.STEP_COUNT: self.steps}
                with recorder.span(
                    names.DENOISE_STEP, {**about, names.STEP_GUIDANCE: self.guidance}
                ):
                    self._meet("generate", recorder)

    def _meet(self, place: str, recorder: Recorder) -> None:
        if self.dies_in == place:
            dies(recorder)
        if self.fails_in == place:
            raise LookupError(self.message)


GOOD = Plan()
BAD = Plan(fails_in="encode")


def case(folder: Path, plan: Plan, task_id: str = A, **row: Any) -> Case:
    """Run a plan as a task, and gather its case."""
    return case_of(ran(folder, plan, task_id), plan, **row)


def ran(folder: Path, plan: Plan, task_id: str = A) -> Attempted:
    """Run a plan as a task in a spool of its own."""
    return Attempted(spool=folder / task_id[:1], task_id=task_id).run(plan)


def case_of(attempted: Attempted, plan: Plan, **row: Any) -> Case:
    """Gather the case of what ran; its row says what a worker writes."""
    told = {"status": "Failed" if plan.fails_in or plan.dies_in else "Complete", **row}
    error = attempted.error
    if error is not None and "error" not in told:
        told["error"] = {
            "kind": error.kind,
            "type": error.type,
            "message": error.message,
            "fingerprint": error.fingerprint,
            "event_id": error.event_id,
            "stage": error.stage,
            "file": error.file,
            "line": error.line,
            "function": error.function,
            "place": error.place,
        }
    return attempted.case(told, asked=attempted.task_id)


def pair(folder: Path, a: Plan, b: Plan) -> Comparison:
    """Run two plans, and compare them."""
    return compare(case(folder, a, A), case(folder, b, B))


def scripted(
    folder: Path, task_id: str, *, seed: int, fails: bool, loaded_ms: float = 900, cut: bool = False
) -> Case:
    """Write a run by hand, at moments that a test can foresee, and gather its case.

    Args:
        folder: Where its spool is made.
        task_id: Of the task.
        seed: What its loop decides.
        fails: Whether it fails at the end of its preflight, 1.5 ms after the loop.
        loaded_ms: How long its model took to load.
        cut: Whether the tail of the record is lost, from the second iteration on.
    """
    script = Script(folder / task_id[:1])
    script.task(task_id)
    about = {names.TASK_ID: task_id, names.TASK_ATTEMPT: 1}
    script.begin("process travel_segment", 0, **about)
    loaded(script, loaded_ms)
    script.begin("stage parameters", 1000, **{names.STAGE_NAME: "parameters"})
    decided(script, seed=seed, most=1 if cut else 3)
    if not cut:
        _end(script, task_id, fails=fails)
    script.writer.close()
    row = {"attempt": 1, "worker": f"gpu-{task_id[:1]}", "error": ERROR if fails else {}}
    told = Attempted(spool=folder / task_id[:1], task_id=task_id)
    return told.case({"status": "Failed" if fails else "Complete", **row}, asked=task_id)


def loaded(script: Script, loaded_ms: float) -> None:
    """Load a model, from the second millisecond on."""
    script.begin("stage model", 1, **{names.STAGE_NAME: "model"})
    on = {f"{names.ENGINE_PARAM}device": "NVIDIA H200"}
    model = {names.ENGINE_NAME: "wan2gp", names.ENGINE_MODEL: "wan_2_2"}
    script.span("engine load", 2, loaded_ms, **model, **on)
    script.end(loaded_ms + 1)


def decided(script: Script, *, seed: int, most: int) -> None:
    """Decide so many parameters, one a millisecond, half of which each takes."""
    values = {"prompt": "a lake", "seed": seed, "steps": 6}
    for index, (key, value) in list(enumerate(values.items(), start=1))[:most]:
        said = {names.LOOP_INDEX: index, names.LOOP_COUNT: 3, names.PARAM_KEY: key}
        won = {names.PARAM_OLD: None, names.PARAM_NEW: value, names.PARAM_SOURCE: "segment"}
        script.span(names.LOOP_ITERATION, 1000 + index, 1000.5 + index, **said, **won)


ERROR: dict[str, Any] = {
    "kind": "exception",
    "type": "AttributeError",
    "message": "'NoneType' object has no attribute 'get'",
    "file": "/engine/wgp.py",
    "line": 3907,
    "function": "get_model_min_frames_and_step",
    "place": "raised at",
    "stage": "parameters",
    "fingerprint": "f" * 16,
    "event_id": "e" * 32,
}


def _end(script: Script, task_id: str, *, fails: bool) -> None:
    """End a run that was written by hand, well or in the failure of the incident."""
    status = 2 if fails else 0
    if fails:
        script.error(at_ns=at(1006), task_id=task_id)
    script.end(1005, status=status)
    if not fails:
        script.span("stage generate", 1006, 3000, **{names.STAGE_NAME: "generate"})
    script.end(1007 if fails else 3001, status=status)
    script.end_task(task_id, "Failed" if fails else "Done", 3002)


def unrecorded(task_id: str = A, **row: Any) -> Case:
    """Make the case of a task of which nothing is recorded."""
    return Case(
        asked=task_id,
        task=TaskRow(**{"id": task_id, "type": "travel_segment", "status": "Failed", **row}),
        model=None,
        source="the journals",
        links=Attempted(spool=Path()).case().links,
    )


def attacked(found: Comparison) -> Comparison:
    """Put every attack before every text of a comparison."""
    kept = {"a", "b", found.alike}
    value = _attacked(msgspec.to_builtins(found), kept, iter(range(10**9)))
    return msgspec.convert(value, Comparison)


def _attacked(value: Any, kept: set[str], count: Iterator[int]) -> Any:
    match value:
        case str() if value not in kept:
            first = next(count) % len(ATTACKS)
            return "".join((*ATTACKS[first:], *ATTACKS[:first])) + value
        case list():
            return [_attacked(one, kept, count) for one in value]
        case dict():
            return {key: _attacked(one, kept, count) for key, one in value.items()}
    return value
