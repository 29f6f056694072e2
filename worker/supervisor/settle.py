"""One settle: an attempt that is over, what is to be told of it, and the span that records it."""

from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.trace import SpanKind, StatusCode

from telemetry import names
from worker.supervisor.attempt import Attempt, queue_attributes
from worker.supervisor.note import Note
from worker.supervisor.settling import Settled, Settler
from worker.supervisor.upload import Upload
from worker.task import Failure, TaskStatus


@dataclass(slots=True)
class Settle:
    """An attempt that is over and not settled yet.

    Attributes:
        write: Settles it.
        outcome: How it ended: an outcome's name, "Died" or "Released".
        note: What tells the next supervisor of it.
        upload: What comes first, if anything does.
        due_at: When it is to be tried, by the monotonic clock.
        tries: How often it was.
    """

    write: Callable[[], Settled]
    outcome: str
    note: Note
    upload: Upload | None = None
    due_at: float = 0.0
    tries: int = 0

    @property
    def waits(self) -> bool:
        """Whether it comes after an upload that is not over."""
        return self.upload is not None and not self.upload.over

    def record(self, settler: Settler, attempt: Attempt, settled: Settled, began_ns: int) -> None:
        """Write its span, and on the attempt's what became of that. An upload is part of it."""
        store = settler.store
        attributes = {
            **queue_attributes(store, "settle", attempt.claim.task.id),
            **store.answer,
            names.TASK_OUTCOME: self.outcome,
            names.TASK_STATUS: settled.status,
            names.SETTLE_TRIES: self.tries,
        }
        with settler.recorder.span(
            names.settle(store.queue),
            attributes,
            kind=SpanKind.CLIENT,
            start_ns=self.upload.began_ns if self.upload else began_ns,
        ):
            failure = settled.failure
            pages = settler.links.of_task(
                task_id=str(attempt.claim.task.id), event_id=failure.event_id if failure else ""
            )
            links = {f"{names.LINK}{where}": page for where, page in pages.items()}
            attempt.span.set({**links, **_facts(failure)})
            if self.outcome == "Died" or settled.status == TaskStatus.FAILED:
                attempt.span.set_status(StatusCode.ERROR, settled.sentence)


def _facts(failure: Failure | None) -> dict[str, str]:
    """Return by what failures are counted, and those of one cause are found, as attributes."""
    if failure is None:
        return {}
    facts = {
        names.FAILURE_KIND: failure.kind,
        names.ERROR_TYPE: failure.type,
        names.ERROR_FINGERPRINT: failure.fingerprint,
    }
    return {name: value for name, value in facts.items() if value}
