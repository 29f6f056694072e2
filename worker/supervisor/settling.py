"""Settling: an outcome becomes one call to the store."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from opentelemetry.trace import SpanKind

from telemetry import names
from telemetry.death import HANG
from telemetry.links import Links
from telemetry.recorder import Recorder
from worker.errors import Fenced, QueueForbidden, QueueIncompatible, QueueUnavailable
from worker.failure import failure_of
from worker.inputs.sources import shown
from worker.output.storage import Storage
from worker.settings.retrying import DEATH
from worker.store.base import TaskStore
from worker.supervisor.attempt import queue_attributes
from worker.supervisor.retries import RetryPolicy, delay_s, failures_like, kind_of
from worker.task import Cancelled, Claim, Done, Failed, Failure, Outcome, Retry, Spawned, TaskStatus

SUPERSEDED = "superseded"
# The queue has not heard the outcome: it is kept for when it does.
UNTOLD = (QueueUnavailable, QueueForbidden, QueueIncompatible)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an attempt; `status` is the task's, or "superseded" when it was not ours.

    `failure` is what it was ended by, where it was ended by one.
    """

    status: str
    sentence: str = ""
    location: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """What the row is still to be told of a running task when it settles."""

    progress: dict[str, Any] | None = None
    started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settler:
    """Writes outcomes to the store.

    Every method may be called again with the same claim. Those that settle raise one of `UNTOLD` at
    the most: a claim that is another's by now is "superseded", and an outcome that the store
    refuses fails its task. Outputs are published first, under a lease that has just been extended:
    whoever was superseded finds out before it overwrites anything.
    """

    store: TaskStore
    storage: Storage
    recorder: Recorder
    lease_s: float
    retries: RetryPolicy
    version: str = ""  # the release that runs
    links: Links = field(default_factory=Links)  # where a task and its trace can be looked at

    def publish(self, claim: Claim, done: Done) -> tuple[str, ...]:
        """Publish the outputs ahead of the settle; return where they are.

        Any thread may. Raises what the storage does, and the store, by which the claim is held.
        """
        self._extend(claim)
        return self._publish(claim, done)

    def settle(
        self,
        claim: Claim,
        outcome: Outcome,
        facts: dict[str, Any],
        last_word: LastWord | None = None,
        published: Callable[[], tuple[str, ...]] | None = None,
    ) -> Settled:
        """Write the outcome that the task process returned; `facts` join the result.

        `published` says where the outputs are, where they have been published ahead, or raises what
        that has failed with.
        """

        def write() -> Settled:
            ahead = published() if published else None
            if not isinstance(outcome, Cancelled):
                self._tell(claim, outcome, last_word or LastWord())
            match outcome:
                case Done():
                    where = self._publish(claim, outcome) if ahead is None else ahead
                    return self._complete(claim, outcome, facts, where)
                case Spawned():
                    return self._spawn(claim, outcome, facts)
                case Retry(failure=failure):
                    return self._retry(claim, failure)
                case Failed(failure=failure):
                    return self._fail(claim, failure)
                case Cancelled(reason=reason):
                    # The store has known it before the task did; there is nothing to write.
                    return Settled(status=self.store.get(claim.task.id).status, sentence=reason)

        return self._bounded(claim, write)

    def settle_death(self, claim: Claim, failure: Failure) -> Settled:
        """Count a death; the task is queued again, or failed at the limit.

        A hang fails it at once, unless the policy says otherwise: another attempt would take a GPU
        for as long.
        """

        def write() -> Settled:
            if failure.kind == HANG:
                return self._retry(claim, failure)
            most = self.retries.most(claim.task.task_type, DEATH)
            status = self.store.record_death(
                claim.token, self._completed(claim, failure), max_deaths=most
            )
            return Settled(status=status, sentence=failure.sentence, failure=failure)

        return self._bounded(claim, write)

    def release(self, claim: Claim, reason: str) -> Settled:
        """Give the task back, and its attempt."""

        def write() -> Settled:
            self.store.release(claim.token, reason=reason, give_back=True)
            return Settled(status=TaskStatus.QUEUED, sentence=reason)

        return self._bounded(claim, write)

    def _bounded(self, claim: Claim, write: Callable[[], Settled]) -> Settled:
        """Write within the boundary of the task: what the store refuses fails this task alone."""
        settled = self._fenced(claim, lambda: self._refusable(claim, write))
        self.storage.discard(claim.task.id, claim.token)
        return settled

    def _refusable(self, claim: Claim, write: Callable[[], Settled]) -> Settled:
        try:
            return write()
        except (Fenced, *UNTOLD):
            raise
        except Exception as exc:  # noqa: BLE001 - whatever it is, it must not end the worker
            failure = failure_of(self.recorder.error(exc), exc)
            # What may pass, as a storage that is away, costs an attempt and not the task.
            if failure.retryable:
                return self._retry(claim, failure)
            return self._fail(claim, failure)

    def _fenced(self, claim: Claim, write: Callable[[], Settled]) -> Settled:
        try:
            return write()
        except UNTOLD:
            raise
        except Fenced as fenced:
            _log.warning("the outcome of task %s is refused: %s", claim.task.id, fenced.reason)
            return Settled(status=SUPERSEDED, sentence=fenced.reason)
        except Exception as exc:  # noqa: BLE001 - as above; not even its failure can be written
            _log.exception("task %s is left to its lease", claim.task.id)
            return Settled(status=SUPERSEDED, sentence=f"it cannot be settled: {exc}")

    def _tell(self, claim: Claim, outcome: Outcome, last: LastWord) -> None:
        try:
            if last.started:
                self.store.mark_started(claim.token)
            self._extend(claim, last.progress)
        except Fenced:
            # The failure is refused by the call that tells of it: the task's history then has it.
            if not isinstance(outcome, Failed | Retry):
                raise

    def _extend(self, claim: Claim, progress: dict[str, Any] | None = None) -> None:
        self.store.extend(claim.token, lease_s=self.lease_s, progress=progress or None)

    def _publish(self, claim: Claim, done: Done) -> tuple[str, ...]:
        hold = partial(self._extend, claim)
        return self.storage.publish(claim.task.id, claim.token, list(done.files), hold)

    def _complete(
        self, claim: Claim, done: Done, facts: dict[str, Any], locations: tuple[str, ...]
    ) -> Settled:
        result = {**done.result, **facts, "files": list(locations)}
        self.store.complete(claim.token, output_location=locations[0], result=result)
        # Whoever has a signed address can read the output: a console's lines are kept by many.
        return Settled(status=TaskStatus.COMPLETE, location=shown(locations[0]))

    def _spawn(self, claim: Claim, spawned: Spawned, facts: dict[str, Any]) -> Settled:
        children = [
            replace(child, trace_context=claim.task.process_context) for child in spawned.children
        ]
        with self.recorder.span(
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

    def _retry(self, claim: Claim, failure: Failure) -> Settled:
        most = self.retries.most(claim.task.task_type, kind_of(failure))
        if most == 1 or failures_like(failure, claim, self.store.events(claim.task.id)) >= most:
            return self._fail(claim, failure)
        wait_s = delay_s(claim.task.attempts)
        self.store.release(
            claim.token,
            reason=failure.sentence,
            give_back=False,
            delay_s=wait_s,
            failure=self._completed(claim, failure),
        )
        sentence = f"again in {wait_s:g} s: {failure.sentence}"
        return Settled(status=TaskStatus.QUEUED, sentence=sentence, failure=failure)

    def _fail(self, claim: Claim, failure: Failure) -> Settled:
        self.store.fail(claim.token, self._completed(claim, failure))
        return Settled(status=TaskStatus.FAILED, sentence=failure.sentence, failure=failure)

    def _completed(self, claim: Claim, failure: Failure) -> Failure:
        """Add the release, by which it is asked whether a failure is new, and the pages of it."""
        links = self.links.of_task(
            task_id=str(claim.task.id), trace_id=failure.trace_id, event_id=failure.event_id
        )
        return replace(failure, release=self.version, links=links)
