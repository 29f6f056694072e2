"""Settling: an outcome becomes one call to the store, after the task's record has been drained."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.trace import SpanKind, StatusCode

from telemetry import names
from worker.errors import Fenced, OutputError
from worker.failure import failure_of
from worker.output.storage import LocalStorage
from worker.store.base import TaskStore
from worker.supervisor.attempt import Attempt, queue_attributes
from worker.task import (
    Cancelled,
    Done,
    Failed,
    Failure,
    Outcome,
    Retry,
    Spawned,
    TaskStatus,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an attempt; `status` is the task's, or "superseded" when it was not ours."""

    status: str
    sentence: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settler:
    """Writes outcomes to the store, each inside a span `settle <queue>`.

    Every method may be called again with the same attempt after `QueueUnavailable`. Outputs are
    published first, under a lease that has just been extended: whoever was superseded finds out
    before it overwrites anything.
    """

    store: TaskStore
    storage: LocalStorage
    lease_s: float
    max_attempts: int
    max_deaths: int

    def settle(self, attempt: Attempt, outcome: Outcome, facts: dict[str, Any]) -> Settled:
        """Write the outcome that the task process returned; `facts` join the result."""

        def write() -> Settled:
            match outcome:
                case Done():
                    return self._complete(attempt, outcome, facts)
                case Spawned():
                    return self._spawn(attempt, outcome, facts)
                case Retry(failure=failure):
                    return self._retry(attempt, failure)
                case Failed(failure=failure):
                    return self._fail(attempt, failure)
                case Cancelled(reason=reason):
                    # The store has known it before the task did; there is nothing to write.
                    return Settled(status=TaskStatus.CANCELLED, sentence=reason)

        return self._in_span(attempt, type(outcome).__name__, write)

    def settle_death(self, attempt: Attempt, failure: Failure) -> Settled:
        """Count a death; the task is queued again, or failed at the limit."""

        def write() -> Settled:
            status = self.store.record_death(
                attempt.claim.token, failure, max_deaths=self.max_deaths
            )
            return Settled(status=status, sentence=failure.sentence)

        return self._in_span(attempt, "Died", write, failure)

    def release(self, attempt: Attempt, reason: str) -> Settled:
        """Give the task back, and its attempt."""

        def write() -> Settled:
            self.store.release(attempt.claim.token, reason=reason, give_back=True)
            return Settled(status=TaskStatus.QUEUED, sentence=reason)

        return self._in_span(attempt, "Released", write)

    def _in_span(
        self,
        attempt: Attempt,
        outcome: str,
        write: Callable[[], Settled],
        failure: Failure | None = None,
    ) -> Settled:
        task = attempt.claim.task
        attributes = queue_attributes(self.store, "settle", task.id)
        with attempt.recorder.span(
            names.settle(self.store.queue),
            {**attributes, names.TASK_OUTCOME: outcome},
            kind=SpanKind.CLIENT,
        ) as span:
            try:
                settled = write()
            except Fenced as fenced:
                settled = Settled(status="superseded", sentence=fenced.reason)
                _log.warning("the outcome of task %s is refused: %s", task.id, fenced.reason)
            span.set_attribute("loop26.task.status", settled.status)
        if failure is not None or settled.status == TaskStatus.FAILED:
            attempt.span.set_status(StatusCode.ERROR, settled.sentence)
        self.storage.discard(task.id, attempt.claim.token)
        return settled

    def _complete(self, attempt: Attempt, done: Done, facts: dict[str, Any]) -> Settled:
        claim = attempt.claim
        self.store.extend(claim.token, lease_s=self.lease_s, progress=attempt.progress)
        try:
            locations = self.storage.publish(claim.task.id, claim.token, list(done.files))
        except OutputError as exc:
            return self._fail(attempt, failure_of(attempt.recorder.error(exc), exc))
        location = str(locations[0])
        result = {**done.result, **facts, "files": [str(path) for path in locations]}
        self.store.complete(claim.token, output_location=location, result=result)
        return Settled(status=TaskStatus.COMPLETE, location=location)

    def _spawn(self, attempt: Attempt, spawned: Spawned, facts: dict[str, Any]) -> Settled:
        claim = attempt.claim
        children = [
            replace(child, trace_context=claim.task.process_context) for child in spawned.children
        ]
        with attempt.recorder.span(
            names.send(self.store.queue),
            {
                **queue_attributes(self.store, "send", claim.task.id),
                names.MESSAGING_BATCH_COUNT: len(children),
            },
            kind=SpanKind.PRODUCER,
        ):
            self.store.spawn(claim.token, children, result={**spawned.result, **facts})
        return Settled(
            status=TaskStatus.IN_PROGRESS, sentence=f"waits for {len(children)} children"
        )

    def _retry(self, attempt: Attempt, failure: Failure) -> Settled:
        task = attempt.claim.task
        if task.attempts >= self.max_attempts:
            return self._fail(attempt, failure)
        delay_s = float(2**task.attempts)
        self.store.release(
            attempt.claim.token,
            reason=failure.sentence,
            give_back=False,
            delay_s=delay_s,
            failure=failure,
        )
        return Settled(
            status=TaskStatus.QUEUED, sentence=f"again in {delay_s:g} s: {failure.sentence}"
        )

    def _fail(self, attempt: Attempt, failure: Failure) -> Settled:
        self.store.fail(attempt.claim.token, failure)
        return Settled(status=TaskStatus.FAILED, sentence=failure.sentence)
