"""A segment that dies for real, with ids and a clock that are the same every time.

`program.py lead SPOOL` records what a supervisor does; `program.py FAULT SPOOL` is the task
process: exception, library, segfault, sigkill. The exit code, or the signal, is the death's own.
"""

import ctypes
import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
PROCESS_SPAN = bytes.fromhex("b7ad6b7169203331")
WORKER = "gpu-20260210_155915-58372e0e"
MODEL = "wan_2_2_i2v_lightning_baseline_2_2_2"
BEGAN_NS = 1_771_943_513_000_000_000  # 2026-02-24T14:31:53Z
TICK_NS = 137_000
DEFAULTS = Path(__file__).parents[3] / "data/incident_defaults.json"
MODELS = {MODEL: {"frames_minimum": 5, "frames_steps": 4}}


def get_model_def(model_type: str) -> dict[str, int] | None:
    """Look a model up, as the engine of the incident did."""
    return MODELS.get(model_type)


def get_model_min_frames_and_step(model_type: str) -> tuple[int, int]:
    """Return the least number of frames, and by how many they grow."""
    model_def: Any = get_model_def(model_type)
    return model_def.get("frames_minimum", 5), model_def.get("frames_steps", 4)


def check_frames(params: dict[str, Any]) -> None:
    """See that there are enough frames, after the model's name has been stripped."""
    minimum, _ = get_model_min_frames_and_step(params.get("model", ""))
    if params["video_length"] < minimum:
        raise ValueError("too few frames")


def read_phases(params: dict[str, Any]) -> Any:
    """Have a library read what it cannot."""
    phases = f"{params['guidance_phases']} phases"
    return json.loads(phases)


def crash(params: dict[str, Any]) -> None:
    """Read what is at no address, as a broken library does."""
    ctypes.string_at(int(params["video_length"] * 0))


def get_killed(_params: dict[str, Any]) -> None:
    """Be ended from outside."""
    os.kill(os.getpid(), signal.SIGKILL)


def lead(spool: Path) -> None:
    """Record what the supervisor does with the attempt."""
    from telemetry import Recorder, names

    recorder = fixed(Recorder.open(spool, role="supervisor"), 1)
    about = {names.TASK_ID: TASK, names.TASK_ATTEMPT: 1}
    with (
        recorder.task(**of_task()),
        recorder.span(names.process("travel_segment"), about, trace_id=TRACE, span_id=PROCESS_SPAN),
        recorder.span(names.receive("tasks")),
    ):
        pass
    recorder.close()


def work(
    spool: Path,
    in_iteration: Callable[[int], None],
    after: Callable[[Any], None],
    own: Sequence[str] = (),
) -> None:
    """Do what a segment does, up to its parameters; the boundary records what is raised."""
    from opentelemetry import context

    from telemetry import Recorder, stacks
    from telemetry.propagation import remote_context

    opened = Recorder.open(spool, role="task", facts={"device": "cpu"}, in_app=own)
    recorder = fixed(opened, 2)
    stacks.write_to(recorder.writer.directory)
    context.attach(remote_context(f"00-{TRACE.hex()}-{PROCESS_SPAN.hex()}-01"))
    with recorder.task(**of_task(), params={"model": MODEL}) as scope:
        try:
            segment(recorder, in_iteration, after)
        except Exception as exc:  # noqa: BLE001 - the boundary of the task
            recorder.error(exc)
            scope.outcome = "Failed"
    recorder.close()


def segment(
    recorder: Any, in_iteration: Callable[[int], None], after: Callable[[Any], None]
) -> None:
    """Go through the 32 iterations, then ask the engine whether the frames are enough."""
    from telemetry import names

    defaults = json.loads(DEFAULTS.read_text())
    params = {"model": MODEL, **defaults}
    with recorder.stage("inputs"):
        params.pop("model")
    with recorder.stage("parameters") as stage:
        with recorder.engine_call("default_settings", engine="wan2gp", model=MODEL):
            pass
        about = {names.DEFAULTS_TYPE: "dict", names.DEFAULTS_COUNT: len(defaults)}
        stage.set({**about, names.DEFAULTS_BEFORE: "5f0c1e9a" * 8})
        for index, (key, value) in enumerate(defaults.items(), start=1):
            begin = {names.PARAM_KEY: key, names.PARAM_OLD: value}
            with recorder.iteration(index, len(defaults), begin) as iteration:
                in_iteration(index)
                said = {names.PARAM_KEY: key, names.PARAM_NEW: value, names.PARAM_ASKED: None}
                iteration.end(attributes={**said, names.PARAM_SOURCE: "model"})
        stage.set({names.DEFAULTS_AFTER: "5f0c1e9a" * 8})
        after(params)


def of_task() -> dict[str, Any]:
    """Return what is said of the task in each process."""
    facts = {"task_id": TASK, "attempt": 1, "task_type": "travel_segment"}
    return {**facts, "trace_id": TRACE, "worker_id": WORKER}


def fixed(recorder: Any, seed: int) -> Any:
    """Give a recorder ids and a clock that are the same every time, in this process alone."""
    ticks = itertools.count(BEGAN_NS + seed * TICK_NS * 7, TICK_NS)
    time.time_ns = lambda: next(ticks)
    recorder._random = random.Random(seed)
    return recorder


def main(fault: str, spool: Path) -> None:
    """Lead, or die."""
    match fault:
        case "lead":
            lead(spool)
        case "exception":
            work(spool, lambda _index: None, check_frames)
        case "library":
            work(spool, lambda _index: None, read_phases, ["__main__"])
        case "segfault":
            work(spool, lambda _index: None, crash)
        case "sigkill":
            work(spool, lambda index: get_killed({}) if index == 9 else None, check_frames)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
