"""Requests by hand, a recorder that is this process's, and what it has written."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from telemetry import Recorder
from telemetry.journal import JournalReader
from telemetry.records import Kind
from telemetry.spans import Folder, Span
from worker.engines.base import LoraFile
from worker.params.frozen import freeze
from worker.params.request import GenerationRequest, LoraUse, ParamValue, Schedule, Step

TRACE = b"w" * 16
STEPS = (
    Step(index=0, timestep=1000.0, phase=1, guidance_scale=3.0, expert="high"),
    Step(index=1, timestep=750.0, phase=2, guidance_scale=1.0, expert="low"),
    Step(index=2, timestep=500.0, phase=2, guidance_scale=1.0, expert="low"),
)
REQUEST = GenerationRequest(
    engine="wan2gp",
    model="i2v_standin",
    prompt="a lake",
    negative_prompt="blurry",
    width=64,
    height=48,
    frames=9,
    fps=16.0,
    seed=5,
    schedule=Schedule(
        solver="euler",
        shift=5.0,
        steps=STEPS,
        sigmas=(1.0, 0.75, 0.5, 0.0),
        switch_threshold=826.0999755859375,
        switch_threshold2=None,
    ),
)


def asking(source: str = "task", **values: Any) -> GenerationRequest:
    """Return the request with these parameters, said by one layer."""
    return with_params(
        *(
            ParamValue(name=name, value=freeze(value), asked=freeze(value), source=source)
            for name, value in values.items()
        )
    )


def with_params(*params: ParamValue) -> GenerationRequest:
    """Return the request with these parameters."""
    named: Mapping[str, ParamValue] = MappingProxyType({param.name: param for param in params})
    return dataclasses.replace(REQUEST, params=named)


def scheduled(**changes: Any) -> GenerationRequest:
    """Return the request with another schedule."""
    return dataclasses.replace(REQUEST, schedule=dataclasses.replace(REQUEST.schedule, **changes))


def lora(path: Path, *per_step: float, text: str = "1.0") -> LoraFile:
    """Return a LoRA, and how it is used."""
    return LoraFile(path=path, use=LoraUse(url=str(path), multipliers=text, per_step=per_step))


class Recording:
    """An installed recorder in a task, and what its journal holds at this moment."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def bodies(self, kind: Kind) -> list[Any]:
        """Return the bodies of the records of one kind."""
        read = JournalReader(self.recorder.writer.directory).read()
        return [record.body for record in read if record.kind is kind]

    def lines(self, logger: str = "wan2gp") -> list[Any]:
        """Return the log records of a logger and of those under it."""
        return [one for one in self.bodies(Kind.LOG) if one.logger.startswith(logger)]

    def messages(self, logger: str = "wan2gp") -> list[str]:
        """Return what these say."""
        return [one.message for one in self.lines(logger)]

    def spans(self) -> list[Span]:
        """Return the spans that have ended, in the order of their end."""
        folder = Folder()
        read = JournalReader(self.recorder.writer.directory).read()
        return [span for record in read for span in folder.feed(record)]

    @contextmanager
    def generating(self) -> Iterator[Any]:
        """Run the block in the span of a call, in a stage."""
        with (
            self.recorder.span("process t2v", trace_id=TRACE),
            self.recorder.stage("generate"),
            self.recorder.engine_call("generate", engine="wan2gp", model="m") as span,
        ):
            yield span


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """Install a recorder and begin a task; logging is as it was afterwards."""
    level = logging.getLogger().level
    recorder = Recorder.open(tmp_path / "spool", role="task")
    recorder.install()
    with recorder.task(
        task_id="e040ae48", attempt=1, task_type="t2v", trace_id=TRACE, worker_id="w"
    ):
        yield Recording(recorder)
    recorder.close()
    logging.getLogger().setLevel(level)
