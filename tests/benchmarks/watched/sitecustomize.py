"""In a task process: measures the processor time that its recorder takes, task by task."""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

inside = False
taken_ns = 0
calls = 0
EMPTY_CALLS = 10_000


def measured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Count a function's time, unless another one that is counted has called it."""

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        global inside, taken_ns, calls  # noqa: PLW0603 - of the one thread that runs the task
        if inside:
            return function(*args, **kwargs)
        inside = True
        began_ns = time.thread_time_ns()
        try:
            return function(*args, **kwargs)
        finally:
            taken_ns += time.thread_time_ns() - began_ns
            calls += 1
            inside = False

    return timed


def own_cost_ns() -> float:
    """Return what measuring one call adds to what is measured."""
    before_ns = taken_ns
    nothing = measured(lambda: None)
    for _ in range(EMPTY_CALLS):
        nothing()
    return (taken_ns - before_ns) / EMPTY_CALLS


def watch() -> None:
    """Measure every way into the recorder, and write a line for each task when it has ended."""
    from telemetry.journal import JournalWriter
    from telemetry.recorder import logs, recorded_span, recorder, scopes

    ways_in: dict[type, tuple[str, ...]] = {
        recorder.Recorder: ("begin", "error", "task"),
        scopes.SpanScope: ("__init__", "__enter__", "__exit__"),
        recorded_span.RecordedSpan: (
            *("set", "set_attribute", "set_attributes", "update_name", "add_link", "add_event"),
            *("record_exception", "set_status", "fail", "end"),
        ),
        logs.JournalHandler: ("emit",),
        JournalWriter: ("append",),
    }
    for owner, names in ways_in.items():
        for name in names:
            setattr(owner, name, measured(getattr(owner, name)))
    own_ns = own_cost_ns()
    enter, leave = scopes.TaskScope.__enter__, scopes.TaskScope.__exit__
    began: list[float] = []

    def begin(scope: Any) -> Any:
        began[:] = [time.perf_counter_ns(), time.process_time_ns(), taken_ns, calls]
        return enter(scope)

    def end(scope: Any, *exc_info: Any) -> None:
        leave(scope, *exc_info)
        wall, cpu, before_ns, calls_before = began
        made = calls - calls_before
        line = {
            "wall_ns": time.perf_counter_ns() - wall,
            "cpu_ns": time.process_time_ns() - cpu,
            "recorder_ns": taken_ns - before_ns - made * own_ns,
            "calls": made,
        }
        with Path(os.environ["RECORDER_SHARE"]).open("a") as file:
            file.write(json.dumps(line) + "\n")

    for name, method in (("__enter__", begin), ("__exit__", end)):
        setattr(scopes.TaskScope, name, method)


if "worker.process" in sys.orig_argv:
    watch()
