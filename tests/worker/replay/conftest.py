"""Recorded attempts for the tests of the replay: written by the real recorder."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import telemetry
from telemetry import Recorder, names
from telemetry.reports.attempt import Attempt
from telemetry.reports.case import TaskRow
from telemetry.reports.trace import read_trace
from worker.params.frozen import digest

TASK = "78cd8678-9fa3-4d06-a081-dd8fc90ff35f"
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
Record = Callable[..., Attempt]


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    """Give a function that records the parameter loop over some defaults, and reads it back."""
    level = logging.getLogger().level

    def recorded(
        defaults: Mapping[str, Any],
        *,
        prompts: bool = True,
        upto: int | None = None,
        model: str = "tiny_t2v",
        digested: bool = True,
    ) -> Attempt:
        spool = tmp_path / uuid4().hex
        recorder = Recorder.open(spool, role="task", record_prompts=prompts)
        recorder.install()
        try:
            _write(recorder, defaults, upto, model, digested=digested)
        finally:
            recorder.close()
        found = read_trace(spool, TASK)
        assert found is not None
        return Attempt(found, TaskRow(id=TASK, type="t2v", status="Failed"))

    yield recorded
    logging.getLogger().setLevel(level)


def _write(
    recorder: Recorder,
    defaults: Mapping[str, Any],
    upto: int | None,
    model: str,
    *,
    digested: bool,
) -> None:
    about = {names.TASK_ID: TASK, names.TASK_ATTEMPT: 1}
    with (
        recorder.task(task_id=TASK, attempt=1, task_type="t2v", trace_id=TRACE, worker_id="w"),
        recorder.span(names.process("t2v"), about, trace_id=TRACE),
        telemetry.stage("parameters") as span,
    ):
        with telemetry.engine_call("default_settings", engine="diffusers", model=model):
            pass
        span.set_attribute(names.DEFAULTS_COUNT, len(defaults))
        if digested:
            span.set_attribute(names.DEFAULTS_BEFORE, digest(defaults))
        for index, (key, value) in enumerate(defaults.items(), start=1):
            if upto is not None and index > upto:
                break
            begin = {names.PARAM_KEY: key, names.PARAM_OLD: value}
            with telemetry.iteration(index, len(defaults), begin):
                pass
