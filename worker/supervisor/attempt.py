"""One attempt at a task, from its claim to its settle, as the supervisor sees it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind

from telemetry import names
from telemetry.propagation import remote_context, trace_id_of
from telemetry.recorder import RecordedSpan, Recorder, active
from worker.messages import Alive, Progress
from worker.store.base import ClaimRequest, TaskStore
from worker.task import Claim

# Where each stage begins and ends in a task that is 1 long. Nearly all of it is denoising.
_SPANS_OF_STAGES: Mapping[str, tuple[float, float]] = {
    "inputs": (0.0, 0.02),
    "parameters": (0.02, 0.03),
    "loras": (0.03, 0.05),
    "model": (0.05, 0.1),
    "generate": (0.1, 0.9),
    "encode": (0.9, 0.98),
    "output": (0.98, 1.0),
}


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A task in hand: its `process` span, and how far it is.

    What is open of it, the span and the marks of its journal, is open in a context of its own: two
    attempts may overlap, and need not end in the order in which they began.
    """

    claim: Claim
    recorder: Recorder
    span: RecordedSpan
    began_at: float
    context: Context
    exits: ExitStack
    progress: dict[str, Any] = field(default_factory=dict)
    first_step_at: float = 0.0
    cancel_reason: str = ""
    load_count: int = 0

    @classmethod
    def begin(
        cls,
        recorder: Recorder,
        store: TaskStore,
        request: ClaimRequest,
        claim: Claim,
        asked_ns: int,
    ) -> "Attempt":
        """Open the `process` span in the trace that the task's row carries.

        The span begins with the claim, which is its first child, `receive`.
        """
        context, exits = copy_context(), ExitStack()
        span = context.run(_opened, exits, recorder, store, request, claim, asked_ns)
        return cls(
            claim=claim,
            recorder=recorder,
            span=span,
            began_at=time.monotonic(),
            context=context,
            exits=exits,
        )

    @contextmanager
    def current(self) -> Iterator[None]:
        """Have what is recorded and logged in the block be part of this attempt."""
        inside = self.context.run(otel_context.get_current)
        token = otel_context.attach(inside)
        try:
            with active.choose(self.recorder):
                yield
        finally:
            otel_context.detach(token)

    @property
    def fraction(self) -> float:
        """How much of the whole task is done, 0 to 1, by the usual weight of each stage."""
        begin, end = _SPANS_OF_STAGES.get(self.progress.get("stage", ""), (0.0, 0.0))
        return begin + (end - begin) * (self.progress.get("fraction") or 0.0)

    def advance(self, message: Progress) -> bool:
        """Take in how far the task is; whether it has entered another stage."""
        entered = message.stage != self.progress.get("stage")
        if message.step <= 1:
            # The first step waits for what comes before all steps; it tells nothing of the next.
            self.first_step_at = message.at
        self.progress = {
            "stage": message.stage,
            "step": message.step,
            "steps": message.steps,
            "fraction": round(message.step / message.steps, 4) if message.steps else None,
            "eta_s": self._eta_s(message),
            "at": message.at,
            "quiet_s": 0,
        }
        return entered

    def goes_on(self, message: Alive) -> None:
        """Take in that the task is at work between two steps."""
        self.progress = {**self.progress, "at": message.at, "quiet_s": 0}

    def is_quiet(self, seconds: float) -> None:
        """Note for how long the task has made no progress."""
        self.progress = {**self.progress, "quiet_s": int(seconds)}

    def close(self, status: str) -> None:
        """End the `process` span; `status` is the task's now."""
        self.span.set_attribute(names.TASK_STATUS, status)
        self.context.run(self._close)

    def _close(self) -> None:
        with active.choose(self.recorder):
            self.exits.close()

    @property
    def seconds(self) -> float:
        """How long the attempt has taken so far."""
        return time.monotonic() - self.began_at

    def _eta_s(self, message: Progress) -> float | None:
        steps_timed = message.step - 1
        if steps_timed < 1:
            return None
        per_step = (message.at - self.first_step_at) / steps_timed
        return round(per_step * (message.steps - message.step), 1)


def queue_attributes(store: TaskStore, operation: str, task_id: UUID) -> dict[str, Any]:
    """Attributes of a span around a call to the queue, by OpenTelemetry's messaging conventions."""
    return {
        names.MESSAGING_SYSTEM: store.system,
        names.MESSAGING_DESTINATION: store.queue,
        names.MESSAGING_OPERATION_TYPE: operation,
        names.MESSAGING_MESSAGE_ID: str(task_id),
    }


def _opened(
    exits: ExitStack,
    recorder: Recorder,
    store: TaskStore,
    request: ClaimRequest,
    claim: Claim,
    asked_ns: int,
) -> RecordedSpan:
    """Open what `exits` is to close: the marks of the journal, and the span; write `receive`."""
    task = claim.task
    scope = recorder.task(
        task_id=str(task.id),
        attempt=task.attempts,
        task_type=task.task_type,
        trace_id=trace_id_of(task.process_context),
        worker_id=request.worker_id,
    )
    exits.enter_context(scope)
    span = exits.enter_context(
        recorder.span(
            names.process(task.task_type),
            _process_attributes(store, request, claim),
            kind=SpanKind.CONSUMER,
            context=remote_context(task.trace_context),
            links=_links(claim.previous_context),
            start_ns=asked_ns,
            trace_id=trace_id_of(task.process_context),
            span_id=bytes.fromhex(request.span_id),
        )
    )
    with recorder.span(
        names.receive(store.queue),
        {**queue_attributes(store, "receive", task.id), **store.answer},
        kind=SpanKind.CLIENT,
        start_ns=asked_ns,
    ):
        pass
    return span


def _links(previous_context: str | None) -> list[Link]:
    """Link to the attempt before, if there was one."""
    previous = trace.get_current_span(remote_context(previous_context)).get_span_context()
    return [Link(previous)] if previous.is_valid else []


def _process_attributes(store: TaskStore, request: ClaimRequest, claim: Claim) -> dict[str, Any]:
    task = claim.task
    return {
        **queue_attributes(store, "process", task.id),
        names.MESSAGING_CLIENT_ID: request.worker_id,
        names.WORKER_ID: request.worker_id,
        names.TASK_ID: str(task.id),
        names.TASK_TYPE: task.task_type,
        names.TASK_ATTEMPT: task.attempts,
        names.TASK_PARAMS: task.params,
    }
