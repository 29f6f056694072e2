"""The spans of the denoising steps, by what the engine's callback tells of them."""

import sys
import threading
import time
from contextlib import AbstractContextManager
from typing import Any

import telemetry
from telemetry import RecordedSpan, names
from worker.params.request import GenerationRequest, Step


class StepSpans:
    """A span for each step, open while the engine is in it.

    The engine tells what is done, so a step begins when the one before it was told; the first, if
    nobody says so, where the engine told anything before. All of it must be told in the thread
    that this was made in; what is told elsewhere makes no span.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self._schedule = request.schedule
        self._loras = request.loras
        self._thread = threading.get_ident()
        self._scope: AbstractContextManager[RecordedSpan] | None = None
        self._span: RecordedSpan | None = None
        self._done = 0
        self._count = 0
        self._since_ns = time.time_ns()
        self.spent_s = 0.0
        self.told = 0

    def reached(self, done: int, count: int) -> None:
        """Step `done` of `count` has been done: its span ends, and the next begins."""
        if threading.get_ident() != self._thread:
            return
        if done < self._done or count != self._count:  # another window, or another pass
            self._end()
            self._done = 0
        self._count = count
        if done > self._done:
            self._begin(done)  # of the first nobody may have said that it begins
            self._end()
            self.told += 1
        self._done = done
        if done < count:
            self._begin(done + 1)

    def leave(self) -> None:
        """End what is open: the steps are over, or the engine has gone on to something else."""
        if threading.get_ident() == self._thread:
            self._end()
            self._since_ns = time.time_ns()

    def fail(self, exc: BaseException) -> None:
        """The engine has handled an exception in the step that is open."""
        if self._span is not None and threading.get_ident() == self._thread:
            self._span.fail(exc)
            self._end()

    def _begin(self, number: int) -> None:
        recorder = telemetry.current()
        if self._scope is not None or recorder is None:
            return
        said = self._attributes(number)
        self._scope = recorder.span(names.DENOISE_STEP, said, start_ns=self._since_ns)
        self._span = self._scope.__enter__()

    def _end(self) -> None:
        if self._scope is None:
            return
        self.spent_s += max(0, time.time_ns() - self._since_ns) / 1e9
        if (held := _held_bytes()) is not None and self._span is not None:
            self._span.set_attribute(names.STEP_MEMORY_BYTES, held)
        self._scope.__exit__(None, None, None)
        self._scope = self._span = None
        self._since_ns = time.time_ns()  # not before: the next is not to begin in this one

    def _attributes(self, number: int) -> dict[str, Any]:
        said: dict[str, Any] = {names.STEP_INDEX: number, names.STEP_COUNT: self._count}
        planned = self._planned(number)
        if planned is None:
            return said
        return said | {
            names.STEP_PHASE: planned.phase,
            names.STEP_TIMESTEP: planned.timestep,
            names.STEP_GUIDANCE: planned.guidance_scale,
            names.STEP_EXPERT: planned.expert,
            names.STEP_LORA_SCALES: [lora.per_step[number - 1] for lora in self._loras],
        }

    def _planned(self, number: int) -> Step | None:
        """Return what was planned of a step, where the engine steps as it was planned."""
        steps = self._schedule.steps
        if not self._schedule.exact or len(steps) != self._count:
            return None
        return steps[number - 1]


def _held_bytes() -> int | None:
    """Return the memory that tensors hold on the device, where torch is loaded and has one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    held: int = torch.cuda.memory_allocated()
    return held
