"""The promise that every handler keeps, and what it is given to work with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.engines.base import Engine, StepObserver
from worker.inputs.policy import InputPolicy
from worker.params.payload import UnknownKeys
from worker.task import Claim, Outcome


class TaskObserver(StepObserver, Protocol):
    """How a handler tells people how far the task is."""

    def stage(self, name: str) -> None:
        """The task enters this stage, one of `telemetry.names.STAGES`."""
        ...

    def started(self) -> None:
        """The model is loaded: generation, and billing, starts here."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that a handler may touch.

    Attributes:
        claim: The task, its dependencies' outputs and its orchestrator's params.
        engine: The engine of this task process.
        observer: Progress and cancellation.
        work_dir: The attempt's own folder, empty; what a handler leaves for publication lies here.
        inputs: Where inputs may come from, their limits, and the cache of downloads.
        video_crf: Quality of the videos written, as x264 has it: 0 lossless, 51 worst.
        video_preset: How long x264 looks for what makes a file small.
        refuse_blank_output: Whether a video whose pixels are all of one colour fails its task.
        unknown_params: Whether keys of a payload that nobody knows are passed on or refused.
    """

    claim: Claim
    engine: Engine
    observer: TaskObserver
    work_dir: Path
    inputs: InputPolicy
    video_crf: int = 18
    video_preset: str = "veryfast"
    unknown_params: UnknownKeys = "pass"
    refuse_blank_output: bool = False


class Handler(Protocol):
    """Does the tasks of one or more types. Stateless: all state is in the context."""

    task_types: tuple[str, ...]

    def run(self, context: Context) -> Outcome:
        """Do the task and return its outcome; an exception means that it failed.

        Each stage is a span `stage <name>`.
        """
        ...
